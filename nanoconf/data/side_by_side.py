"""Systems of a sweep that an engine simulates side by side in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from backend.engines import registry
from backend.runs import local
from backend.sampling.result import SimulationError, SimulationResult
from nanoconf.data.plans import TRIES, Item


def taken(waiting: deque[Item]) -> list[Item]:
    """Remove from a queue the items that an engine simulates side by side, and return them."""
    items = list(waiting)
    waiting.clear()
    waiting.extend(item for item in items if not _many(item))
    return [item for item in items if _many(item)]


def _many(item: Item) -> bool:
    return bool(registry.get(item.settings.engine).many_function)


def check(items: list[Item]) -> None:
    """Raise `SimulationError` if an engine that simulates items side by side is not available."""
    for name in {item.settings.engine for item in items if _many(item)}:
        registry.get(name).check()


def problem_of(item: Item, result: SimulationResult | SimulationError) -> str:
    """Return the reason why an outcome cannot be used; empty if it can."""
    if isinstance(result, SimulationError):
        return str(result)
    if item.settings.target_error is not None and not result.summary.converged:
        convergence = result.summary.convergence
        return "; ".join(convergence.reasons) if convergence else "its convergence is unknown"
    return ""


def outcomes(items: list[Item]) -> Iterator[tuple[Item, int, SimulationResult | SimulationError]]:
    """Simulate items; yield each with its last attempt and the outcome.

    An item that fails is simulated again with another seed, up to `TRIES` times.

    Raises
    ------
    InvalidInput
        An engine cannot simulate one of the systems. Nothing has been simulated yet.
    SimulationError
        An engine is not available.
    """
    for name in dict.fromkeys(item.settings.engine for item in items):
        engine = registry.get(name)
        pending = [item for item in items if item.settings.engine == name]
        for attempt in range(TRIES):
            again = []
            requests = [(item.system, item.try_settings(attempt)) for item in pending]
            for index, result in engine.run_many(requests, local.cores()):
                item = pending[index]
                if problem_of(item, result) and attempt + 1 < TRIES:
                    again.append(item)
                else:
                    yield item, attempt, result
            pending = again
            if not pending:
                break
