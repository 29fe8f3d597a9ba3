"""Physical system: an electrolyte between two walls, its units and its validation.

The primitive model: charged soft spheres in a uniform dielectric, confined in z between
walls at z = ±h/2 and periodic in x and y. Lengths are in nm, concentrations in mol/L (M), valencies
in elementary charges, surface charge densities in C/m², temperatures in K.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

from backend import constants
from backend.inputs import MAXIMUM_IONS, SYSTEM, Range, checked
from backend.inputs import InvalidInput as InvalidInput

SPECIES = ("positive", "negative")
"""Names of the two ion species, in the order of every array that holds both."""

MOLAR = constants.N_A * 1e-24
"""Ions per nm³ at a concentration of 1 mol/L."""

ION_MASS = 23 * constants.atomic_mass
"""Mass of every ion (kg); it sets the unit of time and does not affect the profile."""

MINIMUM_NEGATIVE_IONS = 212
MINIMUM_BOX_TO_WIDTH = 2.4
MINIMUM_BOX_TO_DEBYE = 20.0
MAXIMUM_PACKING = 0.40

FAST_WIDTH, FAST_COUPLING = 8.0, 4.3
"""Largest slit width (diameters of the larger ion) and largest coupling in the paper's dataset."""

WEAK_WALL_FORCE = 2.0
"""Largest force of a charged wall on its counterions (k_BT per diameter of the smaller ion) that
counts as weak."""


def _default(name: str) -> Any:
    return SYSTEM[name].default


