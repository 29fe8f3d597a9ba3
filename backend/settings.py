"""Settings of a simulation: length, seed, replicas, integrator."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from backend.engines import registry
from backend.inputs import Input, InvalidInput, by_name
from backend.system import SlitSystem

PUBLISHED_TIME_STEP = 0.001
"""Time step of the published runs (τ of the smaller ion); the unit of the option ``-S``."""

SAMPLE_TIME = 0.05
"""Approximate time between two samples of the profile (τ): more frequent samples would not reduce
the errors; half as many would raise them by an eighth."""

LONGEST_NS = 50.0
"""Default upper limit on the length of a run with a target error (ns)."""

MAXIMUM_SEED = 2**63 - 1

SETTINGS = by_name(
    Input(
        name="duration_ns",
        term="Simulation length",
        help="production time",
        default=5.0,
        unit="ns",
        low=0.001,
        high=1000.0,
        key="ns",
        metavar="NS",
    ),
    Input(
        name="target_error",
        term="Stop at error",
        help="stop when both profiles have converged to this median relative error, e.g. 0.5%; "
        "the production time is then an upper limit and defaults to 50 ns",
        unset="none",
        low=0.0002,
        high=0.5,
        key="error",
        metavar="FRACTION",
    ),
    Input(
        name="seed",
        term="Seed",
        help="random seed",
        default=1,
        low=0,
        high=MAXIMUM_SEED,
        whole=True,
        metavar="N",
    ),
    Input(
        name="replicas",
        term="Replicas",
        help="independent replicas to average over",
        default=registry.get(registry.DEFAULT).replicas,
        low=1,
        high=64,
        whole=True,
        metavar="N",
    ),
    Input(
        name="engine",
        term="Engine",
        help="simulation engine",
        default=registry.DEFAULT,
        choices=registry.ENGINES,
    ),
    Input(
        name="electrostatics",
        term="Electrostatics",
        help="method for the long-range part of the Coulomb interaction",
        default="periodic",
        choices=("periodic", "sheets"),
    ),
    Input(
        name="thermostat",
        term="Thermostat",
        help="thermostat",
        default="langevin",
        choices=("langevin", "nose-hoover", "none"),
    ),
    Input(
        name="time_step",
        term="Time step",
        help="time step in units of the Lennard-Jones time of the smaller ion",
        default=0.005,
        unit="τ",
        low=0.0001,
        high=0.02,
        metavar="TAU",
    ),
    Input(
        name="coulomb_split",
        term="Coulomb split",
        help="time steps between evaluations of the Coulomb forces, an odd number; "
        "the default becomes 1 where ions or walls attract strongly",
        default=5,
        low=1,
        high=9,
        whole=True,
        metavar="N",
    ),
    Input(
        name="precision",
        term="Precision",
        help="floating-point precision of the pair forces",
        default="single",
        choices=("single", "double"),
    ),
    Input(
        name="snapshots",
        term="Snapshots",
        help="number of configurations to save in trajectory.*",
        default=0,
        low=0,
        high=100_000,
        whole=True,
        metavar="N",
    ),
)
"""Settings of a run, in the order of the fields of `RunSettings`."""


ENGINE_DEFAULT: Any = None
"""Number of replicas that stands for the default of the engine."""


def _default(name: str) -> Any:
    return SETTINGS[name].default


@dataclass(frozen=True)
class RunSettings:
    """Settings of a simulation.

    Parameters
    ----------
    duration_ns : float
        Production time (ns), summed over the replicas; with a target error, an upper limit.
    target_error : float, optional
        Stop the run as soon as it has converged to this median relative error (0.005 is 0.5 %).
    seed : int
        Seed of all random numbers; it reproduces a result bit for bit on the same machine.
    replicas : int
        Number of independent simulations that are averaged; they run in parallel if there are
        enough cores. By default 2, or 64 with the CUDA engine.
    engine : str
        Name of the program that executes the run, such as ``"numba"`` (this package) or
        ``"lammps"``: one of `backend.engines.registry.names`.
    electrostatics : {"periodic", "sheets"}
        Long-range part of the Coulomb interaction in x and y: all periodic images, or the nearest
        image and charged sheets that replace the others (as in the published in-house code).
    thermostat : {"langevin", "nose-hoover", "none"}
        BAOAB Langevin dynamics, a Nosé-Hoover chain, or constant energy.
    time_step : float
        Time step in units of τ, the Lennard-Jones time of the smaller ion
        (`SlitSystem.time_unit_ns`).
    coulomb_split : int
        Number of time steps per evaluation of the Coulomb forces (reversible multiple time
        steps); odd, 1 for every step. See `for_system`.
    precision : {"single", "double"}
        Floating-point precision of the pair forces.
    snapshots : int
        Number of configurations of the first replica to save, evenly spaced over the longest
        possible run; the limit depends on the number of ions
        (`backend.sampling.trajectory.check_snapshots`).

    Raises
    ------
    InvalidInput
        One line with the parameter, its value and the allowed values.
    """

    duration_ns: float = _default("duration_ns")
    target_error: float | None = _default("target_error")
    seed: int = _default("seed")
    replicas: int = ENGINE_DEFAULT
    engine: str = _default("engine")
    electrostatics: str = _default("electrostatics")
    thermostat: str = _default("thermostat")
    time_step: float = _default("time_step")
    coulomb_split: int = _default("coulomb_split")
    precision: str = _default("precision")
    snapshots: int = _default("snapshots")

    def __post_init__(self) -> None:
        engine = registry.get(SETTINGS["engine"].check(self.engine))
        if self.replicas is ENGINE_DEFAULT:
            object.__setattr__(self, "replicas", engine.replicas)
        for each in fields(self):
            value = SETTINGS[each.name].check(getattr(self, each.name))
            object.__setattr__(self, each.name, value)
        for name, supported in (
            ("electrostatics", engine.electrostatics),
            ("thermostat", engine.thermostats),
            ("precision", engine.precisions),
        ):
            if (value := getattr(self, name)) not in supported:
                allowed = f"{engine.title} supports only {', '.join(supported)}"
                raise InvalidInput(name, value, allowed)
        if self.coulomb_split % 2 == 0:
            raise InvalidInput("coulomb_split", self.coulomb_split, "must be odd (1, 3, 5, 7 or 9)")

    def with_engine(self, name: str) -> Self:
        """Return the settings for another engine, with its default number of replicas.

        A number of replicas other than the default of the present engine is kept.
        """
        default = self.replicas == registry.get(self.engine).replicas
        replicas = ENGINE_DEFAULT if default else self.replicas
        return replace(self, engine=name, replicas=replicas)

    def for_system(self, system: SlitSystem) -> Self:
        """Return the settings with which a system is simulated.

        Where ions or walls attract so strongly that the default of `coulomb_split` would make the
        profiles inaccurate, it is replaced by 1. Any other value is kept.
        """
        default = self.coulomb_split == SETTINGS["coulomb_split"].default
        if default and system.has_stiff_coulomb_forces:
            return replace(self, coulomb_split=1)
        return self

    @property
    def steps_per_sample(self) -> int:
        """Time steps between two samples of the profile."""
        interval = self.time_step * self.coulomb_split
        return self.coulomb_split * max(1, round(SAMPLE_TIME / interval))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, without those that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read the settings that `to_dict` returns; raise `InvalidInput` for an unknown name."""
        known = [field.name for field in fields(cls)]
        for name, value in values.items():
            if name not in known:
                raise InvalidInput(name, value, f"is not a setting; known: {', '.join(known)}")
        return cls(**values)


def duration_of_steps(system: SlitSystem, steps: int) -> float:
    """Return the duration (ns) of a number of published time steps of 0.001 τ."""
    return steps * PUBLISHED_TIME_STEP * system.time_unit_ns
