"""How a system is simulated: length, seed, replicas, integrator."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from backend.engines import registry
from backend.system import InvalidInput, Range, SlitSystem, checked

PUBLISHED_TIME_STEP = 0.001
"""Time step of the published runs (τ of the smaller ion): what a number of steps (`-S`) counts."""

SAMPLE_TIME = 0.05
"""Time from one sample of the profile to the next (τ), about: more would leave the errors as they
are, half as many would raise them by an eighth."""

MAXIMUM_SEED = 2**63 - 1

CHOICES = {
    "electrostatics": ("periodic", "sheets"),
    "thermostat": ("langevin", "nose-hoover", "none"),
    "precision": ("single", "double"),
}

ALLOWED = {
    "duration_ns": Range(0.001, 1000.0, "ns"),
    "target_error": Range(0.0002, 0.5, ""),
    "seed": Range(0, MAXIMUM_SEED, ""),
    "replicas": Range(1, 64, ""),
    "time_step": Range(0.0001, 0.02, "τ"),
    "coulomb_split": Range(1, 9, ""),
    "snapshots": Range(0, 100_000, ""),
}


OPTIONAL = ("target_error",)
"""Settings that may be left open."""

WHOLE = ("seed", "replicas", "coulomb_split", "snapshots")
"""Settings that are whole numbers."""


def choices() -> dict[str, tuple[str, ...]]:
    """Words that each setting allows; the engines are those registered at present."""
    return {"engine": registry.names(), **CHOICES}


@dataclass(frozen=True)
class RunSettings:
    """How a system is simulated.

    Parameters
    ----------
    duration_ns : float
        Production time (ns), summed over the replicas; with a target error, the most there may be.
    target_error : float, optional
        Ends the run as soon as it has converged to this median relative error (0.005 is 0.5 %).
    seed : int
        Seed of all random numbers; it reproduces a result bit for bit on one machine.
    replicas : int
        Independent simulations that are averaged; they run side by side where there are cores.
    engine : str
        Name of the program that computes the run, such as ``"numba"`` (this package) or
        ``"lammps"``: one of `backend.engines.registry.names`.
    electrostatics : {"periodic", "sheets"}
        Long range of the Coulomb interaction in x and y: all periodic images, or the nearest and
        charged sheets in place of the others (as the published in-house code has it).
    thermostat : {"langevin", "nose-hoover", "none"}
        BAOAB Langevin dynamics, a Nosé-Hoover chain, or constant energy.
    time_step : float
        Time step in units of τ, the Lennard-Jones time of the smaller ion
        (`SlitSystem.time_unit_ns`).
    coulomb_split : int
        Coulomb forces are evaluated every so many time steps (reversible multiple time steps); an
        odd number, 1 for every step.
    precision : {"single", "double"}
        Arithmetic of the pair forces.
    snapshots : int
        Configurations of the first replica to keep, evenly spaced over the (longest) run; how
        many there may be depends on the number of ions
        (`backend.sampling.trajectory.check_snapshots`).

    Raises
    ------
    InvalidInput
        One line with the parameter, its value and what is allowed.
    """

    duration_ns: float = 5.0
    target_error: float | None = None
    seed: int = 1
    replicas: int = 2
    engine: str = registry.DEFAULT
    electrostatics: str = "periodic"
    thermostat: str = "langevin"
    time_step: float = 0.005
    coulomb_split: int = 5
    precision: str = "single"
    snapshots: int = 0

    def __post_init__(self) -> None:
        for name, allowed in ALLOWED.items():
            if getattr(self, name) is None and name in OPTIONAL:
                continue
            value = checked(name, getattr(self, name), allowed, whole=name in WHOLE)
            object.__setattr__(self, name, value)
        for name, words in choices().items():
            if getattr(self, name) not in words:
                allowed_words = f"must be one of {', '.join(words)}"
                raise InvalidInput(name, getattr(self, name), allowed_words)
        engine = registry.get(self.engine)
        if self.electrostatics not in engine.electrostatics:
            supported = f"{engine.title} only has {', '.join(engine.electrostatics)}"
            raise InvalidInput("electrostatics", self.electrostatics, supported)
        if self.coulomb_split % 2 == 0:
            raise InvalidInput("coulomb_split", self.coulomb_split, "must be odd (1, 3, 5, 7 or 9)")

    @property
    def steps_per_sample(self) -> int:
        """Time steps from one sample of the profile to the next."""
        interval = self.time_step * self.coulomb_split
        return self.coulomb_split * max(1, round(SAMPLE_TIME / interval))

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values, less those left open; `from_dict` reads them back."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The settings of `to_dict`; an unknown name is an `InvalidInput`."""
        known = [field.name for field in fields(cls)]
        for name, value in values.items():
            if name not in known:
                raise InvalidInput(name, value, f"is not a setting; known: {', '.join(known)}")
        return cls(**values)


def duration_of_steps(system: SlitSystem, steps: int) -> float:
    """Duration (ns) of so many published time steps of 0.001 τ."""
    return steps * PUBLISHED_TIME_STEP * system.time_unit_ns
