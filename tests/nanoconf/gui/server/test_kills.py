"""Runs of several pages, while the keeper, the server, kernels and workers are killed at random.

Every run that a page has shown ends once, with the result of an undisturbed run. Processes are
started again where a user would: by starting the server, and by reloading the page.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.engines.numba import engine
from backend.keeper.election import stop_keeper
from backend.keeper.local_runs import MAXIMUM_CRASHES
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.runs.run_state import RunState
from nanoconf.gui.services.identity import Identity
from tests.support.browser import processes_of
from tests.support.headless import HeadlessPage, Waiting
from tests.support.homes import PATIENCE, keepers, kill, processes, until
from tests.support.web import WebServer

PROCESSES = ("keeper", "server", "kernel", "worker")
SALT = "Salt concentration c (M)"
SMALL = {"Simulation length (ns)": "0.5"}
"""Inputs of a short simulation."""


class Visitor:
    """Browser of a user who runs one simulation, and reloads the page when it is lost.

    Parameters
    ----------
    server : WebServer
        The server, which may be killed and started again.
    salt : str
        The user's salt concentration (M), which identifies the run.
    """

    def __init__(self, server: WebServer, salt: str):
        self.server, self.salt = server, salt
        self.memory: dict[str, Any] = {}
        self.page = HeadlessPage(server.url, self.memory)
        self.shown: set[str] = set()
        self.trouble: Exception | None = None

    async def stay(self) -> None:
        """Use the page until the simulation is done, whatever happens to its kernel."""
        deadline = time.monotonic() + PATIENCE
        while not await self._visit():
            assert time.monotonic() < deadline, self.trouble
            with suppress(OSError):
                await self.page.close()

    async def _visit(self) -> bool:
        """Open the page and run the simulation; return False if the page is lost."""
        self.page = HeadlessPage(self.server.url, self.memory)
        try:
            await self.page.open()
            for label, text in {**SMALL, SALT: self.salt}.items():
                self.page.type(label, text)
            await self.page.until(self._predicted, "the prediction")
            if not self._submitted():
                self.page.click("Run")
            await self.page.until(self._done, "the result")
        except (OSError, Waiting) as error:  # the server is down, or the connection was lost
            self.trouble = error
            await asyncio.sleep(0.1)
            return False
        return True

    def _predicted(self) -> bool:
        return self.page.shows("ML") and self.page.text(SALT) == self.salt

    def _submitted(self) -> bool:
        """Return True if a page of this user has submitted the run: its button is now Cancel."""
        identity = Identity.of_browser(self.memory)
        return any(map(identity.owns, Archive(self.server.home).runs()))

    def _done(self) -> bool:
        if run := self.memory.get("run"):
            self.shown.add(run)
        return self.page.shows("MD") and bool(self.shown)


class Saboteur:
    """Kills processes at random moments.

    Parameters
    ----------
    server : WebServer
        The server; it is started again, as its user would.
    seed : int
        Seed of the choices.
    over : callable
        Returns True once all users have their results.
    """

    def __init__(self, server: WebServer, seed: int, over: Callable[[], bool]):
        self.server, self.chance, self.over = server, random.Random(seed), over
        self.killed: Counter[str] = Counter()

    async def strike(self, pause: float) -> None:
        """Kill one process of each kind, in a random order, at a random time after it appears."""
        for kind in self.chance.sample(PROCESSES, len(PROCESSES)):
            while not self._processes(kind):
                if self.over():
                    return
                await asyncio.sleep(0.2)
            await asyncio.sleep(self.chance.uniform(0, pause))
            if found := self._processes(kind):
                await asyncio.to_thread(kill, [self.chance.choice(found)])
                self.killed[kind] += 1
            if kind == "server":
                await asyncio.to_thread(self.server.start)

    def _processes(self, kind: str) -> list[psutil.Process]:
        if kind == "keeper":
            return keepers(self.server.home)
        if kind == "server":
            return [psutil.Process(self.server.process.pid)]
        if kind == "kernel":
            return self.server.kernels
        return [process for run in Archive(self.server.home).runs() for process in expendable(run)]


def expendable(run: Run) -> list[psutil.Process]:
    """Return the worker of a run, unless it is the last that may be killed."""
    attempts = run.attempts()
    if run.finished or not attempts or len(attempts) >= MAXIMUM_CRASHES - 1:
        return []
    return processes(run.folder, "backend.worker")


async def use(server: WebServer, seed: int, users: int, rounds: int, pause: float) -> list[Visitor]:
    """Let users run simulations while processes are killed; return the users."""
    visitors = [Visitor(server, f"0.{30 + 2 * number}") for number in range(users)]
    async with asyncio.TaskGroup() as group:
        stays = [group.create_task(visitor.stay()) for visitor in visitors]
        saboteur = Saboteur(server, seed, lambda: all(stay.done() for stay in stays))
        for _ in range(rounds):
            await saboteur.strike(pause)
    for visitor in visitors:
        await visitor.page.close()
    print(f"seed {seed}: killed {dict(saboteur.killed)}")
    assert sum(saboteur.killed.values()) >= 2
    return visitors


def check(home: Path, visitors: list[Visitor]) -> None:
    """Check that each user has one run, which ended once, with the right result."""
    runs = {run.id: run for run in Archive(home).runs()}
    assert len(runs) == len(visitors), "a run was lost or doubled"
    assert all(visitor.shown <= runs.keys() for visitor in visitors)
    folders = {name for name in os.listdir(home / "runs") if not name.startswith(".new-")}
    assert folders == runs.keys(), "a folder was left"
    salts = sorted(run.system.salt_concentration for run in runs.values())
    assert salts == sorted(float(visitor.salt) for visitor in visitors)
    for run in runs.values():
        assert run.state == RunState.DONE, run.reason
        assert [each["ended"] for each in run.attempts()].count("done") == 1
        assert not run.checkpoint_folder.exists()
        undisturbed = engine.run(run.system, run.settings)
        assert run.result().profiles.files() == undisturbed.profiles.files()


def check_processes(server: WebServer) -> None:
    """End the server and the keeper, and check that nothing else is left."""
    server.stop()
    until(lambda: stop_keeper(server.home), "the keeper to end")
    until(lambda: not processes_of(server.home), f"the processes of {server.home} to end")
    until(lambda: not processes(server.home), "the workers to end")


@pytest.fixture(autouse=True)
def checkpoints_all_the_time(monkeypatch):
    monkeypatch.setenv("NANOCONF_CHECKPOINT_SECONDS", "0")
    monkeypatch.setenv("NANOCONF_CORES", "2")


def test_no_run_is_lost_or_doubled_when_processes_are_killed(tmp_path):
    with WebServer(tmp_path / "home") as server:
        visitors = asyncio.run(use(server, seed=1, users=3, rounds=1, pause=2.0))
        check_processes(server)
        check(server.home, visitors)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_run_is_lost_or_doubled_when_processes_are_killed_repeatedly(tmp_path, seed):
    with WebServer(tmp_path / "home") as server:
        visitors = asyncio.run(use(server, seed, users=6, rounds=4, pause=4.0))
        check_processes(server)
        check(server.home, visitors)


# --- pages that are given up, and full houses -----------------------------------------------


async def open_and_run(server: WebServer) -> HeadlessPage:
    """Open a page and start a simulation."""
    page = await HeadlessPage(server.url).open()
    for label, text in SMALL.items():
        page.type(label, text)
    page.click("Run")
    await page.until(lambda: page.memory.get("run"), "the run to be shown")
    return page


def test_an_open_page_of_another_browser_finishes_the_run_of_one_that_was_killed(tmp_path):
    async def open_another() -> None:
        page = await HeadlessPage(server.url).open()
        await asyncio.to_thread(until, lambda: run.finished, "the run to end")
        await page.close()

    with WebServer(tmp_path / "home") as server:
        page = asyncio.run(open_and_run(server))
        kill(server.kernels)  # else it starts a keeper again
        kill(processes(server.home))
        run = Archive(server.home).get(page.memory["run"])
        assert not run.finished
        asyncio.run(open_another())
        assert run.state == RunState.DONE


def test_a_page_that_waits_in_the_queue_shows_its_run_once_it_has_a_place(tmp_path):
    async def reload_into_a_full_house() -> None:
        mine = await open_and_run(server)
        await mine.close()
        others = [await HeadlessPage(server.url).open() for _ in range(2)]
        again = HeadlessPage(server.url, mine.memory)
        with pytest.raises(Waiting, match="You are next"):
            await again.load()
        waiting = asyncio.create_task(again.wait_for_place())
        await others[0].close()
        await waiting
        await again.open()
        await again.until(lambda: again.shows("MD"), "the result")
        for page in (again, others[1]):
            await page.close()

    with WebServer(tmp_path / "home", ["--max-pages=2"]) as server:
        asyncio.run(reload_into_a_full_house())
        (run,) = Archive(server.home).runs()
        assert run.state == RunState.DONE
