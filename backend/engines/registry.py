"""Registry of the engines: one record for each program that can execute a run.

All other code uses the record and never compares names, so a new engine needs only a record here
and its own folder. Records name functions instead of importing them, so this module needs only
the standard library. Settings, the command line and the page can read it before NumPy or an engine
is loaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.sampling.result import SimulationError, SimulationResult
    from backend.settings import RunSettings
    from backend.system import SlitSystem


@dataclass(frozen=True)
class Engine:
    """Program that can execute a run.

    Parameters
    ----------
    name : str
        Value of `RunSettings.engine`.
    title : str
        Name in messages.
    page_title : str
        Name in the choice of the page; empty if the page does not offer the engine.
    run_function : str
        ``"module:function"`` that executes a run, called as ``function(system, settings, *,
        threads, on_progress, should_stop)``; if the engine is `resumable`, also with
        ``should_finish``, ``checkpoint`` and ``log``. `backend.engines.numba.engine.run`
        documents them.
    cost_function : str
        ``"module:function"`` that estimates the duration of a time step of one replica (s), called
        as ``function(system, settings)``.
    electrostatics : tuple of str
        Supported values of `RunSettings.electrostatics`.
    check_function : str
        ``"module:function"`` that raises `InvalidInput` or `SimulationError` if runs cannot be
        executed on this computer; may be empty. It must not load the engine.
    modules : tuple of str
        Imported modules other than NumPy, SciPy and this package; they are installed on clusters.
        An external program is not listed: the engine looks for it when a run starts.
    resumable : bool
        True if the engine resumes from checkpoints and can finish early with a result.
    mpi : bool
        True if its MPI ranks use all cores of a cluster job; otherwise a replica uses one core.
    force_sampling : bool
        True if its profiles come from force sampling, which surrogate training requires.
    thermostats, precisions : tuple of str
        Supported values of the settings `thermostat` and `precision`.
    replicas : int
        Default number of replicas.
    all_at_once : bool
        True if the replicas of a run advance at the same time, however many cores there are.
    many_function : str
        ``"module:function"`` that executes many runs side by side in this process, called as
        ``function(requests, *, processes)``; empty if each run needs a process of its own.
        `backend.engines.cuda.engine.run_many` documents it.
    """

    name: str
    title: str
    run_function: str
    cost_function: str
    electrostatics: tuple[str, ...]
    page_title: str = ""
    check_function: str = ""
    modules: tuple[str, ...] = ()
    resumable: bool = False
    mpi: bool = False
    force_sampling: bool = False
    thermostats: tuple[str, ...] = ("langevin", "nose-hoover", "none")
    precisions: tuple[str, ...] = ("single", "double")
    replicas: int = 2
    all_at_once: bool = False
    many_function: str = ""

    def run(self, system: SlitSystem, settings: RunSettings, **options: Any) -> SimulationResult:
        """Execute a run; `options` are passed to `run_function`."""
        return _load(self.run_function)(system, settings.for_system(system), **options)

    def run_many(
        self, requests: Iterable[tuple[SlitSystem, RunSettings]], processes: int
    ) -> Iterator[tuple[int, SimulationResult | SimulationError]]:
        """Execute many runs side by side; yield the index and the outcome of each."""
        each = ((system, settings.for_system(system)) for system, settings in requests)
        return _load(self.many_function)(each, processes=processes)

    def seconds_per_step(self, system: SlitSystem, settings: RunSettings) -> float:
        """Estimate the duration of one time step of one replica (s)."""
        return _load(self.cost_function)(system, settings.for_system(system))

    def check(self) -> None:
        """Raise `InvalidInput` or `SimulationError` if runs cannot be executed here, and why."""
        if self.check_function:
            _load(self.check_function)()

    def load(self) -> None:
        """Import all modules that a run needs."""
        _load(self.run_function)

    def missing(self) -> str:
        """Return a line that names modules not installed here and how to install them, or ""."""
        absent = [name for name in self.modules if find_spec(name) is None]
        if not absent:
            return ""
        return f"{self.title} needs {' and '.join(absent)}: run pip install {' '.join(absent)}"


def _load(reference: str) -> Callable[..., Any]:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


NUMBA = Engine(
    name="numba",
    title="The Numba engine",
    page_title="Processor",
    run_function="backend.engines.numba.engine:run",
    cost_function="backend.engines.numba.cost:seconds_per_step",
    electrostatics=("periodic", "sheets"),
    check_function="backend.engines.numba.cache:check_cache",
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

CUDA = Engine(
    name="cuda",
    title="The CUDA engine",
    page_title="Graphics card",
    run_function="backend.engines.cuda.engine:run",
    cost_function="backend.engines.cuda.cost:seconds_per_step",
    electrostatics=("periodic", "sheets"),
    check_function="backend.engines.cuda.card:check_card",
    resumable=True,
    force_sampling=True,
    thermostats=("langevin", "none"),
    precisions=("single",),
    replicas=64,
    all_at_once=True,
    many_function="backend.engines.cuda.engine:run_many",
)

DEFAULT = NUMBA.name

ENGINES: dict[str, Engine] = {}


def register(engine: Engine) -> None:
    """Add an engine, or replace the engine of the same name."""
    ENGINES[engine.name] = engine


def get(name: str) -> Engine:
    """Return the engine of this name.

    Raises
    ------
    KeyError
        No engine has this name.
    """
    return ENGINES[name]


def names() -> tuple[str, ...]:
    """Return the names of all engines, in the order of registration."""
    return tuple(ENGINES)


def modules() -> tuple[str, ...]:
    """Return all modules that the engines need, other than NumPy and SciPy."""
    return tuple(sorted({module for engine in ENGINES.values() for module in engine.modules}))


register(NUMBA)
register(LAMMPS)
register(CUDA)
