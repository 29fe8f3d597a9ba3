"""Every run and its result: the folder that pages, commands and the keeper share."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend import __version__
from backend.files import write_json
from backend.locks import Lock
from backend.runs.run import LOCAL, QUEUES, DamagedRun, Run, now
from backend.runs.state import RunState

if TYPE_CHECKING:
    from backend.settings import RunSettings
    from backend.system import SlitSystem

__all__ = ["Archive", "Run", "UnknownRun", "UnusableHome", "default_home", "inputs_hash"]

RUN_ID = re.compile(r"[0-9a-f]{32}")
LEFTOVER_SECONDS = 3600.0

GO_ON = ("time-limit", "node-failed", "preempted", "interrupted", "job-lost")
"""Errors of runs on clusters that leave a checkpoint there, which an equal run goes on from."""

UNUSABLE = (
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
)
"""Errors of runs that their cluster never took; they stay until somebody corrects its entry, its
host or the login."""

QUIET_SECONDS = 1.0
"""A folder untouched for so long shows by its time stamp that it is as it was."""


class UnknownRun(KeyError):
    """No run of the archive has this id."""

    def __str__(self) -> str:
        return str(self.args[0])


class UnusableHome(OSError):
    """The folder of the archive cannot be made or written; the message says what to do."""


def default_home() -> Path:
    """The folder of the archive: ``NANOCONF_HOME``, or nanoconf in the user's data folder."""
    chosen = os.environ.get("NANOCONF_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("nanoconf"))


def inputs_hash(system: SlitSystem, settings: RunSettings, version: str = __version__) -> str:
    """What two requests share when one result answers both: inputs, engine and version."""
    from backend.system import canonical_hash

    return canonical_hash(
        {
            "system": _canonical(system.key()),
            "settings": _canonical(settings.to_dict()),
            "version": version,
        }
    )


def _system_key(values: dict[str, Any]) -> str:
    """What equal systems share."""
    from backend.system import canonical_hash

    return canonical_hash(_canonical(values))


def _canonical(values: dict[str, Any]) -> dict[str, Any]:
    """The same for 5 as for 5.0."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in values.items()
    }


class Archive:
    """The runs below one home folder. Cheap to make, safe to share among threads.

    Parameters
    ----------
    home : Path, optional
        The folder; `default_home` where it is left out. Made when the first run is submitted.
    """

    def __init__(self, home: str | Path | None = None):
        self.home = default_home() if home is None else Path(home).expanduser().absolute()
        self.folder = self.home / "runs"
        self._known: dict[str, Run] = {}
        self._by_hash: dict[str, list[Run]] = {}
        self._by_system: dict[str, list[Run]] = {}
        self._stamp: int | None = None
        self._guard = threading.Lock()

    # --- looking ----------------------------------------------------------------------------

    def runs(self) -> list[Run]:
        """All runs, newest first. What is not a run (half made, foreign, damaged) is left out."""
        with self._guard:
            self._refresh()
            return sorted(self._known.values(), key=lambda run: (run.created, run.id), reverse=True)

    def get(self, run_id: str) -> Run:
        """The run with this id, or whose id begins so.

        Raises
        ------
        UnknownRun
            There is none, or more than one.
        """
        if not re.fullmatch("[0-9a-f]{1,32}", run_id):
            raise UnknownRun(f"{run_id!r} is not the id of a run")
        if RUN_ID.fullmatch(run_id) and run_id not in self._known:
            try:
                return Run(self.folder / run_id)
            except DamagedRun:
                raise UnknownRun(f"there is no run {run_id} in {self.home}") from None
        found = [run for run in self.runs() if run.id.startswith(run_id)]
        if len(found) != 1:
            problem = "there is no run" if not found else f"{len(found)} runs begin with"
            raise UnknownRun(f"{problem} {run_id} in {self.home}")
        return found[0]

    def find(self, key: str, where: str | None = None) -> Run | None:
        """The best run for an `inputs_hash`: done anywhere, else running, else queued; or None.

        Parameters
        ----------
        key : str
        where : str, optional
            Where a run must be to be worth waiting for; anywhere, if left out.
        """
        candidates = self._with_hash(key)
        usable = [run for run in candidates if _answers(run)]
        if where is not None:
            usable = [run for run in usable if run.state == RunState.DONE or run.where == where]
        return min(usable, key=lambda run: (run.state != RunState.DONE, run.created), default=None)

    def best_result(self, system: SlitSystem, settings: RunSettings) -> Run | None:
        """A run of the system that is done: one that answers the settings, else the longest.

        Runs of unequal ions whose time step followed the positive ion are passed over.
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
        return max(
            done,
            key=lambda run: (run.inputs_hash == key and _answers(run), run.length_ns),
            default=None,
        )

    def ahead_of(self, run: Run) -> int:
        """How many runs wait before it for a processor of this computer."""
        return sum(
            other.where == LOCAL
            and other.created < run.created
            and other.queue == QUEUES[0]
            and other.state == RunState.QUEUED
            for other in self.runs()
        )

    def _with_hash(self, key: str) -> list[Run]:
        with self._guard:
            self._refresh()
            return list(self._by_hash.get(key, ()))

    def _unfinished(self, key: str, where: str) -> str:
        """The last equal run on a cluster if it stopped half-way, so that another may go on.

        One that the cluster did not take left things as they were.
        """
        equal = [run for run in self._with_hash(key) if run.where == where and run.finished]
        taken = [run for run in equal if run.error not in UNUSABLE]
        last = max(taken, key=lambda run: run.created, default=None)
        return last.id if last is not None and last.error in GO_ON else ""

    def _refresh(self) -> None:
        """Learn of runs that came and went; ``run.json`` never changes, so it is read once."""
        try:
            stamp = os.stat(self.folder).st_mtime_ns
            if stamp == self._stamp:
                return
            names = {name for name in os.listdir(self.folder) if RUN_ID.fullmatch(name)}
        except (FileNotFoundError, NotADirectoryError):
            stamp, names = 0, set()
        # A folder that changed just now may change again without a later time stamp.
        self._stamp = stamp if time.time() - stamp / 1e9 > QUIET_SECONDS else None
        for name in self._known.keys() - names:
            gone = self._known.pop(name)
            self._by_hash[gone.inputs_hash].remove(gone)
            self._by_system[_system_key(gone.request["system"])].remove(gone)
        for name in names - self._known.keys():
            try:
                run = Run(self.folder / name)
            except DamagedRun:
                self._stamp = None  # perhaps somebody is still copying it here
                continue
            if run.id == name:  # else somebody's copy of a run folder
                self._known[name] = run
                self._by_hash.setdefault(run.inputs_hash, []).append(run)
                key = _system_key(run.request["system"])
                self._by_system.setdefault(key, []).append(run)

    # --- asking for runs --------------------------------------------------------------------

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
    ) -> Run:
        """Ask for a run. It is started by the keeper: see `backend.keeper.election.ensure_keeper`.

        Parameters
        ----------
        system, settings
            What to simulate, and how.
        name, owner : str
            For people.
        queue : {"interactive", "sweep"}
            Runs of a sweep wait for interactive ones, and give way to them.
        where : str
            ``"local"``, or a cluster's name.
        cluster : mapping, optional
            What a run on a cluster asks of it: ``config`` (the file that describes it), ``cores``
            and ``minutes``.
        reuse : bool
            An equal run that is done, running or queued is returned (its `joined` is True)
            instead of a new one.

        Raises
        ------
        UnusableHome
            The archive's folder cannot be written.
        InvalidInput
            More snapshots than there may be.
        """
        from backend.sampling.trajectory import check_snapshots

        check_snapshots(system, settings)
        if queue not in QUEUES:
            raise ValueError(f"queue = {queue!r}: must be one of {', '.join(QUEUES)}")
        if (where == LOCAL) != (cluster is None):
            raise ValueError("cluster: say what a run asks of its cluster, and of no other")
        key = inputs_hash(system, settings)
        with self.submission_lock():
            same = self.find(key, where) if reuse else None
            if same is not None:
                return self._join(same, queue)
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
            return Run(self._make_folder(request))

    def _join(self, run: Run, queue: str) -> Run:
        if queue == QUEUES[0] and not run.finished:
            run.hurry()
        joined = Run(run.folder)
        joined.joined = True
        return joined

    def _make_folder(self, request: dict) -> Path:
        """Make a run folder that is whole when it appears."""
        folder = self.folder / request["id"]
        half_made = self.folder / f".new-{request['id']}"
        try:
            half_made.mkdir()
            write_json(half_made / "run.json", request)
            os.rename(half_made, folder)
        except OSError as error:
            shutil.rmtree(half_made, ignore_errors=True)
            raise self._unusable(error) from error
        return folder

    def submission_lock(self) -> Lock:
        """Held while a run is looked up and submitted, and while the keeper decides to leave."""
        self.prepare()
        return Lock(self.home / "submit.lock")

    def prepare(self) -> None:
        """Make the folders, and make sure that they can be written.

        Raises
        ------
        UnusableHome
            They cannot.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.home / "submit.lock", os.O_RDWR | os.O_CREAT, 0o644))
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> UnusableHome:
        problem = error.strerror or str(error)
        return UnusableHome(
            f"the folder of the runs, {self.home}, cannot be written ({problem}): "
            "choose another with NANOCONF_HOME"
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


def _follows_smaller_ion(run: Run) -> bool:
    """Whether the time step of a run followed the smaller ion, as its key then says."""
    if run.system.diameter_ratio == 1:
        return True
    return run.inputs_hash == inputs_hash(run.system, run.settings, run.version)


def _answers(run: Run) -> bool:
    """Whether a run serves, or will serve, an equal request."""
    state = run.state
    if state == RunState.DONE:
        return run.has_result_files() and not run.finish_requested
    return state not in (RunState.FAILED, RunState.CANCELLED) and not run.cancel_requested
