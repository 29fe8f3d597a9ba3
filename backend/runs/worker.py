"""Executes one run: ``python -P -m backend.worker RUN_DIR``.

The only way a simulation is executed, on this computer or on a cluster. A worker holds
``worker.lock`` for as long as it lives, so there is never more than one for a run. It ends with

- exit status 0: the run is over (done, or cancelled), or another worker has it;
- 1: the run failed, and ``failure.json`` says why;
- 75: interrupted (SIGTERM, as at shutdown): the run is queued again.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import faulthandler
import os
import platform
import resource
import select
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend import __version__
from backend.engines import registry
from backend.files import write_json
from backend.locks import Lock
from backend.runs.run import CANCELLED_REASON, DamagedRun, Run, boot_id, now, result_files
from backend.runs.state import RunState

# The lock is taken before NumPy and Numba are loaded, which takes a second.
if TYPE_CHECKING:
    from backend.sampling.result import Progress, SimulationResult

OVER, FAILURE, INTERRUPTED = 0, 1, 75

LOCK_WAIT_SECONDS = 2.0
WATCH_SECONDS = 0.2
GRACE_SECONDS = 0.6
"""How long the engine may take to stop by itself; it cannot while it is being compiled."""

SAVING_SECONDS = 20.0
"""How much longer where it has heard, and leaves a checkpoint."""

LOW_PRIORITY = 10
SCARCE_BYTES = 2 << 30
"""Address space that a worker can need."""

ADVICE = {
    errno.ENOSPC: ("disk-full", "the disk is full: free some space, then run it again"),
    errno.EDQUOT: ("disk-full", "the disk quota is used up: free some space, then run it again"),
    errno.EROFS: ("read-only", "the run folder is read-only: choose another with NANOCONF_HOME"),
    errno.EACCES: (
        "read-only",
        "the run folder cannot be written: choose another with NANOCONF_HOME",
    ),
}
"""Name of an error, and the line for people."""


class Watch(threading.Thread):
    """Sees that the run is to end, and ends it by force where the engine does not react.

    Parameters
    ----------
    worker : Worker
        Whose run it is.
    """

    def __init__(self, worker: Worker):
        super().__init__(name="watch", daemon=True)
        self.worker = worker
        self.wanted: str | None = None  # "cancel", "interrupt" or "gone"
        self._heard = False
        self._guard = threading.Lock()
        self._ended_by = ""
        # Signals are seen here, through a pipe: Python runs their handlers only between two
        # steps of the main thread, which may be busy compiling for ten seconds.
        self._pipe, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def stop_wanted(self) -> bool:
        """For the engine: whether to end early."""
        self._heard = self.wanted is not None
        return self._heard

    def claim(self) -> None:
        """From here on the worker ends the run itself, unless it is being ended by force."""
        if not self._claim("worker"):
            threading.Event().wait()  # this process is about to exit

    def _claim(self, who: str) -> bool:
        with self._guard:
            self._ended_by = self._ended_by or who
            return self._ended_by == who

    def run(self) -> None:
        """Wait for a wish, give the engine its time, then end the process."""
        while self.wanted is None:
            signalled, _, _ = select.select([self._pipe], [], [], WATCH_SECONDS)
            if signalled:
                self.wanted = "interrupt"
            elif self.worker.run.cancel_requested:
                self.wanted = "cancel"
            elif not (self.worker.run.folder / "run.json").exists():
                self.wanted = "gone"
        time.sleep(GRACE_SECONDS)
        if self._heard and self.wanted == "interrupt":
            time.sleep(SAVING_SECONDS)  # the process usually ends, and this thread with it
        if self._claim("watch"):
            status = FAILURE
            try:
                status = self.worker.end_early(self.wanted)
            finally:
                sys.stdout.flush()
                os._exit(status)


class Worker:
    """Executes a run whose lock it holds.

    Parameters
    ----------
    run : Run
        The run.
    threads : int
        Replicas that are advanced at the same time.
    """

    def __init__(self, run: Run, threads: int):
        self.run = run
        self.threads = threads
        self.watch = Watch(self)
        self._said: tuple[str, int] = ("", 0)
        self._write_problem = ""

    def execute(self) -> int:
        """Take the run to its end; returns the exit status."""
        if self.run.finished:
            return OVER
        if self.run.cancel_requested:
            return self.end_early("cancel")
        try:
            self.watch.start()
            self._begin()
            result = self._simulate()
            self.watch.claim()
            self._save(result)
        except BaseException as error:
            self.watch.claim()
            return self._end_with(error)
        return OVER

    # --- the stages -------------------------------------------------------------------------

    def _begin(self) -> None:
        self._remove_leftovers()
        attempt = {
            "started": now(),
            "pid": os.getpid(),
            "host": platform.node(),
            "boot": boot_id(),
            "ended": None,
        }
        write_json(self.run.folder / "attempts.json", [*self.run.attempts(), attempt])
        say(f"run {self.run.id} on {platform.node()}, nanoconf {__version__}")
        if self.run.version != __version__:
            raise Refused(
                f"asked for by nanoconf {self.run.version or '(unknown)'}, but this is "
                f"{__version__}: run it again"
            )
        self._write_progress({"phase": "compiling", "fraction": self._fraction_so_far()})

    def _fraction_so_far(self) -> float:
        """Where the progress bar stood, for a run that goes on; 0 for one that starts anew."""
        progress = self.run.progress() if self.run.checkpoint_folder.exists() else None
        return progress.fraction if progress else 0.0

    def _simulate(self) -> SimulationResult:
        from backend.sampling.result import SimulationError

        system, settings = self.run.system, self.run.settings
        say("system: " + _listed(system.to_dict()))
        say("settings: " + _listed(settings.to_dict()))
        positive, negative = system.counts
        say(f"{positive} positive and {negative} negative ions, box {system.box_length:.2f} nm")
        engine = registry.get(settings.engine)
        if lacking := engine.missing():
            raise SimulationError(lacking, "engine-missing")
        resuming = {
            "checkpoint": self.run.checkpoint_folder,
            "say": say,
            "enough": lambda: self.run.finish_requested,
        }
        result = engine.run(
            system,
            settings,
            threads=self.threads,
            on_progress=self._on_progress,
            should_stop=self.watch.stop_wanted,
            **(resuming if engine.resumable else {}),
        )
        if not result.profiles.finite:
            raise SimulationError(
                "the density profiles are not finite numbers: forces were likely too large for "
                f"the time step; try a smaller time step than {settings.time_step:g} τ",
                "not-finite",
            )
        return result

    def _on_progress(self, progress: Progress) -> None:
        self._tell(progress)
        try:
            if progress.profiles is not None:
                partial = self.run.folder / "partial"
                partial.mkdir(exist_ok=True)
                progress.profiles.save(partial)
            self._write_progress({k: v for k, v in vars(progress).items() if k != "profiles"})
        except OSError as error:
            # A run is not lost because its progress cannot be shown. If the problem stays, the
            # result cannot be written either, and then the run fails.
            if not self._write_problem:
                self._write_problem = str(error)
                say(f"progress cannot be written: {error}")

    def _write_progress(self, values: dict[str, Any]) -> None:
        write_json(self.run.folder / "progress.json", {**values, "updated": now()})

    def _tell(self, progress: Progress) -> None:
        """Say a line for every phase, and for every tenth of the way."""
        stage = (progress.phase, int(10 * progress.fraction))
        if stage == self._said:
            return
        self._said = stage
        line = f"{progress.phase}, {progress.fraction:.0%}"
        if progress.steps_per_second:
            line += f", {progress.steps_per_second:.0f} steps/s"
        if progress.seconds_left is not None:
            line += f", {progress.seconds_left:.0f} s left"
        if progress.median_relative_error is not None:
            line += f", converged to {progress.median_relative_error:.2%}"
        say(line)

    def _save(self, result: SimulationResult) -> None:
        try:
            self._write(result)
        except OSError:
            self._make_room()  # its own last checkpoint may be what fills the disk
            self._write(result)
        shutil.rmtree(self.run.folder / "partial", ignore_errors=True)
        self.run.remove_checkpoints()

    def _write(self, result: SimulationResult) -> None:
        result.save(self.run.folder)
        self._close_attempt("done")
        say("done")  # from the next line on the log may be taken away
        write_json(self.run.folder / "result.json", {"summary": result.summary.to_dict()})

    # --- the ways it can end otherwise ------------------------------------------------------

    def end_early(self, wanted: str | None) -> int:
        """End the run as it was wanted; returns the exit status."""
        if wanted == "interrupt":
            self._close_attempt("interrupted")
            say("interrupted; the run is queued again")
            return INTERRUPTED
        if wanted == "gone":
            return OVER
        self.run.write_failure(RunState.CANCELLED, CANCELLED_REASON)
        say("cancelled")
        return OVER

    def _end_with(self, error: BaseException) -> int:
        from backend.sampling.result import Cancelled, SimulationError

        if not (self.run.folder / "run.json").exists():
            say("the run has been removed")
            return OVER
        # Slurm and terminals signal all processes of a job: a child of the engine may end first.
        wanted = self.watch.wanted or ("cancel" if self.run.cancel_requested else None)
        if isinstance(error, Cancelled | SimulationError) and wanted:
            return self.end_early(wanted)
        name, reason, detail = explain(error)
        if isinstance(error, OSError):
            self._make_room()
        say(f"failed ({name}): {reason}")
        if detail:
            say(detail)
        try:
            self.run.write_failure(RunState.FAILED, reason, detail, name)
        except OSError as problem:
            say(f"and failure.json cannot be written: {problem}")
        return FAILURE

    def _close_attempt(self, how: str) -> None:
        attempts = self.run.attempts()
        if attempts:
            attempts[-1]["ended"] = how
            write_json(self.run.folder / "attempts.json", attempts)

    def _remove_leftovers(self) -> None:
        """Remove what a worker that was killed left half written."""
        for leftover in self.run.folder.rglob(".*"):
            with contextlib.suppress(OSError):
                leftover.unlink()

    def _make_room(self) -> None:
        """On a full disk, let what is only half of a result make room for what matters more."""
        self._remove_leftovers()
        shutil.rmtree(self.run.folder / "partial", ignore_errors=True)
        self.run.remove_checkpoints()
        for name in result_files():
            with contextlib.suppress(OSError):
                (self.run.folder / name).unlink()


class Refused(Exception):
    """A run that this worker must not execute; the message says why."""


def explain(error: BaseException) -> tuple[str, str, str]:
    """The error's name, one line that says what happened and what to do, and the detail."""
    from backend.sampling.result import SimulationError
    from backend.system import InvalidInput

    if isinstance(error, SimulationError):
        return error.name, str(error), ""
    if isinstance(error, InvalidInput):
        return "bad-input", str(error), ""
    if isinstance(error, Refused):
        return "other-version", str(error), ""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError) or _wants_memory(error):
        advice = "not enough memory: close other programs, or simulate a smaller system"
        return "memory", advice + _memory_limit(), detail
    if isinstance(error, OSError):
        unknown = ("cannot-write", f"a file could not be written: {error}")
        return (*ADVICE.get(error.errno or 0, unknown), detail)
    first_line = (str(error).splitlines() or [""])[0]
    return (
        "unexpected",
        f"unexpected {type(error).__name__}: {first_line} (this is a mistake in nanoconf; "
        "please report it with the run's worker.log)",
        detail,
    )


