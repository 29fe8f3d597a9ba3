"""``python -m backend.engines.numba.warm_up``: compile the engine ahead of the first run."""

from __future__ import annotations

from backend.engines.numba.engine import run
from backend.settings import RunSettings
from backend.system import SlitSystem


def warm_up() -> None:
    """Compile and keep all that a run needs, by a run of a few thousand steps."""
    run(SlitSystem(), RunSettings(duration_ns=0.001, replicas=1))


if __name__ == "__main__":
    print("Compiling the simulation engine (half a minute, once) …", flush=True)
    warm_up()
