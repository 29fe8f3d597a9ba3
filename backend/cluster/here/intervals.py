"""Intervals between polls."""

from __future__ import annotations

import time

from backend.cluster.here.dispatch_state import State
from backend.runs.run import QUEUES

SHORTEST, LONGEST = 1.0, 60.0
SHORTEST_FOR_SWEEPS = 5.0
"""Shortest interval while only runs of sweeps are open."""

SHARE = 0.05
"""Ratio of the interval to the time since the last change."""


def until_next_poll(state: State) -> float:
    """Return the interval to the next poll (s)."""
    runs = state.runs.values()
    if not runs or not all(remote.job for remote in runs):  # a sweep is being gathered
        return SHORTEST
    quiet = time.monotonic() - state.last_change
    interactive = any(remote.run.queue == QUEUES[0] for remote in runs)
    return after_quiet(quiet, SHORTEST if interactive else SHORTEST_FOR_SWEEPS)


def after_quiet(quiet: float, shortest: float = SHORTEST) -> float:
    """Return the interval to the next poll (s) when nothing has changed for `quiet` seconds."""
    return min(max(shortest, SHARE * quiet), LONGEST)


def after_failures(count: int) -> float:
    """Return the interval to the next attempt (s) after `count` consecutive failures."""
    return min(SHORTEST * 2 ** (count - 1), LONGEST)
