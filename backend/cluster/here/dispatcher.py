"""Looks after the runs of a home on one cluster; a thread of the keeper.

It keeps nothing in memory that it could not find again: the jobs' files here, the folders there,
and what Slurm says. So it may be killed at any moment, and nothing is submitted twice.
"""

from __future__ import annotations

import shlex
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend import __version__
from backend.cluster import config
from backend.cluster.config import Cluster
from backend.cluster.here import endings, jobs
from backend.cluster.here.endings import JOB_FAILED
from backend.cluster.here.jobs import Job
from backend.cluster.here.watched import SENDING, Watched
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh.login import Ask
from backend.cluster.ssh.remote import Remote
from backend.cluster.waiting import Say, nobody
from backend.runs.archive import GO_ON, Archive, UnknownRun
from backend.runs.run import CANCELLED_REASON, QUEUES, Run
from backend.runs.state import RunState
from backend.system import InvalidInput

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
SWEEP_PAUSE = 5.0
"""The shortest from one poll to the next where nobody waits for a single run."""

PAUSE_SHARE = 0.05
"""Time from one poll to the next, over that since something last happened."""

GATHER_SECONDS = 2.0
"""A sweep's runs are gathered until none has come for so long."""

MOST_RUNS = 2000
"""Runs in one job."""

SURE_SECONDS = 3.0
"""How long a job must be over before a run without a result is given up: files travel, too."""

MOST_TRIES = 3
"""Jobs that a sweep's run is sent with, not counting those that ended before its turn came."""

MOST_JOBS = 10
"""Jobs that it is sent with in all."""

IDLE_SECONDS = 30.0
HOLD_SECONDS = 12 * 3600.0
"""How long a connection that somebody has logged in to is held without a run."""
WATCH_SECONDS = 0.5


