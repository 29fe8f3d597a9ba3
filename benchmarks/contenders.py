"""Setups to compare: our engine and LAMMPS, each with several ways to compute the forces."""

from __future__ import annotations

from dataclasses import dataclass

from backend.engines.lammps.program import Program
from backend.engines.lammps.script import Method
from backend.settings import RunSettings
from backend.system import SlitSystem

SYSTEMS = {
    "default": SlitSystem(),
    "paper II": SlitSystem(3.6, 3, -1, 0.9, 0.75),
}
"""Systems with 424 and 284 ions."""


@dataclass(frozen=True)
class Contender:
    """An engine with its settings.

    Attributes
    ----------
    name : str
    settings : RunSettings
    method : Method or None
        Force computation of LAMMPS; None for our own engine.
    """

    name: str
    settings: RunSettings
    method: Method | None = None


EVERY_STEP = Contender(
    "nanoconf, all forces every step",
    RunSettings(replicas=1, coulomb_split=1),
)
SHEETS = Contender(
    "nanoconf, sheets, all forces every step",
    RunSettings(replicas=1, coulomb_split=1, electrostatics="sheets"),
)
MULTIPLE = Contender("nanoconf, multiple time steps (default)", RunSettings(replicas=1))

OURS = [EVERY_STEP, SHEETS, MULTIPLE]

FAST_LAMMPS = "LAMMPS, PPPM 1e-3, 6 σ, order 5, slab 3"
"""Name of the reference for all ratios."""


def lammps(program: Program, system: SlitSystem) -> list[Contender]:
    """Return the LAMMPS setups, with the fastest styles that the program supports."""
    suffix = program.suffix
    settings = RunSettings(replicas=1, engine="lammps")
    gap = Method.of(system).slab
    methods = {
        FAST_LAMMPS: Method(6.0, 1e-3, 5, 3.0, suffix=suffix),
        "LAMMPS, PPPM 1e-4, 7 σ, order 6, slab 3": Method(7.0, 1e-4, 6, 3.0, suffix=suffix),
        f"LAMMPS, PPPM 1e-3, 6 σ, order 5, slab {gap:.1f}": Method(
            6.0, 1e-3, 5, gap, suffix=suffix
        ),
    }
    return [Contender(name, settings, method) for name, method in methods.items()]