@dataclass(frozen=True)
class SlitSystem:
    """Ions between two walls.

    Parameters
    ----------
    confinement_length : float
        Distance h between the walls (nm), which are at z = ±h/2.
    positive_valency, negative_valency : int
        Ion charges z₊ > 0 and z₋ < 0 (e).
    salt_concentration : float
        Concentration c of the negative ions, N₋/(N_A L² h), over the whole slit width (M).
    positive_diameter : float
        Diameter d of the positive ions (nm).
    negative_diameter : float, optional
        Diameter of the negative ions (nm); by default that of the positive ions.
    wall : {"ion", "plane"}
        ``"ion"``: WCA of size d from a dummy ion of the same diameter that touches the wall from
        behind. ``"plane"``: WCA of size d/2 from the wall plane. In both cases the contact plane
        is at h/2 − d/2.
    surface_charge_density : float
        Charge density σ of each wall (C/m²), zero or negative, balanced by positive ions.
    temperature : float
        Temperature (K).
    relative_permittivity : float
        Relative permittivity of the uniform dielectric.
    negative_ions : int, optional
        Number of negative ions, which sets the size of the periodic box; by default 212, or more
        if the box requires it.

    Raises
    ------
    InvalidInput
        One line with the parameter, its value and the allowed values.
    """

    confinement_length: float = _default("confinement_length")
    positive_valency: int = _default("positive_valency")
    negative_valency: int = _default("negative_valency")
    salt_concentration: float = _default("salt_concentration")
    positive_diameter: float = _default("positive_diameter")
    negative_diameter: float | None = _default("negative_diameter")
    wall: str = _default("wall")
    surface_charge_density: float = _default("surface_charge_density")
    temperature: float = _default("temperature")
    relative_permittivity: float = _default("relative_permittivity")
    negative_ions: int | None = _default("negative_ions")

    def __post_init__(self) -> None:
        if self.negative_diameter is None:
            object.__setattr__(self, "negative_diameter", self.positive_diameter)
        for each in fields(self):
            value = SYSTEM[each.name].check(getattr(self, each.name))
            object.__setattr__(self, each.name, value)
        self._check_fit()
        self._check_packing()
        self._check_negative_ions()
        self._check_ion_count()

    def _check_fit(self) -> None:
        largest = max(self.diameters)
        if self.confinement_length < 1.2 * largest:
            raise InvalidInput(
                "confinement_length",
                self.confinement_length,
                f"must be at least {1.2 * largest:.4g} nm (1.2 diameters), so that ions of "
                f"{largest:g} nm fit between the walls",
            )

    def _check_packing(self) -> None:
        if self.packing_fraction > MAXIMUM_PACKING:
            reachable = self.salt_concentration * MAXIMUM_PACKING / self.packing_fraction
            raise InvalidInput(
                "salt_concentration",
                self.salt_concentration,
                f"ions of {max(self.diameters):g} nm would fill {self.packing_fraction:.0%} of the "
                f"slit; the limit is {MAXIMUM_PACKING:.0%} ({reachable:.3g} M here)",
            )

    def _check_negative_ions(self) -> None:
        """Check `negative_ions`; the default number is stored as None."""
        if self.negative_ions is None:
            return
        multiple, least = self._negative_multiple, self.fewest_negative_ions
        allowed = Range(least, MAXIMUM_IONS, f"and be a multiple of {multiple}")
        number = checked("negative_ions", self.negative_ions, allowed, whole=True)
        if number % multiple:
            raise InvalidInput("negative_ions", self.negative_ions, str(allowed))
        usual = max(_whole_multiple(MINIMUM_NEGATIVE_IONS, multiple), least)
        object.__setattr__(self, "negative_ions", None if number == usual else number)

    def _check_ion_count(self) -> None:
        if self.ion_count > MAXIMUM_IONS:
            raise InvalidInput(
                "confinement_length",
                self.confinement_length,
                f"this slit needs {self.ion_count} ions (its box must be at least "
                f"{MINIMUM_BOX_TO_WIDTH} slit widths long); the limit is {MAXIMUM_IONS}: reduce "
                "the width or the concentration",
            )

    # --- ions -------------------------------------------------------------------------------

    @property
    def valencies(self) -> tuple[int, int]:
        """Valencies (z₊, z₋)."""
        return self.positive_valency, self.negative_valency

    @property
    def diameters(self) -> tuple[float, float]:
        """Diameters (d₊, d₋) in nm."""
        assert self.negative_diameter is not None
        return self.positive_diameter, self.negative_diameter

    @property
    def smaller_diameter(self) -> float:
        """Diameter of the smaller ion (nm), which sets the Lennard-Jones time τ."""
        return min(self.diameters)

    @property
    def diameter_ratio(self) -> float:
        """Ratio of the larger to the smaller diameter, at least 1."""
        return max(self.diameters) / self.smaller_diameter

    @property
    def _negative_multiple(self) -> int:
        """Number that must divide N₋, so that N₊ is whole."""
        return self.positive_valency // math.gcd(self.positive_valency, -self.negative_valency)

    @property
    def fewest_negative_ions(self) -> int:
        """Smallest number of negative ions that makes the box large enough."""
        side = max(
            MINIMUM_BOX_TO_WIDTH * self.confinement_length,
            MINIMUM_BOX_TO_DEBYE * self.debye_length,
        )
        density = self.salt_concentration * MOLAR * self.confinement_length
        return _whole_multiple(density * side**2, self._negative_multiple)

    @cached_property
    def counts(self) -> tuple[int, int]:
        """Numbers of ions (N₊, N₋).

        By default N₋ is the smallest number, at least 212, that makes N₊ whole and the box large
        enough. Charged walls add counterions, rounded to whole ions.
        """
        usual = _whole_multiple(MINIMUM_NEGATIVE_IONS, self._negative_multiple)
        negative = self.negative_ions or max(usual, self.fewest_negative_ions)
        area = negative / (self.salt_concentration * MOLAR * self.confinement_length)
        wall_charge = -2 * self.surface_charge_density * area * 1e-18 / constants.e
        counterions = round(wall_charge / self.positive_valency)
        positive = -self.negative_valency * negative // self.positive_valency + counterions
        return positive, negative

    @property
    def ion_count(self) -> int:
        """Number of ions of both species together."""
        return sum(self.counts)

    @cached_property
    def box_length(self) -> float:
        """Side L of the periodic box in x and y (nm), which makes the concentration exact."""
        per_area = self.salt_concentration * MOLAR * self.confinement_length
        return math.sqrt(self.counts[1] / per_area)

    @property
    def actual_surface_charge_density(self) -> float:
        """Charge density of each wall (C/m²) that the whole number of counterions balances."""
        charge = sum(n * z for n, z in zip(self.counts, self.valencies, strict=True))
        return -charge * constants.e / (2 * self.box_length**2 * 1e-18)

    @property
    def packing_fraction(self) -> float:
        """Fraction of the slit's volume that the ions fill."""
        negative = self.salt_concentration * MOLAR
        positive = -self.negative_valency * negative / self.positive_valency
        d_positive, d_negative = self.diameters
        return math.pi / 6 * (positive * d_positive**3 + negative * d_negative**3)

    # --- lengths, energies, time ------------------------------------------------------------

    @property
    def bjerrum_length(self) -> float:
        """Distance (nm) at which two unit charges interact with an energy of k_BT."""
        energy = 4 * math.pi * constants.epsilon_0 * self.relative_permittivity
        return 1e9 * constants.e**2 / (energy * constants.k * self.temperature)

    @property
    def coupling(self) -> float:
        """Energy (k_BT) of two ions of opposite charge in contact, z₊ |z₋| l_B / d."""
        mean_diameter = sum(self.diameters) / 2
        return -self.positive_valency * self.negative_valency * self.bjerrum_length / mean_diameter

    @property
    def debye_length(self) -> float:
        """Debye screening length (nm) at the mean concentrations."""
        negative = self.salt_concentration * MOLAR
        positive = -self.negative_valency * negative / self.positive_valency
        strength = positive * self.positive_valency**2 + negative * self.negative_valency**2
        return 1 / math.sqrt(4 * math.pi * self.bjerrum_length * strength)

    @property
    def time_unit_ns(self) -> float:
        """Lennard-Jones time τ = d √(m/k_BT) of the smaller ion in ns (2.2 ps by default).

        Contact forces of small ions change over the shortest distances, so the smaller ion sets
        the time step, which is given in τ.
        """
        thermal_speed = math.sqrt(constants.k * self.temperature / ION_MASS)
        return self.smaller_diameter / thermal_speed

    @property
    def contact_planes(self) -> tuple[float, float]:
        """Distance |z| (nm) at which ions of each species touch the wall, h/2 − d/2."""
        d_positive, d_negative = self.diameters
        return (
            (self.confinement_length - d_positive) / 2,
            (self.confinement_length - d_negative) / 2,
        )

    # --- on disk ----------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the inputs as plain JSON values, without those that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def key(self) -> dict[str, Any]:
        """Return the part of a cache key that identifies this system.

        It holds the inputs and the differences from earlier versions that change the results,
        which must then not be reused or resumed:

        - τ was that of the positive ion. With ions of equal size it is the same.
        - Equilibration lasted 100 τ. Where ions relax as fast as in the paper, it still does.
        - Contact forces were sampled with the Coulomb forces. Where ions and walls attract as
          weakly as in the paper, that changes the profiles by less than their errors.
        """
        values = self.to_dict()
        if self.diameter_ratio > 1:
            values["time_unit"] = "smaller ion"
        if not self._relaxes_fast:
            values["equilibration"] = "measured"
        if self._attracts_strongly:
            values["contact_forces"] = "averaged"
        return values

    @property
    def _relaxes_fast(self) -> bool:
        """True if 100 τ of the larger ion are known to be 40 relaxation times (docs/engine.md)."""
        width = self.confinement_length / max(self.diameters)
        return width <= FAST_WIDTH and self.coupling <= FAST_COUPLING

    @property
    def _attracts_strongly(self) -> bool:
        charge = abs(self.surface_charge_density) * 1e-18 / constants.e
        field = 4 * math.pi * self.bjerrum_length * charge  # k_BT per e and nm
        wall_force = field * self.positive_valency * self.smaller_diameter
        return self.coupling > FAST_COUPLING or wall_force > WEAK_WALL_FORCE

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read the system that `to_dict` returns; raise `InvalidInput` for an unknown name."""
        known = [field.name for field in fields(cls)]
        for name, value in values.items():
            if name not in known:
                raise InvalidInput(name, value, f"is not an input; known: {', '.join(known)}")
        return cls(**values)

    def replace(self, **changes: Any) -> Self:
        """Return a copy of the system with some inputs changed."""
        return replace(self, **changes)


def _whole_multiple(number: float, multiple: int) -> int:
    """Return the smallest multiple of `multiple` that is at least `number`."""
    return multiple * math.ceil(number / multiple - 1e-9)


def canonical_hash(values: dict[str, Any]) -> str:
    """Return the SHA-256 of sorted JSON: a key that equal inputs share, not an ID."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
