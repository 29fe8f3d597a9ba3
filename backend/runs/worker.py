"""Worker that executes one run: ``python -P -m backend.worker RUN_DIR``.

All simulations are executed by workers, on this computer and on clusters. A worker holds
``worker.lock`` while it is alive, so a run never has more than one. Its exit status is

- 0: the run has finished (done or cancelled), or it has another worker;
- 1: the run failed, and ``failure.json`` gives the reason;
- 75: the worker was interrupted (SIGTERM, as at shutdown) or paused (by the file ``pause``), and
  the run is queued again.
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
from backend.runs.run_state import RunState

# The lock is acquired before NumPy and Numba are loaded, which takes a second.
if TYPE_CHECKING:
    from backend.sampling.result import Progress, SimulationResult

OVER, FAILURE, INTERRUPTED = 0, 1, 75

LOCK_WAIT_SECONDS = 2.0
WATCH_SECONDS = 0.2
GRACE_SECONDS = 0.6
"""Time in which the engine may stop by itself (s); it cannot while it is being compiled."""

SAVING_SECONDS = 20.0
"""Additional time for an engine that has noticed the request and is writing a checkpoint."""

PROFILES = ("profiles", "charge")
"""Attributes of `Progress` that have their own files."""

SCARCE_BYTES = 2 << 30
"""Address space that a worker may need."""

ADVICE = {
    errno.ENOSPC: ("disk-full", "the disk is full: free some space, then repeat the run"),
    errno.EDQUOT: ("disk-full", "the disk quota is exceeded: free some space, then repeat the run"),
    errno.EROFS: ("read-only", "the run folder is read-only: choose another with NANOCONF_HOME"),
    errno.EACCES: (
        "read-only",
        "the run folder cannot be written to: choose another with NANOCONF_HOME",
    ),
}
"""Error names, and messages that give a remedy."""


class Watch(threading.Thread):
    """Thread that notices requests to end the run, and ends it if the engine does not respond.

    Parameters
    ----------
    worker : Worker
        Worker of the run.
    """

    def __init__(self, worker: Worker):
        super().__init__(name="watch", daemon=True)
        self.worker = worker
        self.request: str | None = None  # "cancel", "interrupt" or "gone"
        self._noticed = False
        self._guard = threading.Lock()
        self._ended_by = ""
        # This thread reads signals from a pipe: Python runs signal handlers only between
        # instructions of the main thread, which may be compiling for ten seconds.
        self._pipe, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def should_stop(self) -> bool:
        """Return True if the engine should end early."""
        self._noticed = self.request is not None
        return self._noticed

    def claim(self) -> None:
        """Let only the worker end the run, unless this thread is already ending it."""
        if not self._claim("worker"):
            threading.Event().wait()  # this process is about to exit

    def _claim(self, who: str) -> bool:
        with self._guard:
            self._ended_by = self._ended_by or who
            return self._ended_by == who

    def run(self) -> None:
        """Wait for a request, give the engine time to stop, then end the process."""
        while self.request is None:
            signalled, _, _ = select.select([self._pipe], [], [], WATCH_SECONDS)
            if signalled or self.worker.run.pause_requested:
                self.request = "interrupt"
            elif self.worker.run.cancel_requested:
                self.request = "cancel"
            elif not (self.worker.run.folder / "run.json").exists():
                self.request = "gone"
        time.sleep(GRACE_SECONDS)
        if self._noticed and self.request == "interrupt":
            time.sleep(SAVING_SECONDS)  # the process usually ends, and this thread with it
        if self._claim("watch"):
            status = FAILURE
            try:
                status = self.worker.end_early(self.request)
            finally:
                sys.stdout.flush()
                os._exit(status)


class Worker:
    """Execution of a run by the process that holds its lock.

    Parameters
    ----------
    run : Run
        The run.
    threads : int
        Number of replicas that run at the same time.
    """

    def __init__(self, run: Run, threads: int):
        self.run = run
        self.threads = threads
        self.watch = Watch(self)
        self._logged_stage: tuple[str, int] = ("", 0)
        self._write_problem = ""

    def execute(self) -> int:
        """Execute the run to its end; return the exit status."""
        if self.run.finished:
            return OVER
        if self.run.cancel_requested:
            return self.end_early("cancel")
        try:
            (self.run.folder / "pause").unlink(missing_ok=True)  # it was for the last worker
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
        log(f"run {self.run.id} on {platform.node()}, nanoconf {__version__}")
        if self.run.version != __version__:
            raise Refused(
                f"the run was requested by nanoconf {self.run.version or '(unknown)'}, but this is "
                f"version {__version__}: repeat the run"
            )
        self._write_progress({"phase": "compiling", "fraction": self._fraction_so_far()})

    def _fraction_so_far(self) -> float:
        """Return the last progress of a run that resumes; 0 if it starts from the beginning."""
        progress = self.run.progress() if self.run.checkpoint_folder.exists() else None
        return progress.fraction if progress else 0.0

    def _simulate(self) -> SimulationResult:
        from backend.sampling.result import SimulationError

        system, settings = self.run.system, self.run.settings
        log("system: " + _listed(system.to_dict()))
        log("settings: " + _listed(settings.to_dict()))
        positive, negative = system.counts
        log(f"{positive} positive and {negative} negative ions, box {system.box_length:.2f} nm")
        engine = registry.get(settings.engine)
        if missing := engine.missing():
            raise SimulationError(missing, "engine-missing")
        engine.check()
        resumable_options = {
            "checkpoint": self.run.checkpoint_folder,
            "log": log,
            "should_finish": lambda: self.run.finish_requested,
        }
        result = engine.run(
            system,
            settings,
            threads=self.threads,
            on_progress=self._on_progress,
            should_stop=self.watch.should_stop,
            **(resumable_options if engine.resumable else {}),
        )
        if not result.profiles.finite:
            raise SimulationError(
                "the density profiles contain non-finite values: forces were likely too large for "
                f"the time step; try a smaller time step than {settings.time_step:g} τ",
                "not-finite",
            )
        return result

    def _on_progress(self, progress: Progress) -> None:
        self._log_progress(progress)
        try:
            if progress.profiles is not None:
                partial = self.run.folder / "partial"
                partial.mkdir(exist_ok=True)
                if progress.charge is not None:
                    progress.charge.save(partial)
                progress.profiles.save(partial)
            self._write_progress({k: v for k, v in vars(progress).items() if k not in PROFILES})
        except OSError as error:
            # A run continues if its progress cannot be written. If the problem persists, the
            # result cannot be written either, and then the run fails.
            if not self._write_problem:
                self._write_problem = str(error)
                log(f"progress cannot be written: {error}")

    def _write_progress(self, values: dict[str, Any]) -> None:
        write_json(self.run.folder / "progress.json", {**values, "updated": now()})

    def _log_progress(self, progress: Progress) -> None:
        """Log a line for every phase and for every 10 % of progress."""
        stage = (progress.phase, int(10 * progress.fraction))
        if stage == self._logged_stage:
            return
        self._logged_stage = stage
        line = f"{progress.phase}, {progress.fraction:.0%}"
        if progress.steps_per_second:
            line += f", {progress.steps_per_second:.0f} steps/s"
        if progress.seconds_left is not None:
            line += f", {progress.seconds_left:.0f} s left"
        if progress.median_relative_error is not None:
            line += f", median error {progress.median_relative_error:.2%}"
        log(line)

    def _save(self, result: SimulationResult) -> None:
        try:
            self._write(result)
        except OSError:
            self._make_room()  # the last checkpoint may have filled the disk
            self._write(result)
        shutil.rmtree(self.run.folder / "partial", ignore_errors=True)
        self.run.remove_checkpoints()

    def _write(self, result: SimulationResult) -> None:
        result.save(self.run.folder)
        self._close_attempt("done")
        log("done")  # must precede result.json, after which the run folder may be moved
        write_json(self.run.folder / "result.json", {"summary": result.summary.to_dict()})

    # --- other endings ----------------------------------------------------------------------

    def end_early(self, request: str | None) -> int:
        """End the run as requested; return the exit status."""
        if request == "interrupt":
            self._close_attempt("interrupted")
            log("interrupted; the run is queued again")
            return INTERRUPTED
        if request == "gone":
            return OVER
        self.run.write_failure(RunState.CANCELLED, CANCELLED_REASON)
        log("cancelled")
        return OVER

    def _end_with(self, error: BaseException) -> int:
        from backend.sampling.result import Cancelled, SimulationError

        if not (self.run.folder / "run.json").exists():
            log("the run has been removed")
            return OVER
        # Slurm and terminals signal all processes of a job: a child of the engine may end first.
        request = self.watch.request or ("cancel" if self.run.cancel_requested else None)
        if isinstance(error, Cancelled | SimulationError) and request:
            return self.end_early(request)
        name, reason, detail = explain(error)
        if isinstance(error, OSError):
            self._make_room()
        log(f"failed ({name}): {reason}")
        if detail:
            log(detail)
        try:
            self.run.write_failure(RunState.FAILED, reason, detail, name)
        except OSError as problem:
            log(f"failure.json cannot be written: {problem}")
        return FAILURE

    def _close_attempt(self, how: str) -> None:
        attempts = self.run.attempts()
        if attempts:
            attempts[-1]["ended"] = how
            write_json(self.run.folder / "attempts.json", attempts)

    def _remove_leftovers(self) -> None:
        """Remove files that a killed worker left half written."""
        for leftover in self.run.folder.rglob(".*"):
            with contextlib.suppress(OSError):
                leftover.unlink()

    def _make_room(self) -> None:
        """Remove partial results and checkpoints to make room on a full disk."""
        self._remove_leftovers()
        shutil.rmtree(self.run.folder / "partial", ignore_errors=True)
        self.run.remove_checkpoints()
        for name in result_files():
            with contextlib.suppress(OSError):
                (self.run.folder / name).unlink()


def record_invalid_input(folder: Path, error: DamagedRun) -> None:
    """Record that a run cannot start because of its inputs, so that its cluster reports it."""
    from backend.system import InvalidInput

    if isinstance(error.__cause__, InvalidInput):
        name, reason, _ = explain(error.__cause__)
        failure = {"state": RunState.FAILED, "error": name, "reason": reason, "time": now()}
        write_json(folder / "failure.json", failure)


class Refused(Exception):
    """Raised for a run that this worker must not execute; the message gives the reason."""


def explain(error: BaseException) -> tuple[str, str, str]:
    """Return the name of an error, one line with its cause and a remedy, and the detail."""
    from backend.sampling.result import SimulationError
    from backend.system import InvalidInput

    if isinstance(error, SimulationError):
        return error.name, str(error), ""
    if isinstance(error, InvalidInput):
        return "bad-input", str(error), ""
    if isinstance(error, Refused):
        return "other-version", str(error), ""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError) or _lacks_memory(error):
        advice = "not enough memory: close other programs, or simulate a smaller system"
        return "memory", advice + _memory_limit(), detail
    if isinstance(error, OSError):
        unknown = ("cannot-write", f"a file could not be written: {error}")
        return (*ADVICE.get(error.errno or 0, unknown), detail)
    first_line = (str(error).splitlines() or [""])[0]
    return (
        "unexpected",
        f"unexpected {type(error).__name__}: {first_line} (this is a bug in nanoconf; "
        "please report it with the run's worker.log)",
        detail,
    )


def _lacks_memory(error: BaseException) -> bool:
    """Return True if a library failed to load because of the memory limit of the process."""
    loading = isinstance(error, (ImportError, SystemError, OSError))
    return loading and getattr(error, "errno", None) is None and bool(_memory_limit())


def _memory_limit() -> str:
    """Return the memory limit of this process in words if it is too low, otherwise ""."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if not 0 <= limit < SCARCE_BYTES:
        return ""
    return f" (ulimit -v allows {limit / 1e9:.1f} GB here)"


