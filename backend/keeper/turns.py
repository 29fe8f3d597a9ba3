"""Fair turns: which runs on this computer start next, and which make room for them.

Pure functions of the open runs, without processes or files. The keeper follows `next_turns`;
`forecast` applies it to the future, so the reported waits agree with what the keeper does.

The rules:

- The next turn goes to the owner whose runs use the fewest cores; in a tie, to the one whose last
  turn began earliest; within one owner, first come, first served.
- An owner without a run in progress does not wait for those of others to end: one of these makes
  room after `TURN_SECONDS`, or after `SHORT_TURN_SECONDS` for a run that has never started, and
  resumes from its checkpoint at its owner's next turn.
- Runs of a sweep come last, start only on free cores and never make room: their priority is low.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

TURN_SECONDS = 60.0
"""Time (s) after which a run makes room for another owner's run that has run before."""

SHORT_TURN_SECONDS = 10.0
"""Time (s) after which a run makes room for another owner's run that has never started."""

ENDING_SECONDS = 10.0
"""A run that is expected to end within this time (s) does not make room."""

RESTART_SECONDS = 2.0
"""Time that a run loses by making room (s)."""

NEVER = -math.inf

EVENTS = 500
"""Number of starts and ends after which a forecast gives up."""

ROUNDING = 1e-3
"""Time added to each step of a forecast (s), so that no rounding error delays an event."""


@dataclass(frozen=True)
class Job:
    """An open run on this computer.

    Attributes
    ----------
    id : str
        ID of the run.
    owner : str
        Whoever takes turns with the others; the command line is one owner.
    cores : int
        Number of cores that the run uses.
    created : str
        Time of its submission, which orders the runs of one owner.
    sweep : bool
        True for a run of a sweep.
    running : bool
        True if it has a worker.
    simulating : bool
        True if its worker has completed time steps, so that it can save a checkpoint.
    pausing : bool
        True if its worker was asked to make room.
    resumable : bool
        False if it would start from the beginning after a pause, so that it never makes room.
    turn_began : float
        Time when its last worker began (s); `NEVER` if it has not had one.
    seconds_left : float or None
        Expected time until it ends, while it is running (s); None if unknown.
    """

    id: str
    owner: str
    cores: int = 1
    created: str = ""
    sweep: bool = False
    running: bool = False
    simulating: bool = False
    pausing: bool = False
    resumable: bool = True
    turn_began: float = NEVER
    seconds_left: float | None = None

    @property
    def new(self) -> bool:
        """True if it has never had a worker."""
        return self.turn_began == NEVER


@dataclass(frozen=True)
class Turns:
    """IDs of the runs to start now, in order, and of those to pause."""

    start: tuple[str, ...] = ()
    pause: tuple[str, ...] = ()


def next_turns(
    jobs: Iterable[Job], cores: int, now: float, last_turns: Mapping[str, float] | None = None
) -> Turns:
    """Return the runs to start and to pause now.

    Parameters
    ----------
    jobs : iterable of Job
        All open runs.
    cores : int
        Number of cores that they share.
    now : float
        The time (s), on the same clock as `Job.turn_began`.
    last_turns : mapping of str to float, optional
        Start times of the last turns of owners whose runs may have ended since.

    Returns
    -------
    Turns
        A paused run frees its cores later, so the run that needs them is not among those to start.
    """
    jobs = list(jobs)
    working = [job for job in jobs if job.running]
    start: list[Job] = []
    for job in in_order(jobs, last_turns):
        if _occupied(job, working, now) + job.cores > cores:
            return Turns(_ids(start), _ids(_to_pause(job, working, cores, now)))
        start.append(job)
        working.append(replace(job, running=True, turn_began=now))
    return Turns(_ids(start))


def in_order(jobs: Iterable[Job], last_turns: Mapping[str, float] | None = None) -> list[Job]:
    """Return the waiting runs in the order in which they start as cores become free."""
    jobs = list(jobs)
    waiting = sorted(
        (job for job in jobs if not job.running), key=lambda job: (job.created, job.id)
    )
    lines: dict[str, list[Job]] = {}
    for job in waiting:
        if not job.sweep:
            lines.setdefault(job.owner, []).append(job)
    used, turns = _cores_in_use(jobs), _last_turns(jobs, last_turns or {})

    def place(owner: str, position: int) -> tuple[int, float, str, str, str, int]:
        head = lines[owner][position]
        return used[owner], turns.get(owner, NEVER), head.created, head.id, owner, position

    heads = [place(owner, 0) for owner in lines]
    heapq.heapify(heads)
    ordered = []
    while heads:
        *_, owner, position = heapq.heappop(heads)
        job = lines[owner][position]
        ordered.append(job)
        used[owner] += job.cores
        if position + 1 < len(lines[owner]):
            heapq.heappush(heads, place(owner, position + 1))
    return ordered + [job for job in waiting if job.sweep]


def _cores_in_use(jobs: Iterable[Job]) -> Counter[str]:
    used: Counter[str] = Counter()
    for job in jobs:
        if job.running and not job.sweep:
            used[job.owner] += job.cores
    return used


