"""Preset systems: those from the paper, and common salts with hydrated ion sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.system import SlitSystem

if TYPE_CHECKING:
    from nanoconf.surrogate.domain import Domain

HYDRATED_RADII = {
    "Li": 0.382,
    "Na": 0.358,
    "K": 0.331,
    "Mg": 0.428,
    "Ca": 0.412,
    "La": 0.452,
    "Cl": 0.332,
    "SO₄": 0.379,
}
"""Radii of hydrated ions (nm): E. R. Nightingale, J. Phys. Chem. 63, 1381 (1959)."""

SALTS = {
    "NaCl": ("Na", 1, "Cl", -1),
    "KCl": ("K", 1, "Cl", -1),
    "LiCl": ("Li", 1, "Cl", -1),
    "MgCl₂": ("Mg", 2, "Cl", -1),
    "CaCl₂": ("Ca", 2, "Cl", -1),
    "LaCl₃": ("La", 3, "Cl", -1),
    "Na₂SO₄": ("Na", 1, "SO₄", -2),
}
"""Ions of each salt, with their valencies."""

SALT_WIDTH, SALT_CONCENTRATION = 4.0, 0.3
"""Slit width (nm) and concentration of the negative ions (M) for the salts."""

SIMULATION_ONLY = "(simulation only)"
"""Mark of a preset outside the training range of the surrogate."""


@dataclass(frozen=True)
class Preset:
    """A named system.

    Attributes
    ----------
    name : str
        Its name in the list.
    system : SlitSystem
        The system.
    """

    name: str
    system: SlitSystem

    def label(self, domain: Domain | None) -> str:
        """Return its entry in the list, given the domain of the surrogate once it is known."""
        outside = domain is not None and domain.problems(self.system)
        return f"{self.name} {SIMULATION_ONLY}" if outside else self.name


def presets() -> list[Preset]:
    """Return all presets, in the order of the list."""
    from nanoconf.data.published import SYSTEMS, TRENDS

    papers = [Preset(f"Paper, system {name}", system) for name, system in SYSTEMS.items()]
    series = [Preset(f"Paper, Fig. 6: {name}", system) for name, system in TRENDS.items()]
    return [*papers, *series, *map(_salt, SALTS)]


def _salt(name: str) -> Preset:
    positive, positive_valency, negative, negative_valency = SALTS[name]
    system = SlitSystem(
        confinement_length=SALT_WIDTH,
        positive_valency=positive_valency,
        negative_valency=negative_valency,
        salt_concentration=SALT_CONCENTRATION,
        positive_diameter=round(2 * HYDRATED_RADII[positive], 3),
        negative_diameter=round(2 * HYDRATED_RADII[negative], 3),
    )
    return Preset(f"{name}, hydrated ions", system)
