"""Only regular files of a limited size are read; a folder without room is noticed."""

import os
from pathlib import Path

import pytest

from backend.files import check_room, read_json
from tests.support.disks import small_disk


def test_pipes_and_endless_devices_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ValueError, match="not a regular file"):
            read_json(path)


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