class Dispatcher(threading.Thread):
    """Sends runs to a cluster, and brings back what comes of them.

    Parameters
    ----------
    archive : Archive
        Whose runs.
    name : str
        The cluster's name.
    config_file : Path
        The file that describes it.
    say : callable
        Told, in a line, what is worth a line in the keeper's log.
    """

    def __init__(
        self, archive: Archive, name: str, config_file: Path, say: Callable[[str], None]
    ) -> None:
        super().__init__(name=f"cluster {name}", daemon=True)
        self.archive, self.cluster_name, self.config_file = archive, name, config_file
        self.polls = 0
        self._say = say
        self._open: dict[str, Watched] = {}
        self._jobs = {job.name: job for job in jobs.load(archive.home, name, config_file)}
        self._remote: Remote | None = None
        self._guard = threading.Lock()
        self._arrived: list[Run] = []
        self._wake = threading.Event()
        self._handed: Remote | None = None
        self._held_until = 0.0
        self._troubles = 0
        self._told: set[str] = set()
        self._changed = time.monotonic()

    # --- for the keeper's main thread -------------------------------------------------------

    def add(self, run: Run) -> None:
        """Look after a run from now on."""
        with self._guard:
            self._arrived.append(run)
        self._wake.set()

    def nudge(self) -> None:
        """Look now: somebody has asked for something."""
        self._changed = time.monotonic()
        self._wake.set()

    def log_in(self, ask: Ask, say: Say = nobody) -> None:
        """Log in, asking a person and saying what is being waited for; hold the connection."""
        remote = Remote(self._cluster(), self._tell_waiting)
        remote.connection.log_in(ask, say)
        with self._guard:
            self._handed, self._held_until = remote, time.monotonic() + HOLD_SECONDS
        self.nudge()

    @property
    def busy(self) -> bool:
        """Whether there is a run to look after, or a connection that somebody has logged in to."""
        with self._guard:
            return bool(self._arrived or self._open) or self._holds

    @property
    def _holds(self) -> bool:
        remote = self._handed or self._remote
        until = self._held_until
        return remote is not None and remote.connection.open and time.monotonic() < until

    # --- the thread -------------------------------------------------------------------------

    def run(self) -> None:
        """Look after runs, for ever."""
        while True:
            self._wait(self.step())

    def step(self) -> float:
        """Look after all runs once, whatever happens; returns the seconds until the next time."""
        try:
            pause = self.look()
            self._troubles = 0
            return pause
        except ClusterProblem as problem:
            return self._trouble(problem)
        except Exception as error:
            self._say(f"cluster {self.cluster_name}: {traceback.format_exc()}")
            return self._trouble(ClusterProblem("unexpected", str(error)))

    def _wait(self, seconds: float) -> None:
        """Wait, but not when a run has come or is to be cancelled."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._wake.wait(min(left, WATCH_SECONDS)):
                self._wake.clear()
                return
            if any(w.run.cancel_requested and not w.told for w in self._open.values()):
                return

    def look(self) -> float:
        """Look after all runs once; returns the seconds until the next time."""
        self._take_in()
        if not self._open:
            self._tidy()
            if not self._holds:
                self._hang_up()
            return IDLE_SECONDS
        cluster = self._cluster()
        self._drop_cancelled()
        self._drop_others()
        self._make_jobs(cluster)
        for job in [job for job in self._jobs.values() if job.job_id is None]:
            self._submit(job, cluster)
        self._cancel()
        self._poll()
        self._tidy()
        return self._pause()

    def _cluster(self) -> Cluster:
        try:
            return config.get(self.cluster_name, self.config_file)
        except InvalidInput as error:
            raise ClusterProblem("cluster-config", str(error)) from error

    def _connected(self) -> Remote:
        """The cluster as its entry says now."""
        cluster = self._cluster()
        if self._remote is None or self._remote.cluster != cluster:
            self._hang_up()
            self._remote = Remote(cluster, self._tell_waiting)
        return self._remote

    def _ask(self, action: str, **words: Any) -> Any:
        return self._connected().ask(action, **words)

    def _hang_up(self) -> None:
        if self._remote is not None:
            self._remote.close()
            self._remote = None

    def _pause(self) -> float:
        if not self._open:
            return SHORTEST_PAUSE
        if any(not w.job for w in self._open.values()):  # a sweep is being gathered
            return SHORTEST_PAUSE
        quiet = time.monotonic() - self._changed
        watched = any(w.run.queue == QUEUES[0] for w in self._open.values())
        return pause_after(quiet, SHORTEST_PAUSE if watched else SWEEP_PAUSE)

    def _trouble(self, problem: ClusterProblem) -> float:
        """Say what keeps us; runs that no job has cannot wait for what does not pass."""
        self._troubles += 1
        pause = min(SHORTEST_PAUSE * 2 ** (self._troubles - 1), LONGEST_PAUSE)
        if self._troubles in (1, 10):
            self._say(f"cluster {self.cluster_name}: {problem}")
        for watched in list(self._open.values()):
            job = self._jobs.get(watched.job)
            if not problem.passing and (job is None or not job.asked):
                self._settle(watched, RunState.FAILED, str(problem), problem.name)
            else:
                watched.note(note=f"{problem}; trying again in {pause:.0f} s")
        if not problem.passing:
            for job in [job for job in self._jobs.values() if not job.asked]:
                self._forget(job)
        return pause

    # --- runs -------------------------------------------------------------------------------

    def _take_in(self) -> None:
        """Take in what has come, and let go of what is over or gone."""
        with self._guard:
            handed, self._handed = self._handed, None
            if handed is not None:
                self._hang_up()
                self._remote = handed
            arrived, self._arrived = self._arrived, []
            for run in arrived:
                self._open[run.id] = Watched(run, status=run.cluster_status())
        for job in self._jobs.values():
            for run_id in job.runs:
                if run_id in self._open and not self._open[run_id].job:
                    self._open[run_id].job = job.name
                    # whoever made the job may have been killed before this was written down
                    self._open[run_id].note(cluster=self.cluster_name, job=job.name)
        for watched in list(self._open.values()):
            if watched.run.finished or not watched.run.folder.exists():
                self._let_go(watched)
        if arrived:
            self._changed = time.monotonic()

    def _let_go(self, watched: Watched) -> None:
        with self._guard:
            self._open.pop(watched.run.id, None)

    def _drop_cancelled(self) -> None:
        """End what is to be cancelled and was never sent."""
        for watched in list(self._open.values()):
            if not watched.job and watched.run.cancel_requested:
                self._settle(watched, RunState.CANCELLED, CANCELLED_REASON)

    def _drop_others(self) -> None:
        """End what another version asked for and was never sent: its worker would refuse it."""
        for watched in list(self._open.values()):
            job = self._jobs.get(watched.job)
            if watched.run.version != __version__ and (job is None or not job.asked):
                asked_by = watched.run.version or "(unknown)"
                line = f"asked for by nanoconf {asked_by}, but this is {__version__}: run it again"
                self._settle(watched, RunState.FAILED, line, "other-version")

    def _settle(self, watched: Watched, state: RunState, reason: str, error: str = "") -> None:
        """End a run without a result."""
        detail = "\n".join(watched.run.log_tail(20))
        try:
            settled = watched.run.settle(state, reason, detail, error)
        except OSError as problem:
            self._cannot_write(watched, problem)
            return
        if settled:
            self._say(f"{watched.run.id}: {state}: {reason}")
        self._let_go(watched)

    def _cannot_write(self, watched: Watched, problem: OSError) -> None:
        """Say that a run's folder here cannot be used; it is tried again, and others go on."""
        if watched.note(note=f"the run's folder here cannot be used: {problem}"):
            self._say(f"{watched.run.id}: {problem}")

    def _tell_waiting(self, line: str) -> None:
        if line not in self._told:  # a shell that is slow is slow at every poll
            self._told.add(line)
            self._say(f"cluster {self.cluster_name}: {line}")
        for watched in self._open.values():
            watched.note(note=line)

    # --- jobs -------------------------------------------------------------------------------

    def _make_jobs(self, cluster: Cluster) -> None:
        """Make jobs of the runs that have none: one for each, but a sweep's go together."""
        homeless = [w for w in self._open.values() if not w.job]
        for watched in [w for w in homeless if w.run.queue == QUEUES[0]]:
            self._make_job(cluster, [watched])
        gathered = [w for w in homeless if w.run.queue != QUEUES[0]]
        if not gathered:
            return
        quiet = time.monotonic() - max(w.since for w in gathered)
        if quiet < GATHER_SECONDS and len(gathered) < MOST_RUNS:
            return
        kinds: dict[tuple[Any, ...], list[Watched]] = {}
        for watched in gathered:
            kind = (watched.run.resources["cores"], watched.run.request["settings"]["engine"])
            kinds.setdefault(kind, []).append(watched)
        for alike in kinds.values():
            for first in range(0, len(alike), MOST_RUNS):
                self._make_job(cluster, alike[first : first + MOST_RUNS])

    def _make_job(self, cluster: Cluster, members: list[Watched]) -> None:
        job = Job.of(cluster, [watched.run for watched in members])
        job.save(self.archive.home)
        self._jobs[job.name] = job
        for watched in members:
            watched.job = job.name
            watched.note(cluster=self.cluster_name, job=job.name, note=SENDING)

    def _submit(self, job: Job, cluster: Cluster) -> None:
        """Submit a job, or learn that it has been.

        One that was asked for before may be under way although no answer came: of that only the
        agent can say that there is no such job.
        """
        if not self._has_come(job):
            return
        members = self._members(job)
        wanted = [watched for watched in members if not watched.run.cancel_requested]
        if not job.asked and not wanted:
            for watched in members:
                self._settle(watched, RunState.CANCELLED, CANCELLED_REASON)
            self._forget(job)
            return
        if not members:  # it is of no use any more
            return
        _ = self._connected().site  # where this fails, nothing has been asked for yet
        doubt = job.asked
        if not job.asked:
            job.asked = True
            job.save(self.archive.home)
        try:
            reply = self._ask_to_submit(job, cluster, [watched.run.request for watched in members])
        except ClusterProblem as problem:
            if problem.passing:
                raise
            if doubt:
                self._keep_waiting(job, members, problem)
                return
            reply = {"refused": {"name": problem.name, "line": str(problem)}}
        if "refused" in reply:
            line = f"the job was not taken: {reply['refused']['line']}"
            for watched in members:
                self._settle(watched, RunState.FAILED, line, reply["refused"]["name"])
            self._forget(job)
            return
        job.job_id = reply["job_id"]
        job.save(self.archive.home)
        self._changed = time.monotonic()
        self._say(f"{job.name}: Slurm's job {job.job_id} on {job.cluster}, {len(members)} runs")
        for watched in members:
            watched.note(job_id=job.job_id, state=RunState.QUEUED, reason="submitted", note="")

    def _keep_waiting(self, job: Job, members: list[Watched], problem: ClusterProblem) -> None:
        """Say what keeps us from learning what has become of a job; others go on."""
        if any([watched.note(note=f"{problem}; trying again") for watched in members]):
            self._say(f"{job.name}: {problem}")

    def _ask_to_submit(self, job: Job, cluster: Cluster, requests: list[dict[str, Any]]) -> Any:
        return self._ask(
            "submit",
            job=job.name,
            runs=job.runs,
            requests=requests,
            options=job.options(cluster, requests[0]["settings"]["engine"]),
            setup=[*cluster.setup, f"export NANOCONF_MPI={shlex.quote(cluster.mpi)}"],
            tasks=job.tasks,
            threads=job.cores,
            continues={r["id"]: r["continues"] for r in requests if r.get("continues")},
        )

    def _has_come(self, job: Job) -> bool:
        """Whether all of a job's open runs have come, so that what is done is done for all."""
        return not any(map(self._may_come, job.runs))

    def _may_come(self, run_id: str) -> bool:
        """Whether a run of a job is open, but this keeper has not been told of it yet."""
        if run_id in self._open:
            return False
        try:
            return not self.archive.get(run_id).finished
        except UnknownRun:  # removed, or damaged
            return False

    def _members(self, job: Job) -> list[Watched]:
        return [self._open[run_id] for run_id in job.runs if run_id in self._open]

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.name, None)
        job.remove(self.archive.home)

    def _cancel(self) -> None:
        """Tell the cluster what is to be cancelled."""
        waiting = [w for w in self._open.values() if w.run.cancel_requested and not w.told]
        concerned = {w.job: self._jobs[w.job] for w in waiting if w.job in self._jobs}
        come = {name: job for name, job in concerned.items() if self._has_come(job)}
        asked = [w for w in waiting if w.job in come]
        if not asked:
            return
        whole = [
            job
            for job in come.values()
            if all(w.run.cancel_requested for w in self._members(job)) and job.job_id is not None
        ]
        self._ask("cancel", runs=[w.run.id for w in asked], jobs=[job.job_id for job in whole])
        for watched in asked:
            watched.told = True
        self._changed = time.monotonic()

    def _tidy(self) -> None:
        """Forget jobs whose runs are all over, here and there."""
        without = [job for job in self._jobs.values() if not self._members(job)]
        over = [job for job in without if all(map(self._is_over, job.runs))]
        if not over:
            return
        vain = [job.job_id for job in over if any(map(self._is_gone, job.runs)) and job.job_id]
        if vain:
            self._ask("cancel", runs=[], jobs=vain)
        done = [run_id for job in over for run_id in job.runs if self._is_safe(run_id)]
        self._ask("clear", runs=done, jobs=[job.name for job in over])
        for job in over:
            self._forget(job)

    def _is_over(self, run_id: str) -> bool:
        """Whether nobody waits for a run of a job; one that has not come yet may be under way."""
        if not run_id or self._is_gone(run_id):
            return True
        try:
            return self.archive.get(run_id).finished
        except UnknownRun:
            return False

    def _is_gone(self, run_id: str) -> bool:
        """Whether somebody has removed a run; not so where the whole archive is out of reach."""
        folder = self.archive.folder
        return folder.is_dir() and not (folder / run_id).exists()

    def _is_safe(self, run_id: str) -> bool:
        """Whether nothing there is needed any more, not even a checkpoint."""
        try:
            run = self.archive.get(run_id)
        except UnknownRun:
            return bool(run_id)
        return run.finished and run.error not in GO_ON

    # --- looking ----------------------------------------------------------------------------

    def _poll(self) -> None:
        """Ask how jobs and runs are, and fetch what is over."""
        sent = {j.name: j for j in self._jobs.values() if j.job_id is not None}
        known = {w.run.id: w.stamp for w in self._open.values() if w.job in sent}
        if not known:
            return
        self.polls += 1
        numbers = {job.name: job.job_id for job in sent.values()}
        seen = self._ask("poll", jobs=numbers, runs=known)
        for job in sent.values():
            self._follow(job, seen["numbers"][job.name])
        over = []
        for run_id in known:
            watched, found = self._open[run_id], seen["runs"][run_id]
            if found["over"]:
                over.append(watched)
                continue
            job = sent[watched.job]
            index = job.index(run_id)
            task = endings.of_task(seen["tasks"][job.name], index)
            self._take_progress(watched, found, task)
            self._see_whether_it_ends(
                watched, job, task, seen["ended"][job.name].get(str(index), "")
            )
        self._fetch(over)

    def _follow(self, job: Job, number: int) -> None:
        """Follow the job that has the runs, should there be two of its name after all."""
        if number == job.job_id:
            return
        self._say(f"{job.name}: Slurm's job {number} has its runs, not {job.job_id}")
        job.job_id = number
        job.save(self.archive.home)
        for watched in self._members(job):
            watched.note(job_id=number)

    def _take_progress(self, watched: Watched, found: dict[str, Any], task: dict[str, str]) -> None:
        slurm, begun = task.get("state", ""), bool(watched.stamp or found.get("progress"))
        working = slurm in endings.WORKING
        reason = task.get("reason", "None")
        how = {
            "state": RunState.RUNNING if working and begun else RunState.QUEUED,
            "slurm": slurm,
            "reason": "" if working or reason == "None" else reason,
        }
        changed = any(watched.status.get(word) != each for word, each in how.items())
        watched.note(**how, note="" if begun or not working else "waits for its turn in the job")
        if "progress" in found:
            watched.keep_progress(found)
        if changed:  # notes come and go with each poll of a host that is slow
            self._changed = time.monotonic()

    def _see_whether_it_ends(
        self, watched: Watched, job: Job, task: dict[str, str], stopped_by: str
    ) -> None:
        assert job.job_id is not None
        end = endings.ending(task, stopped_by, job.job_id, job.minutes)
        if end is None:
            watched.over_since = None
            return
        self._changed = time.monotonic()
        if watched.over_since is None:
            watched.over_since = time.monotonic()
        if time.monotonic() - watched.over_since < SURE_SECONDS:
            return
        if watched.run.cancel_requested:
            self._settle(watched, RunState.CANCELLED, CANCELLED_REASON)
            return
        tried = bool(watched.stamp) or end.error == JOB_FAILED  # else its turn had not come
        tries = watched.status.get("tries", 0) + tried
        sent = watched.status.get("sent", 0) + 1
        hope = tries < MOST_TRIES and sent < MOST_JOBS
        if end.again and watched.run.queue != QUEUES[0] and hope:
            self._send_again(watched, job, end.reason, tries=tries, sent=sent)
        else:
            watched.add_to_log(self._ask("log", job=job.name, task=job.index(watched.run.id)))
            self._settle(watched, end.state, end.reason, end.error)

    def _send_again(self, watched: Watched, job: Job, reason: str, **counts: int) -> None:
        """Let a sweep's run go with another job."""
        watched.job, watched.over_since, watched.stamp = "", None, ""
        job.runs = [run_id if run_id != watched.run.id else "" for run_id in job.runs]
        job.save(self.archive.home)
        watched.note(state=RunState.QUEUED, note=f"to be sent again: {reason}", **counts)
        self._say(f"{watched.run.id}: to be sent again: {reason}")

    # --- fetching ---------------------------------------------------------------------------

    def _fetch(self, over: list[Watched]) -> None:
        """Bring home what is over; there it is removed once it is safe here."""
        waiting = {watched.run.id: watched for watched in over}
        while waiting:
            found = self._ask("fetch", runs=list(waiting))
            stored = [w for w in map(waiting.pop, found) if self._store(w, found[w.run.id])]
            self._ask("clear", runs=[watched.run.id for watched in stored], jobs=[])
            for watched in stored:
                self._say(f"{watched.run.id}: fetched, {watched.run.state}")
                self._let_go(watched)
                self._changed = time.monotonic()

    def _store(self, watched: Watched, files: dict[str, str]) -> bool:
        """Write the files of a run that is over; whether that could be done."""
        try:
            watched.store(files)
        except OSError as problem:
            self._cannot_write(watched, problem)
            return False
        watched.note(note="")
        return True


def pause_after(quiet: float, shortest: float = SHORTEST_PAUSE) -> float:
    """Seconds to the next look when nothing has happened for so many."""
    return min(max(shortest, PAUSE_SHARE * quiet), LONGEST_PAUSE)