def _last_turns(jobs: Iterable[Job], earlier: Mapping[str, float]) -> dict[str, float]:
    turns = dict(earlier)
    for job in jobs:
        if not job.sweep:
            turns[job.owner] = max(turns.get(job.owner, NEVER), job.turn_began)
    return turns


def _occupied(job: Job, working: list[Job], now: float) -> int:
    """Return the number of cores that are not available to a run.

    Sweeps do not count for others, because of their low priority. A run that cannot make room does
    not count either once it has had its turn: the next owner's run starts alongside it.
    """
    if job.sweep:
        return sum(other.cores for other in working)
    others = [other for other in working if not other.sweep]
    if _has_nothing(job.owner, others):
        others = [other for other in others if other.resumable or not _had_turn(other, job, now)]
    return sum(other.cores for other in others)


def _to_pause(job: Job, working: list[Job], cores: int, now: float) -> list[Job]:
    """Return the runs that make room for a run, those with the largest share first.

    None makes room unless all of them together free enough cores.
    """
    others = [other for other in working if not other.sweep]
    if job.sweep or not _has_nothing(job.owner, others):
        return []
    missing = _occupied(job, working, now) + job.cores - cores
    missing -= sum(other.cores for other in others if other.pausing)
    used = _cores_in_use(working)
    candidates = [other for other in others if _can_pause(other) and _had_turn(other, job, now)]
    candidates.sort(key=lambda other: (-used[other.owner], other.turn_began, other.id))
    chosen: list[Job] = []
    for other in candidates:
        if missing <= 0:
            break
        chosen.append(other)
        missing -= other.cores
    return chosen if missing <= 0 else []


def _has_nothing(owner: str, working: list[Job]) -> bool:
    return all(other.owner != owner for other in working)


def _had_turn(other: Job, job: Job, now: float) -> bool:
    """Return True if a running job has had enough time to make room for a waiting one."""
    return now - other.turn_began >= (SHORT_TURN_SECONDS if job.new else TURN_SECONDS)


def _can_pause(job: Job) -> bool:
    ending = job.seconds_left is not None and job.seconds_left <= ENDING_SECONDS
    return job.resumable and job.simulating and not job.pausing and not ending


def _ids(jobs: Iterable[Job]) -> tuple[str, ...]:
    return tuple(job.id for job in jobs)


# --- forecast -------------------------------------------------------------------------------


def forecast(
    jobs: Iterable[Job],
    cores: int,
    now: float,
    last_turns: Mapping[str, float] | None = None,
    until: str = "",
) -> dict[str, float]:
    """Return the expected time until each waiting run starts (s), in the order of their starts.

    Parameters
    ----------
    jobs : iterable of Job
        All open runs, with `Job.seconds_left` set for those that wait, too.
    cores, now, last_turns
        As for `next_turns`.
    until : str
        ID of the run to forecast; by default, all.

    Returns
    -------
    dict of str to float
        Runs that wait for one of unknown length, and those beyond `EVENTS` events, are missing.
    """
    future = _Future(jobs, now, dict(last_turns or {}))
    wanted = {until} if until else set(future.waited)
    for _ in range(EVENTS):
        turns = next_turns(future.jobs.values(), cores, future.now, future.last_turns)
        for run_id in turns.pause:
            future.pause(run_id)
        for run_id in turns.start:
            future.start(run_id)
        if wanted <= future.starts.keys():
            break
        if not turns.pause and not future.advance():
            break
    return {run_id: at - now for run_id, at in future.starts.items() if run_id in future.waited}


class _Future:
    """Open runs at a later time."""

    def __init__(self, jobs: Iterable[Job], now: float, last_turns: dict[str, float]):
        self.jobs = {job.id: job for job in jobs}
        self.now, self.last_turns = now, last_turns
        self.starts: dict[str, float] = {}
        for job in list(self.jobs.values()):
            if job.pausing:
                self.pause(job.id)
        self.waited = {job.id for job in self.jobs.values() if not job.running}

    def start(self, run_id: str) -> None:
        job = self.jobs[run_id]
        self.starts.setdefault(run_id, self.now)
        self.last_turns[job.owner] = self.now
        self.jobs[run_id] = replace(job, running=True, simulating=True, turn_began=self.now)

    def pause(self, run_id: str) -> None:
        job = self.jobs[run_id]
        left = None if job.seconds_left is None else job.seconds_left + RESTART_SECONDS
        self.jobs[run_id] = replace(job, running=False, pausing=False, seconds_left=left)

    def advance(self) -> bool:
        """Advance to the next end of a run or of a turn; return False if there is none."""
        running = [job for job in self.jobs.values() if job.running]
        step = min((each for job in running for each in self._events(job)), default=None)
        if step is None:
            return False
        step += ROUNDING
        self.now += step
        for job in running:
            left = None if job.seconds_left is None else job.seconds_left - step
            self.jobs[job.id] = replace(job, simulating=True, seconds_left=left)
            if left is not None and left <= 0:
                del self.jobs[job.id]
        return True

    def _events(self, job: Job) -> list[float]:
        turn = self.now - job.turn_began
        events = [each - turn for each in (SHORT_TURN_SECONDS, TURN_SECONDS) if each > turn]
        return events if job.seconds_left is None else [*events, max(0.0, job.seconds_left)]
