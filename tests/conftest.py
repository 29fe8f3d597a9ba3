"""Fixtures that several test files share."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState
    from tests.support.desk import Desk
    from tests.support.slurm import SlurmCluster


def pytest_configure() -> None:
    """Let Open MPI start LAMMPS for root, as in a container, the way it asks for."""
    if os.geteuid() == 0:
        os.environ.setdefault("OMPI_ALLOW_RUN_AS_ROOT", "1")
        os.environ.setdefault("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the engine once before several processes would, each for itself."""
    if session.config.getoption("numprocesses", None):
        code = (
            "from backend.engines.numba.engine import run;"
            "from tests.support.homes import QUICK, SYSTEM;"
            "run(SYSTEM, QUICK)"
        )
        subprocess.run([sys.executable, "-c", code], cwd=session.config.rootpath, check=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that wait for a cluster alternate with browser tests, which need the processor.

    Tests of one file stay together, and the long files come first.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = [path for path in files if path.parent.name == "cluster"]
    busy = [path for path in files if path.parent.name == "browser"]
    longest_first = [sorted(paths, key=lambda path: -len(files[path])) for paths in (busy, waiting)]
    alternating = [path for pair in zip_longest(*longest_first) for path in pair if path]
    order = dict.fromkeys([*alternating, *files])
    items[:] = [item for path in order for item in files[path]]


@pytest.fixture(autouse=True)
def same_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training in this process would leave the tests after it, and what they start, behind."""
    monkeypatch.setattr(os, "nice", lambda _increment: 0, raising=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of the test's own; no process outlives the test."""
    from tests.support.homes import clean_up

    folder = tmp_path / "home"
    monkeypatch.setenv("NANOCONF_HOME", str(folder))
    yield folder
    clean_up(folder)


@pytest.fixture
def state() -> AppState:
    """What a page knows, without a browser."""
    from nanoconf.gui.state import AppState

    return AppState()


@pytest.fixture
def work(state: AppState, home: Path) -> Iterator[Work]:
    """What works for that page, in a home of its own."""
    from backend.runs.archive import Archive
    from nanoconf.gui.services.identity import Identity
    from nanoconf.gui.services.work import Work

    work = Work(state, Archive(home))
    work.identity = Identity.of_browser({"owner": "me"})
    yield work
    work.close()


@pytest.fixture(scope="module")
def slurm_cluster() -> Iterator[SlurmCluster]:
    """A Slurm and an SSH server for one test file."""
    from tests.support.slurm import SlurmCluster, require_slurm

    require_slurm()
    # Not pytest's folder: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="slurm-") as name, SlurmCluster(Path(name)) as cluster:
        yield cluster


@pytest.fixture
def cluster(slurm_cluster: SlurmCluster) -> Iterator[SlurmCluster]:
    """The test file's Slurm. What the test disturbs is mended; jobs and connections end."""
    yield slurm_cluster
    slurm_cluster.mend()


@pytest.fixture
def make_desk(
    home: Path, cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Desk]]:
    """A home on the tests' Slurm, with some keys of the cluster's entry otherwise."""
    from tests.support.desk import Desk

    desks: list[Desk] = []

    def make(**changes: Any) -> Desk:
        desks.append(Desk(home, cluster, monkeypatch, **changes))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()
