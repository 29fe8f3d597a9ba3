"""Compile the engine before the first run: ``python -m backend.engines.numba.warm_up``."""

from __future__ import annotations

from backend.engines.numba.engine import run
from backend.settings import RunSettings
from backend.system import SlitSystem


def warm_up() -> None:
    """Compile and cache all functions of a run, by running a few thousand steps."""
    run(SlitSystem(), RunSettings(duration_ns=0.001, replicas=1))


if __name__ == "__main__":
    print("Compiling the simulation engine (first time only, about half a minute) …", flush=True)
    warm_up()
