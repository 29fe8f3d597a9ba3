"""One process for each home that outlives pages and commands: it starts runs, and restarts them.

Elected by a lock (``keeper.lock``), started in a session of its own by `ensure_keeper`, gone when
there has been nothing to do for a while. It keeps nothing in memory that it could not find again
in the run folders, so it may be killed at any moment: the next `ensure_keeper` starts another.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from backend import __version__
from backend.files import read_json
from backend.locks import Lock, is_locked
from backend.runs import learning, local
from backend.runs.archive import QUIET_SECONDS, Archive
from backend.runs.run import CANCELLED_REASON, LOCAL, QUEUES, Run
from backend.runs.state import RunState
from backend.system import InvalidInput

if TYPE_CHECKING:
    from backend.cluster.here.dispatcher import Dispatcher
    from backend.cluster.ssh.login import Ask
    from backend.cluster.waiting import Say
    from backend.sampling.result import Progress

IDLE_SECONDS = 60.0
POLL_SECONDS = 0.2
POLL_SHARE = 0.05
"""Share of a core that looking may take, however many runs wait."""

MAXIMUM_CRASHES = 3
LOG_BYTES = 1_000_000

REELECTION_SECONDS = 5.0
TROUBLE_SECONDS = 5.0


# --- for pages and commands -----------------------------------------------------------------


def ensure_keeper(home: Path, *, idle_seconds: float = IDLE_SECONDS) -> None:
    """Start the keeper of a home unless it has one of this version.

    Call it after submitting, and now and then while waiting. It costs next to nothing.

    Parameters
    ----------
    home : Path
        The folder of the archive.
    idle_seconds : float
        How long the keeper stays when there is nothing to do.
    """
    Archive(home).prepare()
    lock_file = home / "keeper.lock"
    if is_locked(lock_file):
        version = _about_keeper(lock_file).get("version", __version__)
        if version == __version__:
            return
        stop_keeper(home)  # of another version: this one would not understand its workers
    with open(_log_file(home), "ab") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "backend.runs.keeper",
                str(home),
                "--idle",
                str(idle_seconds),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            start_new_session=True,
        )
    # Reaps it, should it end before this process does.
    threading.Thread(target=process.wait, daemon=True).start()


def stop_keeper(home: Path, timeout: float = 5.0) -> bool:
    """End the keeper of a home, not the workers; True when there is none (any more)."""
    lock_file = home / "keeper.lock"
    deadline = time.monotonic() + timeout
    told = None
    while is_locked(lock_file):
        pid = _about_keeper(lock_file).get("pid")
        if pid is not None and pid != told and _is_keeper(pid):
            os.kill(pid, signal.SIGTERM)
            told = pid
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def follow(
    run: Run,
    on_progress: Callable[[Progress | None], None] | None = None,
    timeout: float | None = None,
) -> str:
    """Wait for the end of a run, and see to it that there is a keeper; returns the state."""
    home = run.folder.parent.parent
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        if not run.finished:
            ensure_keeper(home)
        left = REELECTION_SECONDS if deadline is None else deadline - time.monotonic()
        state = run.wait(max(0.0, min(left, REELECTION_SECONDS)), on_progress)
        if run.finished or left <= 0:
            return state


def _about_keeper(lock_file: Path) -> dict:
    try:
        about = read_json(lock_file)
    except (OSError, ValueError):
        return {}  # just elected, and about to write
    return about if isinstance(about, dict) else {}


def _is_keeper(pid: int) -> bool:
    """Whether a process is a keeper, and not one that was given the number of a dead one."""
    import psutil

    try:
        return "backend.runs.keeper" in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


def _log_file(home: Path) -> Path:
    log = home / "keeper.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        os.replace(log, home / "keeper.log.1")
    return log


# --- the process ----------------------------------------------------------------------------


@dataclass
class Keeper:
    """Looks after the local runs of an archive.

    Parameters
    ----------
    archive : Archive
        The archive.
    """

    archive: Archive
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    stillborn: dict[str, int] = field(default_factory=dict)
    hopeless: set[str] = field(default_factory=set)
    _open: dict[str, Run] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _clusters: dict[tuple[str, Path], Dispatcher] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _quiet: dict[str, int] = field(default_factory=dict)
    _trainer: subprocess.Popen[bytes] | None = None
    _ended: bool = False

    def look(self) -> bool:
        """Look at every open run once and start what can be started; whether any is open."""
        self._learn()
        self._reap()
        running, waiting = self._sort()
        self._start_some(running, waiting)
        if self._ended and not (running or waiting):
            self._teach()
        with self._guard:
            away = any(each.busy for each in self._clusters.values())
        return bool(running or waiting) or away

    def _teach(self) -> None:
        """Let the surrogate learn from the archive, if enough runs are new."""
        self._ended = False
        if self._trainer is not None and self._trainer.poll() is None:
            return
        try:
            if learning.may_be_due(self.archive):
                self._trainer = learning.start_training(self.archive.home)
        except InvalidInput as error:
            say(f"nothing is learnt from runs: {error}")

    def _learn(self) -> None:
        """Take in new runs. Finished ones are looked at once."""
        runs = {run.id: run for run in self.archive.runs()}
        for run_id in runs.keys() - self._seen:
            run = runs[run_id]
            if run.finished:
                continue
            if run.where == LOCAL:
                self._open[run_id] = run
            else:
                self._dispatch(run)
        for run_id in self._open.keys() - runs.keys():
            del self._open[run_id]
        self._seen = set(runs)

    def _dispatch(self, run: Run) -> None:
        """Hand a run to whoever looks after its cluster."""
        self._dispatcher(run.where, Path(run.resources.get("config", ""))).add(run)

    def _dispatcher(self, name: str, config: Path) -> Dispatcher:
        from backend.cluster.here.dispatcher import Dispatcher

        with self._guard:
            if (name, config) not in self._clusters:
                self._clusters[name, config] = Dispatcher(self.archive, name, config, say)
                self._clusters[name, config].start()
            return self._clusters[name, config]

    def log_in(self, name: str, config: Path, ask: Ask, say: Say) -> None:
        """Log in to a cluster, and hold the connection; called from other threads."""
        self._dispatcher(name, config).log_in(ask, say)

    def _reap(self) -> None:
        """Note how the workers that have ended did so."""
        for run_id, child in list(self.children.items()):
            status = child.poll()
            if status is None:
                continue
            del self.children[run_id]
            run = self._open.get(run_id)
            if run is None or run.state != RunState.QUEUED:
                continue
            say(f"{run_id}: its worker ended with status {status}")
            if status > 0 and status != 75 and not run.progress():
                self.stillborn[run_id] = self.stillborn.get(run_id, 0) + 1

    def _sort(self) -> tuple[list[Run], list[Run]]:
        """The runs that are running, and those that wait, in the order they will be started."""
        running, waiting = [], []
        for run in list(self._open.values()):
            try:
                state = self._state(run)
            except OSError as error:
                say(f"{run.id}: {error}")
                continue
            if state == RunState.RUNNING or run.id in self.children:
                running.append(run)
            elif state != RunState.QUEUED:
                del self._open[run.id]
                self._ended = True
            elif run.id not in self.hopeless:
                waiting.append(run)
        waiting.sort(key=lambda run: (QUEUES.index(run.queue), run.created, run.id))
        return running, waiting

    def _state(self, run: Run) -> RunState:
        """The state; for the many that merely wait, from the time stamp of the folder."""
        stamp = os.stat(run.folder).st_mtime_ns
        if self._quiet.get(run.id) == stamp:
            return RunState.QUEUED
        if run.cancel_requested:
            run.settle(RunState.CANCELLED, CANCELLED_REASON)
        state = run.state
        untouched = time.time() - stamp / 1e9 > QUIET_SECONDS
        if state == RunState.QUEUED and untouched and not (run.folder / "worker.lock").exists():
            self._quiet[run.id] = stamp
        return state

    def _start_some(self, running: list[Run], waiting: list[Run]) -> None:
        """Start what waits, interactive runs first, as far as there are cores.

        A sweep's workers give way to others, so only interactive runs keep an interactive one
        waiting.
        """
        taken = {queue: 0 for queue in QUEUES}
        for run in running:
            taken[run.queue] += local.cores_of(run.request["settings"])
        for run in waiting:
            needed = local.cores_of(run.request["settings"])
            in_the_way = taken[QUEUES[0]] if run.queue == QUEUES[0] else sum(taken.values())
            if in_the_way + needed > local.cores():
                break
            if self._start(run, needed):
                taken[run.queue] += needed

    def _start(self, run: Run, threads: int) -> bool:
        self._quiet.pop(run.id, None)
        if run.state != RunState.QUEUED:
            return False
        crashes = run.crashes() + self.stillborn.get(run.id, 0)
        if crashes >= MAXIMUM_CRASHES:
            self._give_up(run, crashes)
            return False
        try:
            child = local.start(run.folder, threads=threads, nice=run.queue != QUEUES[0])
        except OSError as error:
            say(f"{run.id}: cannot be started: {error}")
            self.stillborn[run.id] = self.stillborn.get(run.id, 0) + 1
            return False
        self.children[run.id] = child
        say(f"{run.id}: started, process {child.pid}")
        return True

    def _give_up(self, run: Run, crashes: int) -> None:
        tail = run.log_tail(20)
        reason = (
            f"the simulation's process died {crashes} times without a word, perhaps for want of "
            "memory: see worker.log in the run folder, or try a smaller system"
        )
        try:
            run.settle(RunState.FAILED, reason, "\n".join(tail), "crashed")
        except OSError as error:
            say(f"{run.id}: {error}")
            self.hopeless.add(run.id)


def keep(home: Path, idle_seconds: float) -> int:
    """Be the keeper of a home until there is nothing to do; returns the exit status."""
    archive = Archive(home)
    archive.prepare()
    lock = Lock(home / "keeper.lock")
    # Waits a little for one that is leaving; an `ensure_keeper` that looks is no reason to give up.
    if not lock.acquire(wait_seconds=1.0):
        return 0
    lock.write(f'{{"pid": {os.getpid()}, "version": "{__version__}"}}\n')
    say(f"keeper of {home}, nanoconf {__version__}, process {os.getpid()}")
    archive.sweep_up()
    stopped = _stop_signal()
    keeper = Keeper(archive)
    _receive_people(keeper)
    busy = time.monotonic()
    while lock.still_there():
        began = time.monotonic()
        try:
            if keeper.look():
                busy = time.monotonic()
            pause = max(POLL_SECONDS, (time.monotonic() - began) / POLL_SHARE)
        except Exception:
            # What is wrong now may be right in a moment (a disk that comes back, say).
            say(traceback.format_exc())
            pause = TROUBLE_SECONDS
        if time.monotonic() - busy >= idle_seconds and _leave(keeper, lock):
            say("nothing to do: leaving")
            return 0
        if stopped(pause):
            say("asked to leave; workers go on")
            return 0
    return 0


def _receive_people(keeper: Keeper) -> None:
    """Let people log in to clusters that ask for more than a key."""
    from backend.cluster.ssh.reception import receive_people

    try:
        receive_people(keeper.archive.home, keeper.log_in)
    except OSError as error:
        say(f"nobody can log in to clusters: {error}")


def _leave(keeper: Keeper, lock: Lock) -> bool:
    """Leave, unless a run has just been submitted.

    With submissions held up: whoever submits later finds `keeper.lock` free.
    """
    with keeper.archive.submission_lock():
        if keeper.look():
            return False
        lock.release()
        return True


def _stop_signal() -> Callable[[float], bool]:
    """A function that waits so many seconds and says whether this process is to end."""
    pipe, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return lambda seconds: bool(select.select([pipe], [], [], seconds)[0])


def say(text: str) -> None:
    """A line for ``keeper.log``."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Be the keeper of a home; returns the exit status."""
    parser = argparse.ArgumentParser(prog="backend.runs.keeper", description="Look after runs.")
    parser.add_argument("home", type=Path, help="the folder of the archive")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds to stay idle")
    options = parser.parse_args(arguments)
    return keep(options.home.absolute(), options.idle)


if __name__ == "__main__":
    sys.exit(main())