def log(text: str) -> None:
    """Write a line to ``worker.log``."""
    # The run continues if the log has been removed or the disk is full.
    with contextlib.suppress(OSError, ValueError):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def lower_priority(niceness: int) -> None:
    """Lower the priority of this process by a number of levels."""
    os.nice(niceness)
    # With autogroup scheduling in Linux, niceness applies only within a session, so the priority
    # of the session must be lowered too.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness))


def _listed(values: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def main(arguments: list[str] | None = None) -> int:
    """Execute the run in a folder; return the exit status."""
    parser = argparse.ArgumentParser(prog="backend.worker", description="Execute a run.")
    parser.add_argument("run_dir", type=Path, help="the run folder")
    parser.add_argument("--threads", type=int, default=1, help="number of simultaneous replicas")
    parser.add_argument("--nice", type=int, default=0, help="how much to increase the niceness")
    options = parser.parse_args(arguments)
    faulthandler.enable()
    folder = options.run_dir.absolute()
    lock = Lock(folder / "worker.lock")
    try:
        if not lock.acquire(LOCK_WAIT_SECONDS):
            return OVER
        run = Run(folder)
    except OSError as error:
        print(f"worker: {folder}: cannot be written to ({error.strerror})", file=sys.stderr)
        return FAILURE
    except DamagedRun as error:
        print(f"worker: {error}", file=sys.stderr)
        record_invalid_input(folder, error)
        return FAILURE
    if options.nice:
        lower_priority(options.nice)
    return Worker(run, options.threads).execute()


if __name__ == "__main__":
    sys.exit(main())
