"""A run and its folder; docs/run-folder.md describes the files."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.files import write_json, write_text
from backend.locks import Lock, is_locked
from backend.runs import run_files
from backend.runs.run_files import LOCAL as LOCAL
from backend.runs.run_files import QUEUES as QUEUES
from backend.runs.run_files import Outcome as Outcome
from backend.runs.run_state import RunState
from backend.untrusted import in_words, one_line, read_bytes

# A worker acquires its lock before it loads NumPy and SciPy, so functions import them when needed.
if TYPE_CHECKING:
    from backend.profiles.charge import ChargeProfile
    from backend.profiles.density import SlitProfiles
    from backend.sampling.result import Progress, SimulationResult
    from backend.settings import RunSettings
    from backend.system import SlitSystem

CANCELLED_REASON = "cancelled on request"

LOOK_SECONDS = 0.2
"""Time (s) to wait for others that test a lock, see `Lock.acquire`."""

DAMAGED = "damaged"
"""Error of a run whose folder is damaged and was set aside."""


class DamagedRun(RuntimeError):
    """Raised if a run folder cannot be read, or if its state does not allow an operation."""


RUN_ERRORS = (OSError, RuntimeError, LookupError, ValueError)
"""Errors raised by a run that is damaged or has been deleted elsewhere."""


class Run:
    """One run: its request, its progress and its result.

    Parameters
    ----------
    folder : Path
        The run folder, which holds at least ``run.json``.

    Raises
    ------
    DamagedRun
        ``run.json`` is missing or damaged.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.joined = False
        self._final: RunState | None = None
        self._outcome: Outcome | None = None
        self.request = _request(folder)
        self.system, self.settings = _inputs(folder, self.request)
        self.id: str = self.request["id"]
        self.inputs_hash: str = self.request["inputs_hash"]
        self.created: str = self.request["created"]

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.state}>"

    # --- request ----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name for display; may be empty."""
        changed = run_files.read(self.folder, "name", run_files.display_name)
        return one_line(self.request.get("name", "")) if changed is None else changed

    @property
    def where(self) -> str:
        """Location of the run: ``"local"`` or the name of a cluster."""
        return self.request.get("where", LOCAL)

    @property
    def resources(self) -> dict[str, Any]:
        """Resources of a run on a cluster (``config``, ``cores``, ``minutes``); otherwise empty."""
        return self.request.get("cluster", {})

    @property
    def version(self) -> str:
        """Version of nanoconf that submitted the run."""
        return self.request.get("version", "")

    @property
    def queue(self) -> str:
        """Queue of the run; a run of a sweep becomes interactive once a user waits for it."""
        if os.path.lexists(self.folder / "urgent"):
            return QUEUES[0]
        return self.request.get("queue", QUEUES[0])

    @property
    def owner(self) -> str:
        """Hash that identifies the browser that submitted the run; empty for commands."""
        return self.request.get("owner", "")

    @property
    def shared(self) -> bool:
        """True if somebody other than its owner also waits for the run."""
        return os.path.lexists(self.folder / "shared")

    # --- state and progress -----------------------------------------------------------------

    @property
    def state(self) -> RunState:
        """State of the run, which follows from the files in its folder."""
        if self._final is None:
            state = self._read_state()
            if not state.final or self._ending() is None:
                return state
            self._final = state
        return self._final

    def _read_state(self) -> RunState:
        ending = self._ending()
        if ending is None and self._has_worker():
            return RunState.RUNNING
        ending = ending or self._ending()  # the worker may have finished since the first check
        if ending is None and self._set_aside():
            return RunState.FAILED
        return ending or RunState.QUEUED

    def _ending(self) -> RunState | None:
        """Return the state that a result or a failure record sets; None if there is neither."""
        if os.path.lexists(self.folder / "result.json"):
            return RunState.DONE
        failure = run_files.failure_record(self.folder)
        return RunState(failure["state"]) if failure else None

    def _has_worker(self) -> bool:
        if self.where != LOCAL:
            return self.cluster_status().get("state") == RunState.RUNNING
        try:
            return is_locked(self.folder / "worker.lock")
        except OSError:
            return False

    def _set_aside(self) -> str:
        """Return the damage because of which no worker may start; empty if there is none.

        A run on a cluster goes on: these files are copies, which the next poll replaces.
        """
        return run_files.problem(self.folder, run_files.BEFORE_START) if self.where == LOCAL else ""

    def damage(self) -> str:
        """Return what is wrong with the files in the folder in one line; empty if nothing is."""
        return run_files.problem(self.folder)

    def cluster_status(self) -> dict[str, Any]:
        """Return ``cluster.json``: the last status that the keeper polled from a cluster."""
        return run_files.read(self.folder, "cluster.json", run_files.cluster_status) or {}

    @property
    def finished(self) -> bool:
        """True if the run is done, failed or cancelled; these states never change."""
        return self.state.final

    @property
    def cancel_requested(self) -> bool:
        """True if cancellation of the run was requested."""
        return os.path.lexists(self.folder / "cancel")

    @property
    def finish_requested(self) -> bool:
        """True if the run was asked to end early with a result."""
        return os.path.lexists(self.folder / "finish")

    @property
    def pause_requested(self) -> bool:
        """True if the run was asked to make room for others."""
        return os.path.lexists(self.folder / "pause")

    @property
    def interrupted(self) -> bool:
        """True if the run was interrupted and is waiting to be restarted."""
        return os.path.exists(self.folder / "progress.json") and self.state == RunState.QUEUED

    def failure(self) -> dict[str, Any] | None:
        """Return ``failure.json``, the reason for a failure or cancellation; otherwise None.

        A record that cannot be read, and damage because of which the run cannot start, are failures
        too.
        """
        failure = run_files.failure_record(self.folder)
        if failure is None and (damage := self._set_aside()):
            reason = f"{damage}: delete this file to start the run, or remove the run"
            return run_files.failed(reason, DAMAGED)
        return failure

    @property
    def error(self) -> str:
        """Short name of the error of a failed run, such as ``not-finite``; otherwise empty."""
        return one_line(self._ended_by("error"))

    @property
    def reason(self) -> str:
        """One-line reason for a failure or cancellation; otherwise empty."""
        return one_line(self._ended_by("reason"))

    def _ended_by(self, key: str) -> str:
        failure = self.failure() if self.state in (RunState.FAILED, RunState.CANCELLED) else None
        return failure[key] if failure else ""

    def progress(self) -> Progress | None:
        """Return the progress without the profiles; None before the run has started."""
        values = run_files.read(self.folder, "progress.json", run_files.progress)
        if values is None:
            return None
        from backend.sampling.result import Progress

        del values["updated"]
        return Progress(**values)

    def partial_profiles(self) -> SlitProfiles | None:
        """Return the profiles so far; None before there are any."""
        from backend.profiles.density import SlitProfiles

        try:
            return SlitProfiles.load(self.folder / "partial")
        except (OSError, ValueError):
            return None

    def partial_charge(self, profiles: SlitProfiles) -> ChargeProfile:
        """Return the charge and potential that follow from the profiles so far.

        Their errors are nan if the worker has not stored them.
        """
        return run_files.partial_charge(self.folder, self.system, profiles)

    def log_tail(self, lines: int = 20) -> list[str]:
        """Return the last lines of ``worker.log``."""
        return run_files.log_tail(self.folder, lines)

    def wait(
        self,
        timeout: float | None = None,
        on_progress: Callable[[Progress | None], None] | None = None,
        poll_seconds: float = 0.1,
    ) -> RunState:
        """Wait until the run has finished, or until the timeout (s); return the state.

        Unlike `backend.keeper.election.follow`, this does not make sure that a keeper is running.

        Raises
        ------
        DamagedRun
            The run has been removed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.finished:
            if on_progress:
                on_progress(self.progress())
            if deadline is not None and time.monotonic() >= deadline:
                break
            if not (self.folder / "run.json").exists():
                raise DamagedRun(f"run {self.id} has been removed")
            time.sleep(poll_seconds)
        return self.state

    # --- result -----------------------------------------------------------------------------

    def result(self) -> SimulationResult:
        """Return the result of a run that is done.

        Raises
        ------
        SimulationError
            The run failed; the message gives the reason.
        Cancelled
            The run was cancelled.
        DamagedRun
            The run has not finished, or its files are damaged.
        """
        from backend.sampling.result import Cancelled, SimulationError

        state = self.state
        if state == RunState.FAILED:
            raise SimulationError(self.reason, self.error)
        if state == RunState.CANCELLED:
            raise Cancelled(self.reason)
        if state != RunState.DONE:
            raise DamagedRun(f"run {self.id} is {state}: it has no result yet")
        try:
            return run_files.load_result(self.folder)
        except (OSError, ValueError) as error:
            line = f"the result in {self.folder} cannot be read ({one_line(str(error))})"
            raise DamagedRun(f"{line}: simulate the system again") from error

    def has_intact_result(self) -> bool:
        """Return True if the run is done and its result can be loaded."""
        from backend.sampling.result import Cancelled, SimulationError

        try:
            self.result()
        except (DamagedRun, SimulationError, Cancelled):
            return False
        return True

    @property
    def outcome(self) -> Outcome | None:
        """Main numbers of the result; None without a result."""
        known = self._outcome is not None and self._outcome.simulated_ns is not None
        if not known and self.state == RunState.DONE:
            self._outcome = (
                run_files.read(self.folder, "result.json", run_files.outcome) or Outcome()
            )
        return self._outcome

    @property
    def simulated_ns(self) -> float | None:
        """Production time of the result (ns); None without a result."""
        return None if self.outcome is None else self.outcome.simulated_ns

    @property
    def length_ns(self) -> float:
        """Length of the run (ns): the simulated time of a result, else the requested time."""
        simulated = self.simulated_ns
        return self.settings.duration_ns if simulated is None else simulated

    def has_result_files(self) -> bool:
        """Return True if all files of a result exist."""
        names = ("result.json", *run_files.PROFILES)
        return all(os.path.exists(self.folder / name) for name in names)

    # --- operations -------------------------------------------------------------------------

    def cancel(self) -> None:
        """Request cancellation; a local run without a worker is cancelled at once."""
        if self.finished:
            return
        (self.folder / "cancel").touch()
        if self.where == LOCAL:
            self.settle(RunState.CANCELLED, CANCELLED_REASON)

    def finish(self) -> None:
        """Request an early end with a result, as soon as there are enough blocks for error bars."""
        if not self.finished:
            (self.folder / "finish").touch()

    def pause(self) -> None:
        """Ask the worker to save a checkpoint and exit; the run is queued again."""
        (self.folder / "pause").touch()

    def share(self) -> None:
        """Record that somebody other than its owner also waits for the run."""
        (self.folder / "shared").touch()

    def rename(self, name: str) -> None:
        """Change the display name of the run."""
        write_text(self.folder / "name", name.strip() + "\n")

    def prioritise(self) -> None:
        """Move a run of a sweep to the interactive queue."""
        if self.queue != QUEUES[0]:
            (self.folder / "urgent").touch()

    def remove(self) -> None:
        """Delete the run and its folder.

        Raises
        ------
        DamagedRun
            The run is active and must be cancelled first.
        """
        if self.where != LOCAL and not self.finished:
            raise DamagedRun(f"run {self.id} is on cluster {self.where}: cancel it first")
        lock = Lock(self.folder / "worker.lock")
        # The worker of a finished run may need a moment to exit.
        if not lock.acquire(wait_seconds=5.0 if self.finished else 0.5):
            raise DamagedRun(f"run {self.id} is running: cancel it first")
        try:
            # Renamed first, so that no process finds an incomplete run.
            removed = self.folder.with_name(f".removed-{self.id}")
            os.rename(self.folder, removed)
        finally:
            lock.release()
        shutil.rmtree(removed, ignore_errors=True)

    def settle(self, state: RunState, reason: str, detail: str = "", error: str = "") -> bool:
        """End a run without a worker; return False if it has a worker or has finished."""
        lock = Lock(self.folder / "worker.lock")
        if not lock.acquire(LOOK_SECONDS):
            return False
        try:
            if self.finished:
                return False
            self.write_failure(state, reason, detail, error)
            return True
        finally:
            lock.release()

    def write_failure(
        self, state: RunState, reason: str, detail: str = "", error: str = ""
    ) -> None:
        """End the run without a result; the caller must hold its lock."""
        failure = {
            "state": state,
            "error": error,
            "reason": reason,
            "detail": detail,
            "time": now(),
        }
        write_json(self.folder / "failure.json", failure)
        self.remove_checkpoints()

    # --- checkpoints ------------------------------------------------------------------------

    @property
    def checkpoint_folder(self) -> Path:
        """Folder of the checkpoints of an unfinished run."""
        return self.folder / "checkpoint"

    def remove_checkpoints(self) -> None:
        """Remove the checkpoints of a finished run; the caller must hold its lock."""
        shutil.rmtree(self.checkpoint_folder, ignore_errors=True)

    # --- attempts ---------------------------------------------------------------------------

    def attempts(self) -> list[dict[str, Any]]:
        """Return the start time, host and, if known, outcome of every worker of this run."""
        return run_files.read(self.folder, "attempts.json", run_files.attempts) or []

    def crashes(self) -> int:
        """Return the number of workers that have crashed since the last restart of the computer."""
        boot = boot_id()
        return sum(
            1 for attempt in self.attempts() if attempt["ended"] is None and attempt["boot"] == boot
        )


def result_files() -> tuple[str, ...]:
    """Return the names of all files of a result except ``result.json``.

    Runs of earlier versions have fewer files.
    """
    from backend.sampling.result import SimulationResult

    return SimulationResult.FILES


def now() -> str:
    """Return the current UTC time in ISO 8601 format."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def boot_id(proc: Path = Path("/proc")) -> str:
    """Return an id that changes whenever this computer or container starts.

    Services of systemd may not see the first process (``ProtectProc=invisible``); their id changes
    only when the computer starts.
    """
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    try:
        # The start time of the first process; its name, in brackets, may contain any characters.
        started = (proc / "1/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return boot
    return f"{boot}-{started}"


def _request(folder: Path) -> dict[str, Any]:
    """Return the content of ``run.json``; raise `DamagedRun` if it is damaged."""
    try:
        return run_files.request(read_bytes(folder / "run.json"))
    except (OSError, ValueError) as error:
        raise _damaged(folder, in_words(error)) from error


def _inputs(folder: Path, request: dict[str, Any]) -> tuple[SlitSystem, RunSettings]:
    """Return the system and the settings of a request; raise `DamagedRun` if one is invalid."""
    from backend.settings import RunSettings
    from backend.system import SlitSystem

    try:
        system = SlitSystem.from_dict(request["system"])
        return system, RunSettings.from_dict(request["settings"])
    except (ValueError, TypeError, ArithmeticError) as error:
        raise _damaged(folder, f"has an invalid input, {one_line(str(error))}") from error


def _damaged(folder: Path, problem: str) -> DamagedRun:
    return DamagedRun(f"{folder}: run.json cannot be read: it {problem}")
