"""What stops a release, and that its files are the same each time they are built."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts import release

ROOT = Path(__file__).resolve().parents[1]
STATED_IN = ("CITATION.cff", "CHANGELOG.md", "backend/__init__.py")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy of the files that state the version."""
    for name in STATED_IN:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


# --- version and changes --------------------------------------------------------------------


def test_all_files_state_the_same_version_and_date(tree):
    version = release.check_version(ROOT)
    assert version == release.check_version(tree)
    replace(tree / "backend" / "__init__.py", version, "7.0.0")
    with pytest.raises(SystemExit, match=f"^CITATION.cff has version {version}: must be 7.0.0"):
        release.check_version(tree)
    replace(tree / "CITATION.cff", version, "7.0.0")
    with pytest.raises(SystemExit, match=r"^CHANGELOG.md: .* must be ## \[7.0.0\] - 20"):
        release.check_version(tree)
    replace(tree / "CHANGELOG.md", version, "7.0.0")
    assert release.check_version(tree) == "7.0.0"


def test_the_changelog_has_the_date_of_the_citation(tree):
    replace(tree / "CITATION.cff", "date-released: 2", "date-released: 3")
    with pytest.raises(SystemExit, match=r"^CHANGELOG.md: .* as in CITATION.cff$"):
        release.check_version(tree)


def test_unreleased_changes_stop_a_release(tree):
    changes = tree / "CHANGELOG.md"
    text = changes.read_text(encoding="utf-8")
    _, dated, rest = text.partition(f"## [{release.check_version(tree)}]")
    changes.write_text(f"# Changelog\n\n## [Unreleased]\n\n{dated}{rest}", encoding="utf-8")
    release.check_changes(tree)
    changes.write_text(f"## [Unreleased]\n\n### Added\n\n- A.\n\n{dated}{rest}", encoding="utf-8")
    with pytest.raises(SystemExit, match="under \\[Unreleased\\]"):
        release.check_changes(tree)


def test_uncommitted_files_stop_a_release(tmp_path):
    def git(*words: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "One")
    release.check_tree(tmp_path)
    (tmp_path / "file").write_text("two")
    (tmp_path / "other").write_text("one")
    with pytest.raises(SystemExit, match=r"^2 files are not committed, first file: commit$"):
        release.check_tree(tmp_path)


# --- licences and checksums -----------------------------------------------------------------


def component(name: str, *licences: dict) -> dict:
    return {"name": name, "version": "1.0", "licenses": list(licences)}


OPEN = (
    component("one", {"license": {"id": "MIT"}}),
    component("two", {"expression": "Apache-2.0 WITH LLVM-exception AND (MIT OR Zlib)"}),
    component("three", {"license": {"name": "License :: OSI Approved :: BSD License"}}),
)


def test_the_table_lists_the_licence_of_every_package(tmp_path):
    path = tmp_path / "licences.csv"
    release.write_licences(OPEN, path)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "package,version,licence",
        "one,1.0,MIT",
        "three,1.0,BSD",
        "two,1.0,Apache-2.0 WITH LLVM-exception AND (MIT OR Zlib)",
    ]


@pytest.mark.parametrize(
    ("licences", "named"),
    [
        ([{"license": {"name": "Proprietary"}}], "Proprietary"),
        ([{"expression": "MIT OR LicenseRef-Own"}], "MIT OR LicenseRef-Own"),
        ([{"license": {"id": "MIT"}}, {"license": {"name": "Own"}}], "MIT AND Own"),
        ([], "none"),
    ],
)
def test_a_licence_that_is_not_open_source_stops_a_release(tmp_path, licences, named):
    closed = component("closed", *licences)
    with pytest.raises(SystemExit) as stopped:
        release.write_licences([*OPEN, closed], tmp_path / "licences.csv")
    assert str(stopped.value).startswith(f"not known as open source: closed ({named}): ")


def test_checksums_can_be_verified(tmp_path):
    for name in ("a.whl", "b.tar.gz"):
        (tmp_path / name).write_text(name)
    release.write_checksums(tmp_path)
    verify = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(verify, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == "a.whl: OK\nb.tar.gz: OK\n"


# --- wheel and sdist ------------------------------------------------------------------------


@pytest.mark.long
def test_a_commit_always_gives_the_same_files(tmp_path):
    for name in ("first", "second"):
        release.build(tmp_path / name)
    wheel, sdist = sorted((tmp_path / "first").iterdir(), key=lambda path: path.suffix == ".gz")
    assert len(list((tmp_path / "second").iterdir())) == 2
    for path in (wheel, sdist):
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
    version = release.check_version(ROOT)
    assert f"nanoconf-{version}.dist-info/METADATA" in zipfile.ZipFile(wheel).namelist()
    with tarfile.open(sdist) as contents:
        names = contents.getnames()
    assert f"nanoconf-{version}/pyproject.toml" in names
    assert f"nanoconf-{version}/tests/test_release.py" in names
