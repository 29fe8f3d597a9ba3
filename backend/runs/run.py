"""A run and its folder; docs/run-folder.md describes the files."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.files import read_json, write_json, write_text
from backend.locks import Lock, is_locked
from backend.runs.run_state import RunState

# A worker acquires its lock before it loads NumPy and SciPy, so functions import them when needed.
if TYPE_CHECKING:
    from backend.profiles.charge import ChargeProfile
    from backend.profiles.density import SlitProfiles
    from backend.sampling.result import Progress, SimulationResult
    from backend.settings import RunSettings
    from backend.system import SlitSystem

QUEUES = ("interactive", "sweep")
"""Queues in order of priority: runs that a user is waiting for, and runs of a sweep."""

LOCAL = "local"

CANCELLED_REASON = "cancelled on request"


class DamagedRun(RuntimeError):
    """Raised if a run folder cannot be read, or if its state does not allow an operation."""


@dataclass(frozen=True)
class Outcome:
    """Main numbers of a result; None where they are damaged or an earlier version has none.

    Attributes
    ----------
    simulated_ns : float or None
        Production time (ns).
    median_relative_error : float or None
        Median relative standard error of the profile.
    converged : bool or None
        True if the run has converged.
    """

    simulated_ns: float | None = None
    median_relative_error: float | None = None
    converged: bool | None = None


class Run:
    """One run: its request, its progress and its result.

    Parameters
    ----------
    folder : Path
        The run folder, which holds at least ``run.json``.

    Raises
    ------
    DamagedRun
        ``run.json`` cannot be read, or belongs to another folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.joined = False
        self._final: RunState | None = None
        self._outcome: Outcome | None = None
        try:
            self.request: dict[str, Any] = read_json(folder / "run.json")
            self.id: str = self.request["id"]
            self.inputs_hash: str = self.request["inputs_hash"]
            self.created: str = self.request["created"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedRun(f"{folder}: run.json cannot be read ({error!r})") from error

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.state}>"

    # --- request ----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name for display; may be empty."""
        try:
            return (self.folder / "name").read_text(encoding="utf-8").strip()
        except OSError:
            return self.request.get("name", "")

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
        if (self.folder / "urgent").exists():
            return QUEUES[0]
        return self.request.get("queue", QUEUES[0])

    @cached_property
    def system(self) -> SlitSystem:
        """The simulated system."""
        from backend.system import SlitSystem

        return SlitSystem.from_dict(self.request["system"])

    @cached_property
    def settings(self) -> RunSettings:
        """Settings of the run."""
        from backend.settings import RunSettings

        return RunSettings.from_dict(self.request["settings"])

    # --- state and progress -----------------------------------------------------------------

    @property
    def state(self) -> RunState:
        """State of the run, which follows from the files in its folder."""
        if self._final is None:
            state = self._read_state()
            if not state.final:
                return state
            self._final = state
        return self._final

    def _read_state(self) -> RunState:
        if (self.folder / "result.json").exists():
            return RunState.DONE
        failure = self.failure()
        if failure:
            return RunState(failure["state"])
        if self._has_worker():
            return RunState.RUNNING
        # The worker may have finished since the first check.
        if (self.folder / "result.json").exists():
            return RunState.DONE
        failure = self.failure()
        return RunState(failure["state"]) if failure else RunState.QUEUED

    def _has_worker(self) -> bool:
        if self.where != LOCAL:
            return self.cluster_status().get("state") == RunState.RUNNING
        return is_locked(self.folder / "worker.lock")

    def cluster_status(self) -> dict[str, Any]:
        """Return ``cluster.json``: the last status that the keeper polled from a cluster."""
        return _read_json_if_there(self.folder / "cluster.json") or {}

    @property
    def finished(self) -> bool:
        """True if the run is done, failed or cancelled; these states never change."""
        return self.state.final

    @property
    def cancel_requested(self) -> bool:
        """True if cancellation of the run was requested."""
        return (self.folder / "cancel").exists()

    @property
    def finish_requested(self) -> bool:
        """True if the run was asked to end early with a result."""
        return (self.folder / "finish").exists()

    @property
    def interrupted(self) -> bool:
        """True if the run was interrupted and is waiting to be restarted."""
        return (self.folder / "progress.json").exists() and self.state == RunState.QUEUED

    def failure(self) -> dict[str, Any] | None:
        """Return ``failure.json``, the reason for a failure or cancellation; otherwise None."""
        path = self.folder / "failure.json"
        failure = _read_json_if_there(path)
        if _is_failure(failure):
            return failure
        if path.exists():
            return {"state": RunState.FAILED, "reason": "failure.json cannot be read", "detail": ""}
        return None

    @property
    def error(self) -> str:
        """Short name of the error of a failed run, such as ``not-finite``; otherwise empty."""
        failure = None if self.state == RunState.DONE else self.failure()
        return failure.get("error", "") if failure else ""

    @property
    def reason(self) -> str:
        """One-line reason for a failure or cancellation; otherwise empty."""
        failure = None if self.state == RunState.DONE else self.failure()
        return failure["reason"] if failure else ""

    def progress(self) -> Progress | None:
        """Return the progress without the profiles; None before the run has started."""
        from backend.sampling.result import Progress

        values = _read_json_if_there(self.folder / "progress.json")
        if values is None:
            return None
        values.pop("updated", None)
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
        from backend.profiles.charge import ChargeProfile

        charge = ChargeProfile.of(self.system, profiles)
        try:
            text = (self.folder / "partial" / charge.FILE).read_text(encoding="utf-8")
            return charge.with_errors(text)
        except (OSError, ValueError):
            return charge

    def log_tail(self, lines: int = 20) -> list[str]:
        """Return the last lines of ``worker.log``."""
        try:
            with open(self.folder / "worker.log", "rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - 200 * lines - 4096))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return []
        return text.splitlines()[-lines:] if lines > 0 else []

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
        from backend.sampling.result import Cancelled, SimulationError, SimulationResult

        state = self.state
        if state == RunState.FAILED:
            raise SimulationError(self.reason, self.error)
        if state == RunState.CANCELLED:
            raise Cancelled(self.reason)
        if state != RunState.DONE:
            raise DamagedRun(f"run {self.id} is {state}: it has no result yet")
        try:
            return SimulationResult.load(self.folder)
        except (OSError, ValueError, KeyError) as error:
            raise DamagedRun(f"the result in {self.folder} cannot be read ({error!r})") from error

    @property
    def outcome(self) -> Outcome | None:
        """Main numbers of the result; None without a result."""
        known = self._outcome is not None and self._outcome.simulated_ns is not None
        if not known and self.state == RunState.DONE:
            self._outcome = _outcome(_read_json_if_there(self.folder / "result.json"))
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
        return all((self.folder / name).exists() for name in ["result.json", *profile_files()])

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
        if not lock.acquire():
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
        return _read_json_if_there(self.folder / "attempts.json") or []

    def crashes(self) -> int:
        """Return the number of workers that have crashed since the last restart of the computer."""
        boot = boot_id()
        return sum(
            1 for attempt in self.attempts() if attempt["ended"] is None and attempt["boot"] == boot
        )


def profile_files() -> list[str]:
    """Return the names of the files with the profiles of a result."""
    from backend.profiles.density import SlitProfiles

    return [name for pair in SlitProfiles.FILES.values() for name in pair]


def result_files() -> tuple[str, ...]:
    """Return the names of all files of a result except ``result.json``.

    Runs of earlier versions have fewer files.
    """
    from backend.sampling.result import SimulationResult

    return SimulationResult.FILES


def now() -> str:
    """Return the current UTC time in ISO 8601 format."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def boot_id() -> str:
    """Return an id that changes whenever this computer or container starts."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The start time of the first process; its name, in brackets, may contain any characters.
        started = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
    return f"{boot}-{started}"


def _is_failure(content: Any) -> bool:
    """Return True if ``failure.json`` holds the state of a failed or cancelled run."""
    return isinstance(content, dict) and content.get("state") in (
        RunState.FAILED,
        RunState.CANCELLED,
    )


def _outcome(result: Any) -> Outcome:
    """Read the main numbers from the content of ``result.json``."""
    summary = result.get("summary") if isinstance(result, dict) else None
    if not isinstance(summary, dict):
        return Outcome()
    convergence = summary.get("convergence")
    converged = convergence.get("converged") if isinstance(convergence, dict) else None
    return Outcome(
        _number(summary.get("simulated_ns")),
        _number(summary.get("median_relative_error")),
        converged if isinstance(converged, bool) else None,
    )


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _read_json_if_there(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None
