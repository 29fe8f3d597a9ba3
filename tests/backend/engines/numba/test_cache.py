"""Folders of the compiled engine: the installation's, the user's, and the temporary one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.engines.numba import cache
from backend.inputs import InvalidInput


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine compiled for all users, and a user who has none."""
    folder = tmp_path / "installation" / "compiled"
    (folder / "version" / "numba").mkdir(parents=True)
    (folder / "version" / "numba" / "code").write_text("compiled")
    monkeypatch.setattr(cache, "SHARED", folder)
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr(cache, "default_folder", lambda *_: tmp_path / "user")
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return folder


def occupy(folder: Path) -> None:
    """Let no folder be made here, not even by root."""
    folder.write_text("not a folder")


def test_a_user_gets_a_copy_of_the_shared_engine(shared, tmp_path):
    own = cache.own_cache("version")
    assert own == tmp_path / "user" / "numba" / "version"
    (own / "numba" / "code").write_text("compiled by the user")
    assert cache.own_cache("version") == own
    assert (own / "numba" / "code").read_text() == "compiled by the user"
    assert (shared / "version" / "numba" / "code").read_text() == "compiled"
    assert [path.name for path in own.parent.iterdir()] == ["version"]


def test_a_second_installation_of_the_same_version_is_copied_too(shared, tmp_path):
    """Numba names the folders after the path of the installation."""
    first = tmp_path / "user" / "numba" / "version" / "numba of the first"
    first.mkdir(parents=True)
    own = cache.own_cache("version")
    assert (own / "numba" / "code").read_text() == "compiled"
    assert sorted(path.name for path in own.iterdir()) == ["numba", "numba of the first"]


def test_another_version_of_the_shared_engine_is_not_copied(shared, tmp_path):
    assert not cache.own_cache("other").exists()


def test_without_a_writable_cache_the_copy_is_temporary(shared, tmp_path):
    occupy(tmp_path / "user")
    cache.check_cache()
    own = cache.own_cache("version")
    assert own == tmp_path / "temporary" / f"nanoconf-{os.getuid()}" / "version"
    assert (own / "numba" / "code").read_text() == "compiled"
    assert own.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("how", ["open to others", "a link"])
def test_a_temporary_folder_that_others_can_write_to_is_refused(shared, tmp_path, how):
    occupy(tmp_path / "user")
    folder = tmp_path / "temporary" / f"nanoconf-{os.getuid()}"
    if how == "a link":
        folder.symlink_to(tmp_path)
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(InvalidInput, match="that only you can access: remove it, or set NUMBA"):
        cache.own_cache("version")


def test_without_a_shared_engine_an_unwritable_cache_is_reported(shared, tmp_path, monkeypatch):
    occupy(tmp_path / "user")
    monkeypatch.setattr(cache, "SHARED", tmp_path / "none")
    with pytest.raises(InvalidInput, match="set NUMBA_CACHE_DIR to a writable folder"):
        cache.check_cache()


def test_a_cache_folder_that_was_chosen_must_be_writable(shared, tmp_path, monkeypatch):
    occupy(tmp_path / "user")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "user" / "chosen"))
    with pytest.raises(InvalidInput, match="chosen"):
        cache.check_cache()
