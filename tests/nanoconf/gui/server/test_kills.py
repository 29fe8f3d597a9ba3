"""Runs of several pages, while the keeper, the server, kernels and workers are killed at random.

Every run that a page has submitted ends once, with the result of an undisturbed run. Processes are
started again as a user would: by starting the server, and by reloading the page.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import suppress
from functools import cache
from typing import Any

import psutil
import pytest

from backend.engines.numba import engine
from backend.keeper.election import stop_keeper
from backend.keeper.local_runs import MAXIMUM_CRASHES
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.tabs.registry import POSITIVE
from tests.support.browser import cmdline, processes_of
from tests.support.headless import HeadlessPage, Waiting
from tests.support.homes import PATIENCE, keepers, kill, processes, until
from tests.support.web import WebServer

KINDS = ("keeper", "server", "kernel", "worker")
SALT = "Salt concentration c (M)"
LENGTH = "Simulation length (ns)"


class Visitor:
    """User who runs one simulation, and reloads the page when it is lost.

    Parameters
    ----------
    server : WebServer
        The server, which may be killed and started again.
    salt : str
        The user's salt concentration (M), which identifies the run.
    length : str
        Length of the simulation (ns).

    Attributes
    ----------
    shown : set of str
        Ids of the runs that the pages have shown.
    done : bool
        True once the result is on the page.
    """

    def __init__(self, server: WebServer, salt: str, length: str):
        self.server, self.salt, self.length = server, salt, length
        self.memory: dict[str, Any] = {}
        self.page = HeadlessPage(server.url, self.memory)
        self.shown: set[str] = set()
        self.done = False
        self.trouble: Exception | None = None

    async def stay(self) -> None:
        """Use the page until the result is shown, whatever happens to its kernel."""
        while not self.done:
            try:
                await self._visit()
                self.done = True
                return
            except (OSError, Waiting) as error:  # the server is down, or the connection was lost
                self.trouble = error
            with suppress(OSError):
                await self.page.close()
            await asyncio.sleep(0.1)

    async def _visit(self) -> None:
        """Open the page, submit the simulation unless that was done, and wait for its result."""
        self.page = HeadlessPage(self.server.url, self.memory)
        await self.page.open()
        self.page.type(LENGTH, self.length)
        self.page.type(SALT, self.salt)
        await self.page.until(self._predicted, "the prediction")
        if self._submitted():
            self.page.tab(POSITIVE)  # the last page may have ended before it stored its tab
        else:
            self.page.click("Run")
        await self.page.until(self._has_result, "the result")

    def _predicted(self) -> bool:
        return self.page.shows("ML") and self.page.text(SALT) == self.salt

    def _submitted(self) -> bool:
        """Return True if a page of this user has submitted the run: its button is now Cancel."""
        identity = Identity.of_browser(self.memory)
        return any(map(identity.owns, Archive(self.server.home).runs()))

    def _has_result(self) -> bool:
        if run := self.memory.get("run"):
            self.shown.add(run)
        return self.page.shows("MD") and bool(self.shown)

    def __str__(self) -> str:
        return f"{self.salt} M: {self.page.texts('nc-page-log')}, last problem: {self.trouble!r}"


class Saboteur:
    """Kills processes at random moments.

    Parameters
    ----------
    visitors : list of Visitor
        The users. Once all have their results, nothing is killed.
    seed : int
        Seed of the choices.

    Attributes
    ----------
    killed : Counter
        Number of processes that were killed, by kind.
    workers : Counter
        Number of workers that were killed, by id of the run.
    """

    def __init__(self, visitors: list[Visitor], seed: int):
        self.visitors, self.server = visitors, visitors[0].server
        self.chance = random.Random(seed)
        self.killed: Counter[str] = Counter()
        self.workers: Counter[str] = Counter()

    async def strike(self, kind: str, pause: float) -> None:
        """Kill one process of a kind, at a random time after there is one."""
        while not all(visitor.done for visitor in self.visitors):
            if self._processes(kind):
                await asyncio.sleep(self.chance.uniform(0, pause))
            if found := self._processes(kind):
                await self._kill(kind, self.chance.choice(found))
                return
            await asyncio.sleep(0.05)

    async def _kill(self, kind: str, process: psutil.Process) -> None:
        command = cmdline(process)
        await asyncio.to_thread(kill, [process])
        self.killed[kind] += 1
        self.workers.update(run.id for run in runs(self.server) if run.id in command)
        if kind == "server":
            await asyncio.to_thread(self.server.start)

    def _processes(self, kind: str) -> list[psutil.Process]:
        if kind == "keeper":
            return keepers(self.server.home)
        if kind == "server":
            return [psutil.Process(self.server.process.pid)]
        if kind == "kernel":
            return self.server.kernels
        return [process for run in runs(self.server) for process in expendable(run)]


def runs(server: WebServer) -> list[Run]:
    """Return the runs in the archive."""
    return Archive(server.home).runs()


def expendable(run: Run) -> list[psutil.Process]:
    """Return the worker of a run, unless the run would fail after two more crashes."""
    begun = run.attempts()
    if run.finished or not begun or len(begun) >= MAXIMUM_CRASHES - 1:
        return []
    return processes(run.folder, "backend.worker")


async def use(saboteur: Saboteur, kinds: list[str], pause: float) -> None:
    """Let users run simulations, and kill processes once the first has been submitted."""
    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for visitor in saboteur.visitors:
                group.create_task(visitor.stay())
            while not runs(saboteur.server):
                await asyncio.sleep(0.02)
            for kind in kinds:
                await saboteur.strike(kind, pause)
    except TimeoutError:
        log = (saboteur.server.home / "keeper.log").read_text(encoding="utf-8")
        raise AssertionError("\n".join([*map(str, saboteur.visitors), log])) from None
    for visitor in saboteur.visitors:
        await visitor.page.close()


def check_processes(server: WebServer) -> None:
    """End the server and the keeper, and check that nothing else is left."""
    server.stop()
    until(lambda: stop_keeper(server.home), "the keeper to end")
    until(lambda: not processes_of(server.home), f"the processes of {server.home} to end")
    assert not processes(server.home)


def check_runs(saboteur: Saboteur) -> None:
    """Check that each user has one run, which ended once, with the right result."""
    found = {run.id: run for run in runs(saboteur.server)}
    visitors = {float(visitor.salt): visitor for visitor in saboteur.visitors}
    salts = sorted(run.system.salt_concentration for run in found.values())
    assert salts == sorted(visitors), "a run was lost or doubled"
    assert set(os.listdir(saboteur.server.home / "runs")) == found.keys(), "a folder was left"
    for run in found.values():
        assert visitors[run.system.salt_concentration].shown == {run.id}
        assert run.state == RunState.DONE, run.reason
        endings = Counter(attempt["ended"] for attempt in run.attempts())
        assert endings["done"] == 1
        assert endings[None] <= saboteur.workers[run.id], "another worker has died"
        assert run.result().profiles.files() == undisturbed(run.system, run.settings)
        assert not run.checkpoint_folder.exists()


@cache
def undisturbed(system: SlitSystem, settings: RunSettings) -> dict[str, str]:
    """Return the profiles of an undisturbed run, as files."""
    return engine.run(system, settings).profiles.files()


@pytest.fixture(autouse=True)
def checkpoints_all_the_time(monkeypatch):
    monkeypatch.setenv("NANOCONF_CHECKPOINT_SECONDS", "0")
    monkeypatch.setenv("NANOCONF_CORES", "2")


def test_no_run_is_lost_or_duplicated_when_processes_are_killed(tmp_path):
    with WebServer(tmp_path / "home") as server:
        saboteur = Saboteur([Visitor(server, "0.30", "0.1")], seed=1)
        others = saboteur.chance.sample(KINDS[:-1], len(KINDS) - 1)
        asyncio.run(use(saboteur, ["worker", *others], pause=0.7))
        check_processes(server)
        check_runs(saboteur)
        assert saboteur.killed == Counter(KINDS)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_run_is_lost_or_duplicated_when_processes_are_killed_repeatedly(tmp_path, seed):
    with WebServer(tmp_path / "home") as server:
        visitors = [Visitor(server, f"0.{30 + 2 * i}", "0.5") for i in range(4)]
        saboteur = Saboteur(visitors, seed)
        kinds = [kind for _ in range(3) for kind in saboteur.chance.sample(KINDS, len(KINDS))]
        asyncio.run(use(saboteur, kinds, pause=2.0))
        print(f"seed {seed}: killed {dict(saboteur.killed)}")
        check_processes(server)
        check_runs(saboteur)
        assert saboteur.killed.keys() == set(KINDS)


@pytest.mark.long
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
        (run,) = runs(server)
        assert run.state == RunState.DONE


async def open_and_run(server: WebServer) -> HeadlessPage:
    """Open a page and start a simulation."""
    page = await HeadlessPage(server.url).open()
    page.type(LENGTH, "0.1")
    page.click("Run")
    await page.until(lambda: page.memory.get("run"), "the run to be shown")
    return page