def _wants_memory(error: BaseException) -> bool:
    """Whether a library could not be loaded because the process may not have so much memory."""
    strange = isinstance(error, (ImportError, SystemError, OSError))
    return strange and getattr(error, "errno", None) is None and bool(_memory_limit())


def _memory_limit() -> str:
    """What this process may have, in words, if that is less than it needs."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if not 0 <= limit < SCARCE_BYTES:
        return ""
    return f" (ulimit -v allows {limit / 1e9:.1f} GB here)"


def say(text: str) -> None:
    """A line for ``worker.log``."""
    # The log may be gone, or the disk full: no reason to stop.
    with contextlib.suppress(OSError, ValueError):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def be_nice() -> None:
    """Give way to everything else on this computer."""
    os.nice(LOW_PRIORITY)
    # Where Linux schedules by session, niceness counts only within one, unless the session
    # itself is made nice.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(LOW_PRIORITY))


def _listed(values: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def main(arguments: list[str] | None = None) -> int:
    """Execute the run in a folder; returns the exit status."""
    parser = argparse.ArgumentParser(prog="backend.worker", description="Execute a run.")
    parser.add_argument("run_dir", type=Path, help="the run folder")
    parser.add_argument("--threads", type=int, default=1, help="replicas side by side")
    parser.add_argument("--nice", action="store_true", help="give way to other programs")
    options = parser.parse_args(arguments)
    faulthandler.enable()
    folder = options.run_dir.absolute()
    lock = Lock(folder / "worker.lock")
    try:
        if not lock.acquire(LOCK_WAIT_SECONDS):
            return OVER
        run = Run(folder)
    except OSError as error:
        print(f"worker: {folder}: cannot be written ({error.strerror})", file=sys.stderr)
        return FAILURE
    except DamagedRun as error:
        print(f"worker: {error}", file=sys.stderr)
        return FAILURE
    if options.nice:
        be_nice()
    return Worker(run, options.threads).execute()


if __name__ == "__main__":
    sys.exit(main())
