"""Only regular files of a limited size are read; a folder without room is noticed."""

import os

import pytest

from backend.files import check_room, read_json, read_regular
from tests.support.disks import small_disk


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_what_never_ends_is_not_read(tmp_path, pipe):
    for path in (pipe, "/dev/zero", tmp_path):
        with pytest.raises(OSError, match=r"not a regular file|Is a directory"):
            read_regular(path, 100)


def test_files_up_to_the_limit_are_read(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)
    assert read_regular(file, 100) == b"x" * 100
    with pytest.raises(OSError, match="larger than the limit"):
        read_regular(file, 99)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, "{", "\ufeff"])
def test_json_that_cannot_be_read_raises_a_value_error(tmp_path, text):
    file = tmp_path / "file.json"
    file.write_text(text)
    with pytest.raises(ValueError):
        read_json(file)


def test_a_full_disk_has_no_room(tmp_path):
    with small_disk(tmp_path / "small", "1m") as folder:
        check_room(folder)
        (folder / "other files").write_bytes(bytes(900_000))
        with pytest.raises(OSError, match="No space left"):
            check_room(folder)
        assert os.listdir(folder) == ["other files"]
