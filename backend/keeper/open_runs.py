"""Description of open runs for `turns`, and the expected wait of each queued run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from statistics import fmean
from typing import TYPE_CHECKING

from backend.engines import registry
from backend.keeper import turns
from backend.keeper.turns import NEVER, Job
from backend.runs import local
from backend.runs.run import LOCAL, QUEUES, Run, now
from backend.runs.run_state import RunState

if TYPE_CHECKING:
    from backend.runs.archive import Archive
    from backend.sampling.result import Progress
    from backend.settings import RunSettings
    from backend.system import SlitSystem

LONG_AGO = 0.0
"""A time (s since 1970) before all turns."""

SHORTEST_SECONDS = 1.5
"""Expected waits below this (s) are not reported."""

COMMANDS = "command line"
"""Owner of all runs that were submitted from the command line."""


@dataclass(frozen=True)
class Wait:
    """Place of a queued run in the queue of this computer.

    Attributes
    ----------
    run : Run
        The run.
    ahead : int
        Number of queued runs that start before it.
    seconds : float or None
        Expected time until it starts (s); None if unknown.
    at_most : bool
        True if a run ahead of it may end early, at its target error.
    """

    run: Run
    ahead: int
    seconds: float | None
    at_most: bool

    def in_words(self) -> str:
        """Return the place and the expected wait: ``2 runs ahead, about 5 min``."""
        from backend.engines.run_time import in_words

        runs = "1 run" if self.ahead == 1 else f"{self.ahead} runs"
        place = f"{runs} ahead" if self.ahead else "next in line"
        if self.seconds is None or self.seconds < SHORTEST_SECONDS:
            return place
        return f"{place}, {'at most' if self.at_most else 'about'} {in_words(self.seconds)}"


def waits(archive: Archive) -> list[Wait]:
    """Return all queued runs of this computer, in the order in which they start."""
    return _waits(_open_runs(archive))


def wait_of(archive: Archive, run: Run) -> Wait | None:
    """Return the place of one run; None if it is not queued on this computer."""
    found = _waits(_open_runs(archive), until=run.id)
    return next((wait for wait in found if wait.run.id == run.id), None)


def job_of(run: Run, *, running: bool, at: float) -> Job:
    """Return the description of an open run.

    Parameters
    ----------
    run : Run
        The run.
    running : bool
        True if it has a worker, which may still be starting.
    at : float
        The time (s since 1970), which counts as the start of a worker that is still starting.
    """
    sweep = run.queue != QUEUES[0]
    begun = not sweep and os.path.lexists(run.folder / "progress.json")
    progress = run.progress() if running and begun else None
    return Job(
        run.id,
        owner=f"run {run.id}" if not sweep and run.shared else run.owner or COMMANDS,
        cores=local.cores_of(run.request["settings"]),
        created=run.created,
        sweep=sweep,
        running=running,
        simulating=progress is not None and progress.steps_per_second is not None,
        pausing=running and run.pause_requested,
        resumable=registry.get(run.settings.engine).resumable,
        turn_began=_turn_began(run, running, begun, at),
        seconds_left=progress.seconds_left if progress else None,
    )


def _turn_began(run: Run, running: bool, begun: bool, at: float) -> float:
    attempts = run.attempts() if begun else []
    if running and not (attempts and attempts[-1]["ended"] is None):
        return at
    return _past(attempts[-1].get("started", ""), at) if attempts else NEVER


def _past(text: str, at: float) -> float:
    """Return a time in the past; a damaged record, or a clock that was wrong, ends the turn."""
    try:
        began = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return LONG_AGO
    return began if began <= at else LONG_AGO


# --- waits ----------------------------------------------------------------------------------


def _open_runs(archive: Archive) -> list[tuple[Run, RunState]]:
    runs = [(run, run.state) for run in archive.runs() if run.where == LOCAL]
    return [(run, state) for run, state in runs if state.active]


def _waits(found: list[tuple[Run, RunState]], until: str = "") -> list[Wait]:
    at = datetime.fromisoformat(now()).timestamp()
    runs = {run.id: run for run, _ in found}
    jobs = [job_of(run, running=state == RunState.RUNNING, at=at) for run, state in found]
    slowdown = _slowdown(runs[job.id] for job in jobs if job.running)
    jobs = [_with_estimate(job, runs[job.id], slowdown) for job in jobs]
    starts = turns.forecast(jobs, local.cores(), at, until=until)
    order = [*starts, *(job.id for job in turns.in_order(jobs) if job.id not in starts)]
    at_most = any(runs[job.id].settings.target_error for job in jobs if job.running)
    line = []
    for ahead, run_id in enumerate(order):
        line.append(Wait(runs[run_id], ahead, starts.get(run_id), at_most))
        at_most = at_most or runs[run_id].settings.target_error is not None
    return line


def _with_estimate(job: Job, run: Run, slowdown: float) -> Job:
    """Return a job with its expected time, unless its worker reports one."""
    if job.seconds_left is not None:
        return job
    progress = None if job.new else run.progress()
    left = 1.0 - (progress.fraction if progress and job.resumable else 0.0)
    seconds = _estimated_seconds(run.system, run.settings, local.cores())
    return replace(job, seconds_left=turns.RESTART_SECONDS + left * slowdown * seconds)


@lru_cache(maxsize=512)
def _estimated_seconds(system: SlitSystem, settings: RunSettings, cores: int) -> float:
    from backend.engines.run_time import START_UP_SECONDS, estimated_seconds

    return estimated_seconds(system, settings, cores) - START_UP_SECONDS


def _slowdown(running: Iterable[Run]) -> float:
    """Return the mean ratio of measured to estimated time of the runs in progress."""
    ratios = [_ratio(run, progress) for run in running if (progress := run.progress())]
    known = [ratio for ratio in ratios if ratio is not None]
    return fmean(known) if known else 1.0


def _ratio(run: Run, progress: Progress) -> float | None:
    from backend.engines.run_time import slowdown

    if not progress.steps_per_second:
        return None
    return slowdown(run.system, run.settings, local.cores(), progress.steps_per_second)
