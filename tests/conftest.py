"""Fixtures that several test files share."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of the test's own; no process outlives the test."""
    from tests.homes import clean_up

    folder = tmp_path / "home"
    monkeypatch.setenv("NANOCONF_HOME", str(folder))
    yield folder
    clean_up(folder)
