"""A run, as its folder tells it; see docs/run-folder.md."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.files import read_json, write_json, write_text
from backend.locks import Lock, is_locked
from backend.runs.state import RunState

# A worker takes its lock before it loads NumPy and SciPy, so they load only where they are used.
if TYPE_CHECKING:
    from backend.profiles.density import SlitProfiles
    from backend.sampling.result import Progress, SimulationResult
    from backend.settings import RunSettings
    from backend.system import SlitSystem

QUEUES = ("interactive", "sweep")
"""What somebody waits for, and what fills the rest of the computer's time."""

LOCAL = "local"

CANCELLED_REASON = "cancelled on request"


class DamagedRun(RuntimeError):
    """A run folder whose files cannot be read."""


class Run:
    """One run: what was asked for, how far it is, what came out.

    Parameters
    ----------
    folder : Path
        The run folder; it holds at least ``run.json``.

    Raises
    ------
    DamagedRun
        ``run.json`` cannot be read, or belongs to another folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.joined = False
        self._final: RunState | None = None
        self._simulated_ns: float | None = None
        try:
            self.request: dict[str, Any] = read_json(folder / "run.json")
            self.id: str = self.request["id"]
            self.inputs_hash: str = self.request["inputs_hash"]
            self.created: str = self.request["created"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedRun(f"{folder}: run.json cannot be read ({error!r})") from error

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.state}>"

    # --- what was asked for -----------------------------------------------------------------

    @property
    def name(self) -> str:
        """A name for people; may be empty."""
        try:
            return (self.folder / "name").read_text(encoding="utf-8").strip()
        except OSError:
            return self.request.get("name", "")

    @property
    def where(self) -> str:
        """``"local"`` or a cluster's name."""
        return self.request.get("where", LOCAL)

    @property
    def resources(self) -> dict[str, Any]:
        """What a run on a cluster asks of it: ``config``, ``cores``, ``minutes``; else empty."""
        return self.request.get("cluster", {})

    @property
    def version(self) -> str:
        """Version of whoever asked for the run."""
        return self.request.get("version", "")

    @property
    def queue(self) -> str:
        """The queue it waits in; a sweep's run that somebody waits for is interactive."""
        if (self.folder / "urgent").exists():
            return QUEUES[0]
        return self.request.get("queue", QUEUES[0])

    @cached_property
    def system(self) -> SlitSystem:
        """What is simulated."""
        from backend.system import SlitSystem

        return SlitSystem.from_dict(self.request["system"])

    @cached_property
    def settings(self) -> RunSettings:
        """How it is simulated."""
        from backend.settings import RunSettings

        return RunSettings.from_dict(self.request["settings"])

    # --- how far it is ----------------------------------------------------------------------

    @property
    def state(self) -> RunState:
        """State that the files show."""
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
        if self._at_work():
            return RunState.RUNNING
        # The worker may have finished between the first look and the last.
        if (self.folder / "result.json").exists():
            return RunState.DONE
        failure = self.failure()
        return RunState(failure["state"]) if failure else RunState.QUEUED

    def _at_work(self) -> bool:
        if self.where != LOCAL:
            return self.cluster_status().get("state") == RunState.RUNNING
        return is_locked(self.folder / "worker.lock")

    def cluster_status(self) -> dict[str, Any]:
        """``cluster.json``: how a run on a cluster is, as the keeper has last seen it."""
        return _read_json_if_there(self.folder / "cluster.json") or {}

    @property
    def finished(self) -> bool:
        """Whether the run is done, failed or cancelled: none of which ever changes again."""
        return self.state.final

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked for the run to be cancelled."""
        return (self.folder / "cancel").exists()

    @property
    def finish_requested(self) -> bool:
        """Whether somebody asked for the run to end early, with what had been simulated."""
        return (self.folder / "finish").exists()

    @property
    def interrupted(self) -> bool:
        """Whether the run was running, is not now, and will be started again."""
        return (self.folder / "progress.json").exists() and self.state == RunState.QUEUED

    def failure(self) -> dict[str, Any] | None:
        """``failure.json``: state, reason, detail, time; None unless failed or cancelled."""
        path = self.folder / "failure.json"
        failure = _read_json_if_there(path)
        if _is_failure(failure):
            return failure
        if path.exists():
            return {"state": RunState.FAILED, "reason": "failure.json cannot be read", "detail": ""}
        return None

    @property
    def error(self) -> str:
        """A short word for why the run failed, such as ``not-finite``; else empty."""
        failure = None if self.state == RunState.DONE else self.failure()
        return failure.get("error", "") if failure else ""

    @property
    def reason(self) -> str:
        """One line that says why the run failed or was cancelled; else empty."""
        failure = None if self.state == RunState.DONE else self.failure()
        return failure["reason"] if failure else ""

    def progress(self) -> Progress | None:
        """How far the run has come, without the profiles; None before it has begun."""
        from backend.sampling.result import Progress

        values = _read_json_if_there(self.folder / "progress.json")
        if values is None:
            return None
        values.pop("updated", None)
        return Progress(**values)

    def partial_profiles(self) -> SlitProfiles | None:
        """The profiles so far; None before there are any."""
        from backend.profiles.density import SlitProfiles

        try:
            return SlitProfiles.load(self.folder / "partial")
        except (OSError, ValueError):
            return None

    def log_tail(self, lines: int = 20) -> list[str]:
        """The worker's last lines."""
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
        """Wait until the run is over, or for so many seconds; returns the state.

        It only waits: `backend.runs.keeper.follow` also sees to it that there is a keeper.
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

    # --- what came out ----------------------------------------------------------------------

    def result(self) -> SimulationResult:
        """The result of a run that is done.

        Raises
        ------
        SimulationError
            The run failed; the message is its reason.
        Cancelled
            The run was cancelled.
        DamagedRun
            The run is not over yet, or its files are damaged.
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
    def simulated_ns(self) -> float | None:
        """Production time that the result comes from (ns); None where there is no result."""
        if self._simulated_ns is None and self.state == RunState.DONE:
            self._simulated_ns = self._read_simulated_ns()
        return self._simulated_ns

    def _read_simulated_ns(self) -> float | None:
        result = _read_json_if_there(self.folder / "result.json")
        try:
            return float(result["summary"]["simulated_ns"])
        except (KeyError, TypeError, ValueError):
            return None  # damaged, or of an earlier version

    @property
    def length_ns(self) -> float:
        """Length of the run (ns): the simulated one of a result, else the one asked for."""
        simulated = self.simulated_ns
        return self.settings.duration_ns if simulated is None else simulated

    def has_result_files(self) -> bool:
        """Whether all files of a result are there."""
        return all((self.folder / name).exists() for name in ["result.json", *profile_files()])

    # --- what one can do with it ------------------------------------------------------------

    def cancel(self) -> None:
        """Ask for the run to end; one that no worker has begun ends at once."""
        if self.finished:
            return
        (self.folder / "cancel").touch()
        if self.where == LOCAL:
            self.settle(RunState.CANCELLED, CANCELLED_REASON)

    def finish(self) -> None:
        """Ask for the run to end with what has been simulated, as soon as that has error bars."""
        if not self.finished:
            (self.folder / "finish").touch()

    def rename(self, name: str) -> None:
        """Give the run another name, for people."""
        write_text(self.folder / "name", name.strip() + "\n")

    def hurry(self) -> None:
        """Let a sweep's run be started with those that somebody waits for."""
        if self.queue != QUEUES[0]:
            (self.folder / "urgent").touch()

    def remove(self) -> None:
        """Delete the run and its folder.

        Raises
        ------
        DamagedRun
            The run is running: it has to be cancelled first.
        """
        if self.where != LOCAL and not self.finished:
            raise DamagedRun(f"run {self.id} is on cluster {self.where}: cancel it first")
        lock = Lock(self.folder / "worker.lock")
        # The worker of a run that is over may need a moment to leave.
        if not lock.acquire(wait_seconds=5.0 if self.finished else 0.5):
            raise DamagedRun(f"run {self.id} is running: cancel it first")
        try:
            # Renamed first, so that nobody finds half a run.
            doomed = self.folder.with_name(f".removed-{self.id}")
            os.rename(self.folder, doomed)
        finally:
            lock.release()
        shutil.rmtree(doomed, ignore_errors=True)

    def settle(self, state: RunState, reason: str, detail: str = "", error: str = "") -> bool:
        """End a run that no worker has; False when one has it, or it is over already."""
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
        """End the run without a result; only for whoever holds its lock."""
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
        """What an interrupted run goes on from; gone when it is over."""
        return self.folder / "checkpoint"

    def remove_checkpoints(self) -> None:
        """Remove what a run that is over needs no more; only for whoever holds its lock."""
        shutil.rmtree(self.checkpoint_folder, ignore_errors=True)

    # --- how often it was tried -------------------------------------------------------------

    def attempts(self) -> list[dict[str, Any]]:
        """When and where workers began this run, and how each of them ended, where known."""
        return _read_json_if_there(self.folder / "attempts.json") or []

    def crashes(self) -> int:
        """Workers that died without a word; those that went down with the computer do not count."""
        boot = boot_id()
        return sum(
            1 for attempt in self.attempts() if attempt["ended"] is None and attempt["boot"] == boot
        )


def profile_files() -> list[str]:
    """Names of the files that hold the profiles of a result."""
    from backend.profiles.density import SlitProfiles

    return [name for pair in SlitProfiles.FILES.values() for name in pair]


def result_files() -> tuple[str, ...]:
    """Names of all files of a result but ``result.json``; runs of earlier versions have fewer."""
    from backend.sampling.result import SimulationResult

    return SimulationResult.FILES


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def boot_id() -> str:
    """Tells one start of this computer, or of this container, from the next."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # When the first process started; its name, in brackets, may contain anything.
        started = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
    return f"{boot}-{started}"


def _is_failure(content: Any) -> bool:
    """Check what ``failure.json`` holds: the state must be one that a failed run can have."""
    return isinstance(content, dict) and content.get("state") in (
        RunState.FAILED,
        RunState.CANCELLED,
    )


def _read_json_if_there(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None
