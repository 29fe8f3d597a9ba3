"""Archive of all runs and results, which pages, commands and the keeper share."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend import RESULTS_VERSION, __version__
from backend.engines import registry
from backend.environment import default_folder, user_path
from backend.files import FULL, check_room, write_json
from backend.inputs import check_text, shown
from backend.locks import Lock
from backend.runs.run import LOCAL, QUEUES, DamagedRun, Run, now
from backend.runs.run_files import RUN_ID
from backend.runs.run_state import RunState

if TYPE_CHECKING:
    from backend.settings import RunSettings
    from backend.system import SlitSystem

__all__ = [
    "Archive",
    "DamagedFolder",
    "Run",
    "UnknownRun",
    "UnusableHome",
    "default_home",
    "inputs_hash",
]

LEFTOVER_SECONDS = 3600.0


RESUMABLE_ERRORS = ("time-limit", "node-failed", "preempted", "interrupted", "job-lost")
"""Errors that leave a checkpoint on the cluster, from which an identical run can resume."""

NOT_ACCEPTED = (
    "cluster-config",
    "ssh-config",
    "host-key",
    "login",
    "key-file",
    "login-shell",
    "python",
    "worker-start",
    "disk-full",
    "work-dir",
    "slurm-missing",
    "slurm-refused",
    "submit-missing",
    "submit-refused",
    "answer-refused",
)
"""Errors of runs that a cluster never accepted; they recur until its entry, its host or the login
is corrected."""

QUIET_SECONDS = 1.0
"""Age above which a folder's unchanged timestamp proves that its content is unchanged (s)."""


class UnknownRun(KeyError):
    """Raised for an id that matches no run of the archive, or more than one."""

    def __str__(self) -> str:
        return str(self.args[0])


class UnusableHome(OSError):
    """Raised if the archive folder cannot be created or written to; the message gives a remedy."""


@dataclass(frozen=True)
class DamagedFolder:
    """Folder with the name of a run that cannot be read as one, and is set aside.

    Attributes
    ----------
    path : Path
        The folder.
    reason : str
        What is wrong with it, in one line.
    """

    path: Path
    reason: str

    @property
    def id(self) -> str:
        """Name of the folder, which is the id of the run."""
        return self.path.name


def default_home() -> Path:
    """Return the archive folder: ``NANOCONF_HOME``, or ``nanoconf`` in the user's data folder."""
    chosen = os.environ.get("NANOCONF_HOME")
    if chosen is not None:
        return user_path("NANOCONF_HOME", chosen).absolute()
    return default_folder("data", "NANOCONF_HOME")


def inputs_hash(system: SlitSystem, settings: RunSettings) -> str:
    """Return a hash of inputs and engine; requests with equal hashes share a result."""
    from backend.system import canonical_hash

    return canonical_hash(
        {
            "system": _canonical(system.key()),
            "settings": _canonical(settings.for_system(system).to_dict()),
            "version": RESULTS_VERSION,
        }
    )


def _system_key(values: dict[str, Any]) -> str:
    """Return a hash that is the same for equal systems."""
    from backend.system import canonical_hash

    return canonical_hash(_canonical(values))


def _canonical(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with whole floats as integers, so that 5 and 5.0 have the same hash."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in values.items()
    }


