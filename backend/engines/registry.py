"""Registry of the engines: one record for each program that can compute a run.

Everything else asks the record instead of comparing names, so a new engine is a record here and a
folder of its own. Records name functions instead of importing them. This module therefore needs
nothing but the standard library: settings, the command line and the page read it before NumPy or
an engine is loaded, and it lies below them although the engines lie above.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.sampling.result import SimulationResult
    from backend.settings import RunSettings
    from backend.system import SlitSystem


@dataclass(frozen=True)
class Engine:
    """A program that can compute a run.

    Parameters
    ----------
    name : str
        Value of `RunSettings.engine`.
    title : str
        Name as people write it.
    run_function : str
        ``"module:function"`` that executes a run, called as ``function(system, settings, *,
        threads, on_progress, should_stop)``; where the engine is `resumable`, also with
        ``enough``, ``checkpoint`` and ``say``. `backend.engines.numba.engine.run` describes them.
    cost_function : str
        ``"module:function"`` that estimates the seconds for a time step of one replica, called as
        ``function(system, settings)``.
    electrostatics : tuple of str
        Values of `RunSettings.electrostatics` that it supports.
    modules : tuple of str
        Modules that it imports besides NumPy, SciPy and this package; a cluster gets them. A
        program that an engine runs is not among them: the engine finds it when a run starts.
    resumable : bool
        Whether it resumes from checkpoints and can finish early with a result.
    mpi : bool
        Whether its MPI ranks use all cores of a cluster job; otherwise a replica uses one core.
    force_sampling : bool
        Whether its profiles come from force sampling, as the surrogate's training needs.
    """

    name: str
    title: str
    run_function: str
    cost_function: str
    electrostatics: tuple[str, ...]
    modules: tuple[str, ...] = ()
    resumable: bool = False
    mpi: bool = False
    force_sampling: bool = False

    def run(self, system: SlitSystem, settings: RunSettings, **options: Any) -> SimulationResult:
        """Execute a run; `options` are those of `run_function`."""
        return _load(self.run_function)(system, settings, **options)

    def seconds_per_step(self, system: SlitSystem, settings: RunSettings) -> float:
        """Estimate of the seconds that one time step of one replica takes."""
        return _load(self.cost_function)(system, settings)

    def load(self) -> None:
        """Import everything that a run needs."""
        _load(self.run_function)

    def missing(self) -> str:
        """Modules that are not installed here and how to get them, in a line; or empty."""
        absent = [name for name in self.modules if find_spec(name) is None]
        if not absent:
            return ""
        return f"{self.title} needs {' and '.join(absent)}: type pip install {' '.join(absent)}"


def _load(reference: str) -> Callable[..., Any]:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


NUMBA = Engine(
    name="numba",
    title="The Numba engine",
    run_function="backend.engines.numba.engine:run",
    cost_function="backend.engines.numba.cost:seconds_per_step",
    electrostatics=("periodic", "sheets"),
    modules=("numba",),
    resumable=True,
    force_sampling=True,
)

LAMMPS = Engine(
    name="lammps",
    title="LAMMPS",
    run_function="backend.engines.lammps.engine:run",
    cost_function="backend.engines.lammps.cost:seconds_per_step",
    electrostatics=("periodic",),
    mpi=True,
)

DEFAULT = NUMBA.name

ENGINES: dict[str, Engine] = {}


def register(engine: Engine) -> None:
    """Add an engine, or replace the one of the same name."""
    ENGINES[engine.name] = engine


def get(name: str) -> Engine:
    """Engine of this name.

    Raises
    ------
    KeyError
        There is none.
    """
    return ENGINES[name]


def names() -> tuple[str, ...]:
    """Names of all engines, in the order in which they were registered."""
    return tuple(ENGINES)


def modules() -> tuple[str, ...]:
    """Modules that any of the engines needs, besides NumPy and SciPy."""
    return tuple(sorted({module for engine in ENGINES.values() for module in engine.modules}))


register(NUMBA)
register(LAMMPS)
