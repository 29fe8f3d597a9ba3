"""The inputs of the network: which systems a model has learnt, and the refusal of all others."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from backend.inputs import SYSTEM, InvalidInput, Range
from backend.system import SlitSystem

INPUTS = (
    "confinement_length",
    "positive_valency",
    "negative_valency",
    "salt_concentration",
    "positive_diameter",
)
"""The network's inputs (h, z₊, z₋, c, d), in its order."""

WITHOUT_RANGE = ("negative_diameter", "negative_ions")
"""Inputs that need no range: both diameters are equal, and the box leaves the profile as it is."""

EDGE = 0.05
"""Ranges begin and end at multiples of this."""

TOLERANCE = 1e-9
"""Relative slack at the edges, so that 3 × 1.1 nm counts as 3.3 nm."""


class ExtrapolationWarning(UserWarning):
    """A prediction outside the range that the model has learnt; its error is not known."""


def network_inputs(systems: Sequence[SlitSystem]) -> np.ndarray:
    """The network's inputs, shape (systems, 5), in nm, e and M."""
    return input_values(systems, INPUTS)


def input_values(systems: Sequence[SlitSystem], names: Sequence[str]) -> np.ndarray:
    """Values of some inputs, shape (systems, names)."""
    rows = [[getattr(system, name) for name in names] for system in systems]
    return np.array(rows, dtype=float).reshape(-1, len(names))


def continuous_inputs() -> tuple[str, ...]:
    """The network's inputs that are no whole numbers (h, c, d)."""
    return tuple(name for name in INPUTS if not SYSTEM[name].whole)


def fixed_inputs() -> tuple[str, ...]:
    """Inputs of a system that are no inputs of the network, which has learnt one value of each."""
    return tuple(name for name in SYSTEM if name not in (*INPUTS, *WITHOUT_RANGE))


def mean_density(system: SlitSystem, species: str) -> float:
    """Mean density (M) of the ions over the slit, which the inputs fix: c, or c|z₋|/z₊."""
    negative = system.salt_concentration
    if species == "negative":
        return negative
    return -system.negative_valency * negative / system.positive_valency


@dataclass(frozen=True)
class Domain:
    """The systems that a model has learnt.

    Attributes
    ----------
    ranges : dict of str to Range
        Learnt range of each of the network's inputs.
    fixed : dict of str to object
        The one value it has learnt of each other input. Both ions have the same diameter.
    """

    ranges: dict[str, Range]
    fixed: dict[str, Any]

    @classmethod
    def of(cls, systems: Sequence[SlitSystem]) -> Self:
        """The domain of training systems.

        Each range is that of the systems, rounded outward to a multiple of 0.05: systems drawn at
        random between bounds never quite reach them.

        Raises
        ------
        ValueError
            The systems differ in what is no input of the network.
        """
        fixed = {name: _only_value(systems, name) for name in fixed_inputs()}
        if any(system.diameters[0] != system.diameters[1] for system in systems):
            raise ValueError("the network learns ions of equal diameters only")
        rows = network_inputs(systems)
        bounds = zip(INPUTS, rows.min(axis=0), rows.max(axis=0), strict=True)
        return cls(
            {
                name: Range(_floor(low), _ceil(high), SYSTEM[name].unit)
                for name, low, high in bounds
            },
            fixed,
        )

    def check(self, system: SlitSystem, extrapolate: bool = False) -> None:
        """Refuse a system outside the domain.

        Parameters
        ----------
        system : SlitSystem
            What is to be predicted.
        extrapolate : bool
            Warn (`ExtrapolationWarning`) instead of refusing, where an input that the network has
            seen vary lies outside its range. An input that it never saw vary is always refused: the
            answer would not depend on it.

        Raises
        ------
        InvalidInput
            One line with the parameter, its value and the learnt range.
        """
        for problem in self.problems(system):
            learnt = self.ranges.get(problem.parameter)
            if not extrapolate or learnt is None or learnt.low == learnt.high:
                raise problem
            warnings.warn(f"{problem}; its error out there is not known", ExtrapolationWarning, 3)

    def problems(self, system: SlitSystem) -> list[InvalidInput]:
        """What lies outside the domain, one line each with the parameter and the learnt range."""
        found = [
            InvalidInput(name, getattr(system, name), self._only(name, learnt))
            for name, learnt in self.fixed.items()
            if getattr(system, name) != learnt
        ]
        if not math.isclose(*system.diameters, rel_tol=TOLERANCE):
            allowed = f"must equal positive_diameter, {system.positive_diameter:g} nm: "
            allowed += "the surrogate has learnt ions of equal size only"
            found.append(InvalidInput("negative_diameter", system.negative_diameter, allowed))
        for name, learnt in self.ranges.items():
            value = getattr(system, name)
            slack = TOLERANCE * max(abs(learnt.low), abs(learnt.high))
            if not learnt.low - slack <= value <= learnt.high + slack:
                found.append(InvalidInput(name, value, self._allowed(name, learnt)))
        return found

    def _allowed(self, name: str, learnt: Range) -> str:
        if learnt.low == learnt.high:
            return self._only(name, learnt.low)
        return f"{learnt}, the range that the surrogate has learnt"

    @staticmethod
    def _only(name: str, learnt: object) -> str:
        unit = SYSTEM[name].unit if name in SYSTEM else ""
        value = f"{learnt:g}" if isinstance(learnt, float | int) else str(learnt)
        return f"must be {value} {unit}".rstrip() + ", the only value that the surrogate has learnt"

    # --- on disk ----------------------------------------------------------------------------

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read the section ``domain`` of a model's card."""
        ranges = {name: Range(**allowed) for name, allowed in values["ranges"].items()}
        return cls(ranges, values["fixed"])


def _only_value(systems: Sequence[SlitSystem], name: str) -> Any:
    values = {getattr(system, name) for system in systems}
    if len(values) != 1:
        raise ValueError(f"the network learns one {name} only, and the data have {sorted(values)}")
    return values.pop()


def _floor(value: float) -> float:
    return round(math.floor(value / EDGE + TOLERANCE) * EDGE, 10)


def _ceil(value: float) -> float:
    return round(math.ceil(value / EDGE - TOLERANCE) * EDGE, 10)