class Archive:
    """Runs in one home folder. Cheap to create and safe to share between threads.

    Parameters
    ----------
    home : Path, optional
        Home folder; by default `default_home`. Created when the first run is submitted.
    """

    def __init__(self, home: str | Path | None = None):
        self.home = default_home() if home is None else user_path("home", home).absolute()
        self.folder = self.home / "runs"
        self._known: dict[str, Run] = {}
        self._by_hash: dict[str, list[Run]] = {}
        self._by_system: dict[str, list[Run]] = {}
        self._damaged: dict[str, DamagedFolder] = {}
        self._examined: dict[str, tuple[int, ...]] = {}
        self._stamp: int | None = None
        self._guard = threading.Lock()

    # --- finding runs -----------------------------------------------------------------------

    def runs(self) -> list[Run]:
        """Return all runs, newest first, excluding incomplete, foreign and damaged folders."""
        with self._guard:
            self._refresh()
            return sorted(self._known.values(), key=lambda run: (run.created, run.id), reverse=True)

    def damaged(self) -> list[DamagedFolder]:
        """Return the folders with the name of a run that are set aside because they are damaged."""
        with self._guard:
            self._refresh()
            return sorted(self._damaged.values(), key=lambda folder: folder.id)

    def get(self, run_id: str) -> Run:
        """Return the run with this id, or with an id that starts with it.

        Raises
        ------
        UnknownRun
            There is no such run, or more than one.
        """
        if not re.fullmatch("[0-9a-f]{1,32}", run_id):
            raise UnknownRun(f"{shown(run_id, quoted=True)} is not a run ID")
        if RUN_ID.fullmatch(run_id) and run_id not in self._known:
            run = self._read(run_id)
            if isinstance(run, Run):
                return run
            raise self._unknown(run_id)
        found = [run for run in self.runs() if run.id.startswith(run_id)]
        if len(found) > 1:
            raise UnknownRun(f"{len(found)} run IDs start with {run_id} in {self.home}")
        if not found:
            raise self._unknown(run_id)
        return found[0]

    def _unknown(self, run_id: str) -> UnknownRun:
        for folder in self.damaged():
            if folder.id.startswith(run_id):
                line = f"run {folder.id} is damaged ({folder.reason}): restore or delete"
                return UnknownRun(f"{line} {folder.path}")
        return UnknownRun(f"there is no run {run_id} in {self.home}")

    def find(self, key: str, where: str | None = None) -> Run | None:
        """Return the best run with this `inputs_hash`: one that is done, or the oldest active one.

        Parameters
        ----------
        key : str
            Value of `inputs_hash`.
        where : str, optional
            Location of an active run, ``"local"`` or the name of a cluster; by default any.

        Returns
        -------
        Run or None
            None if no run has this hash.
        """
        candidates = self._with_hash(key)
        usable = [run for run in candidates if _answers(run)]
        if where is not None:
            usable = [run for run in usable if run.state == RunState.DONE or run.where == where]
        return min(usable, key=lambda run: (run.state != RunState.DONE, run.created), default=None)

    def best_result(self, system: SlitSystem, settings: RunSettings) -> Run | None:
        """Return a completed run of the system: one with the same settings, else the longest.

        Runs of unequal ions whose time step was based on the positive ion are skipped.
        """
        key = inputs_hash(system, settings)
        with self._guard:
            self._refresh()
            found = list(self._by_system.get(_system_key(system.to_dict()), ()))
        done = [
            run
            for run in found
            if run.state == RunState.DONE and run.has_result_files() and _follows_smaller_ion(run)
        ]
        done.sort(
            key=lambda run: (run.inputs_hash == key and not run.finish_requested, run.length_ns),
            reverse=True,
        )
        return next((run for run in done if run.has_intact_result()), None)

    def _with_hash(self, key: str) -> list[Run]:
        with self._guard:
            self._refresh()
            return list(self._by_hash.get(key, ()))

    def _unfinished(self, key: str, where: str) -> str:
        """Return the id of the last identical run on a cluster if it left a checkpoint, or "".

        Runs that the cluster did not accept are ignored, because they left no checkpoint.
        """
        equal = [run for run in self._with_hash(key) if run.where == where and run.finished]
        accepted = [run for run in equal if run.error not in NOT_ACCEPTED]
        last = max(accepted, key=lambda run: run.created, default=None)
        return last.id if last is not None and last.error in RESUMABLE_ERRORS else ""

    def _refresh(self) -> None:
        """Update the list of runs; ``run.json`` never changes, so an intact one is read once."""
        names = self._names()
        for name in self._known.keys() - names:
            gone = self._known.pop(name)
            self._by_hash[gone.inputs_hash].remove(gone)
            self._by_system[_system_key(gone.request["system"])].remove(gone)
        for name in self._damaged.keys() - names:
            del self._damaged[name]
            self._examined.pop(name, None)
        for name in names - self._known.keys():
            self._examine(name)

    def _names(self) -> set[str]:
        """Return the names of all folders of runs, which are listed only after a change."""
        try:
            stamp = os.stat(self.folder).st_mtime_ns
            if stamp == self._stamp:
                return {*self._known, *self._damaged}
            names = {name for name in os.listdir(self.folder) if RUN_ID.fullmatch(name)}
        except (FileNotFoundError, NotADirectoryError):
            stamp, names = 0, set()
        # A folder that has just changed may change again without a new timestamp.
        self._stamp = stamp if _quiet(stamp) else None
        return names

    def _examine(self, name: str) -> None:
        """Add a folder to the runs or to the damaged folders; skip an unchanged damaged one."""
        stamps = _stamps(self.folder / name)
        if not stamps or self._examined.get(name) == stamps:  # removed, or as it was
            return
        run = self._read(name)
        if isinstance(run, DamagedFolder):
            self._damaged[name] = run
            if _quiet(max(stamps)):  # else it may still be being copied
                self._examined[name] = stamps
            return
        self._damaged.pop(name, None)
        self._known[name] = run
        self._by_hash.setdefault(run.inputs_hash, []).append(run)
        self._by_system.setdefault(_system_key(run.request["system"]), []).append(run)

    def _read(self, name: str) -> Run | DamagedFolder:
        folder = self.folder / name
        if not os.path.isdir(folder):
            return DamagedFolder(folder, "it is not a folder")
        try:
            run = Run(folder)
        except DamagedRun as error:
            return DamagedFolder(folder, str(error).removeprefix(f"{folder}: "))
        if run.id != name:
            return DamagedFolder(folder, f"run.json belongs to run {run.id}")
        return run

    # --- submitting runs --------------------------------------------------------------------

    def submit(
        self,
        system: SlitSystem,
        settings: RunSettings,
        *,
        name: str = "",
        owner: str = "",
        queue: str = QUEUES[0],
        where: str = LOCAL,
        cluster: Mapping[str, Any] | None = None,
        reuse: bool = True,
        admit: Callable[[], object] = lambda: None,
    ) -> Run:
        """Submit a run. The keeper starts it: see `backend.keeper.election.ensure_keeper`.

        Parameters
        ----------
        system, settings
            The system to simulate and the settings of the run.
        name : str
            Name, for display.
        owner : str
            Hash that identifies the browser of the page that submits the run; empty for commands.
            Everyone who can read the run folder can read it, so it must not be the browser's key.
        queue : {"interactive", "sweep"}
            Runs of a sweep start after interactive runs and run at a lower priority.
        where : str
            ``"local"``, or the name of a cluster.
        cluster : mapping, optional
            Resources of a run on a cluster: ``config`` (its configuration file), ``cores`` and
            ``minutes``.
        reuse : bool
            Return an identical run that is done, running or queued, if there is one, with `joined`
            set to True, instead of a new run.

        Returns
        -------
        Run

        Raises
        ------
        UnusableHome
            The archive folder cannot be written to, or the disk is full.
        InvalidInput
            The run cannot save that many snapshots, its name is not one line of text, or its
            engine cannot be executed on this computer.
        """
        from backend.sampling.trajectory import check_snapshots

        settings = settings.for_system(system)
        check_snapshots(system, settings)
        check_text("name", name)
        if queue not in QUEUES:
            raise ValueError(f"queue = {queue!r}: must be one of {', '.join(QUEUES)}")
        if (where == LOCAL) != (cluster is None):
            raise ValueError(
                "cluster: required for a run on a cluster, not allowed for a local run"
            )
        key = inputs_hash(system, settings)
        with self.submission_lock():
            same = self.find(key, where) if reuse else None
            if same is not None:
                return self._join(same, queue, owner)
            admit()
            request = {
                "id": secrets.token_hex(16),
                "created": now(),
                "name": name,
                "owner": owner,
                "queue": queue,
                "where": where,
                "system": system.to_dict(),
                "settings": settings.to_dict(),
                "inputs_hash": key,
                "version": __version__,
            }
            if cluster is not None:
                request["cluster"] = dict(cluster)
                request["continues"] = self._unfinished(key, where)
            else:
                registry.get(settings.engine).check()
            return Run(self._make_folder(request))

    def _join(self, run: Run, queue: str, owner: str) -> Run:
        if queue == QUEUES[0] and not run.finished:
            run.prioritise()
            if owner != run.owner:
                run.share()
        joined = Run(run.folder)
        joined.joined = True
        return joined

    def _make_folder(self, request: dict) -> Path:
        """Create a run folder that is complete when it appears under its name."""
        self.check_room()
        folder = self.folder / request["id"]
        incomplete = self.folder / f".new-{request['id']}"
        try:
            incomplete.mkdir()
            write_json(incomplete / "run.json", request)
            os.rename(incomplete, folder)
        except OSError as error:
            shutil.rmtree(incomplete, ignore_errors=True)
            raise self._unusable(error) from error
        return folder

    def submission_lock(self) -> Lock:
        """Return the lock to hold while submitting a run or deciding whether the keeper exits."""
        self.prepare()
        return Lock(self.home / "submit.lock")

    def prepare(self) -> None:
        """Create the folders and check that they are writable.

        Raises
        ------
        UnusableHome
            The folders cannot be created or written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.home / "submit.lock", os.O_RDWR | os.O_CREAT, 0o644))
        except OSError as error:
            raise self._unusable(error) from error

    def check_room(self) -> None:
        """Check that the disk has room for a run.

        Raises
        ------
        UnusableHome
            The disk or the quota is full, or the archive folder cannot be written to.
        """
        try:
            check_room(self.home)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> UnusableHome:
        problem = error.strerror or str(error)
        advice = "choose another with NANOCONF_HOME"
        if error.errno in FULL:
            advice = f"free some space, or {advice}"
        return UnusableHome(
            f"the archive folder {self.home} cannot be written to ({problem}): {advice}"
        )

    def remove_leftovers(self) -> None:
        """Remove folders that a crash left half created or half removed."""
        for folder in self.folder.glob(".*"):
            if not folder.name.startswith((".new-", ".removed-")):
                continue
            try:
                old = time.time() - folder.stat().st_mtime > LEFTOVER_SECONDS
            except OSError:
                continue
            if old:
                shutil.rmtree(folder, ignore_errors=True)


def _quiet(stamp: int) -> bool:
    """Return True if a timestamp (ns) is so old that its file has not changed since."""
    return time.time() - stamp / 1e9 > QUIET_SECONDS


def _stamps(folder: Path) -> tuple[int, ...]:
    """Return timestamps that change whenever a folder or its ``run.json`` does."""
    found = []
    for path in (folder, folder / "run.json"):
        for read in (os.lstat, os.stat):
            with contextlib.suppress(OSError):
                found.append(read(path).st_ctime_ns)
    return tuple(found)


def _follows_smaller_ion(run: Run) -> bool:
    """Return True if the time step of a run was based on the smaller ion, according to its key."""
    if run.system.diameter_ratio == 1:
        return True
    return run.inputs_hash == inputs_hash(run.system, run.settings)


def _answers(run: Run) -> bool:
    """Return True if a run has, or will have, a result that satisfies an identical request."""
    state = run.state
    if state == RunState.DONE:
        return not run.finish_requested and run.has_intact_result()
    if run.version != __version__:  # workers refuse it
        return False
    return state not in (RunState.FAILED, RunState.CANCELLED) and not run.cancel_requested
