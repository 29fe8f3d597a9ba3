"""Inputs of the network and the domain of a model: the systems that it was trained for."""

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
"""Inputs of the network (h, z₊, z₋, c, d), in order."""

WITHOUT_RANGE = ("negative_diameter", "negative_ions")
"""Inputs without a range: the diameters are equal, and the box size does not affect the profile."""

EDGE = 0.05
"""Bounds of the ranges are multiples of this."""

TOLERANCE = 1e-9
"""Relative tolerance at the bounds, so that 3 × 1.1 nm counts as 3.3 nm."""


TRAINING_RANGE = "the training range of the surrogate"
"""End of the messages about inputs outside this range."""


class ExtrapolationWarning(UserWarning):
    """Warning about a prediction outside the training range, where its error is unknown."""


def network_inputs(systems: Sequence[SlitSystem]) -> np.ndarray:
    """Return the inputs of the network, shape (systems, 5), in nm, e and M."""
    return input_values(systems, INPUTS)


def input_values(systems: Sequence[SlitSystem], names: Sequence[str]) -> np.ndarray:
    """Return the values of the named inputs, shape (systems, names)."""
    rows = [[getattr(system, name) for name in names] for system in systems]
    return np.array(rows, dtype=float).reshape(-1, len(names))


def continuous_inputs() -> tuple[str, ...]:
    """Return the inputs of the network that are not whole numbers (h, c, d)."""
    return tuple(name for name in INPUTS if not SYSTEM[name].whole)


def fixed_inputs() -> tuple[str, ...]:
    """Return the inputs of a system that have the same value in all training data."""
    return tuple(name for name in SYSTEM if name not in (*INPUTS, *WITHOUT_RANGE))


def mean_density(system: SlitSystem, species: str) -> float:
    """Return the mean density (M) over the slit: c, or c|z₋|/z₊ for positive ions."""
    negative = system.salt_concentration
    if species == "negative":
        return negative
    return -system.negative_valency * negative / system.positive_valency


@dataclass(frozen=True)
class Domain:
    """Systems that a model was trained for. Both ions have the same diameter.

    Attributes
    ----------
    ranges : dict of str to Range
        Training range of each input of the network.
    fixed : dict of str to object
        Value of each other input in the training data.
    """

    ranges: dict[str, Range]
    fixed: dict[str, Any]

    @classmethod
    def of(cls, systems: Sequence[SlitSystem]) -> Self:
        """Return the domain of training systems.

        The ranges are rounded outward to multiples of 0.05, because systems drawn at random
        between two bounds never quite reach them.

        Raises
        ------
        ValueError
            If the systems differ in an input that the network does not have.
        """
        fixed = {name: _only_value(systems, name) for name in fixed_inputs()}
        if any(system.diameters[0] != system.diameters[1] for system in systems):
            raise ValueError("the network can only be trained for ions of equal diameter")
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
        """Raise `InvalidInput` if a system is outside the domain.

        Parameters
        ----------
        system : SlitSystem
            System to predict.
        extrapolate : bool
            Issue an `ExtrapolationWarning` instead if the input varies in the training data. An
            input that does not vary there is always rejected, as the prediction would not depend
            on it.

        Raises
        ------
        InvalidInput
            The one-line message gives the parameter, its value and its training range.
        """
        for problem in self.problems(system):
            trained = self.ranges.get(problem.parameter)
            if not extrapolate or trained is None or trained.low == trained.high:
                raise problem
            warnings.warn(f"{problem}; the error there is unknown", ExtrapolationWarning, 3)

    def problems(self, system: SlitSystem) -> list[InvalidInput]:
        """Return the inputs outside the domain, each as an error with its training range."""
        found = [
            InvalidInput(name, getattr(system, name), self._only(name, value))
            for name, value in self.fixed.items()
            if getattr(system, name) != value
        ]
        if not math.isclose(*system.diameters, rel_tol=TOLERANCE):
            allowed = f"must equal positive_diameter, {system.positive_diameter:g} nm: "
            allowed += "the surrogate is trained for ions of equal diameter only"
            found.append(InvalidInput("negative_diameter", system.negative_diameter, allowed))
        for name, trained in self.ranges.items():
            value = getattr(system, name)
            slack = TOLERANCE * max(abs(trained.low), abs(trained.high))
            if not trained.low - slack <= value <= trained.high + slack:
                found.append(InvalidInput(name, value, self._allowed(name, trained)))
        return found

    def _allowed(self, name: str, trained: Range) -> str:
        if trained.low == trained.high:
            return self._only(name, trained.low)
        return f"{trained}, {TRAINING_RANGE}"

    @staticmethod
    def _only(name: str, value: object) -> str:
        unit = SYSTEM[name].unit if name in SYSTEM else ""
        text = f"{value:g}" if isinstance(value, float | int) else str(value)
        return (
            f"must be {text} {unit}".rstrip() + ", the only value that the surrogate is trained for"
        )

    # --- on disk ----------------------------------------------------------------------------

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read the ``domain`` section of a card."""
        ranges = {name: Range(**allowed) for name, allowed in values["ranges"].items()}
        return cls(ranges, values["fixed"])

    def check_ranges(self) -> None:
        """Check a domain that was read from a card, whose types are correct.

        Raises
        ------
        ValueError
            If an input is missing, unknown or invalid, or the bounds of a range are in the wrong
            order.
        """
        if set(self.ranges) != set(INPUTS):
            raise ValueError(f"domain.ranges must hold {', '.join(INPUTS)}")
        for name, allowed in self.ranges.items():
            if allowed.low > allowed.high:
                raise ValueError(f"domain.ranges[{name!r}]: low must not exceed high")
        for name, value in self.fixed.items():
            if name not in SYSTEM:
                raise ValueError(f"domain.fixed holds the unknown input {name!r}")
            SYSTEM[name].check(value)


def _only_value(systems: Sequence[SlitSystem], name: str) -> Any:
    values = {getattr(system, name) for system in systems}
    if len(values) != 1:
        raise ValueError(
            f"the network can only be trained for one value of {name}; the data have "
            f"{sorted(values)}"
        )
    return values.pop()


def _floor(value: float) -> float:
    return round(math.floor(value / EDGE + TOLERANCE) * EDGE, 10)


def _ceil(value: float) -> float:
    return round(math.ceil(value / EDGE - TOLERANCE) * EDGE, 10)
