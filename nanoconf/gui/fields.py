"""Input fields of the page: their sliders, and the parsing of typed numbers."""

from __future__ import annotations

import contextlib
import math
import re
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from backend.environment import maximum_length
from backend.inputs import SYSTEM, Input, InvalidInput
from backend.settings import SETTINGS
from nanoconf.data.parsing import plain_number

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
LONGEST_ECHO = 24


class Refused(ValueError):
    """Raised for invalid text; the message gives the allowed values."""


@dataclass(frozen=True, kw_only=True)
class Field(Input):
    """One numeric field of the page, with its slider.

    Parameters
    ----------
    default : float or None
        The initial value; None for an optional field.
    ladder : tuple of (float, float)
        Positions of the slider, as pairs of upper bound and step, from `low` upwards. The steps
        are fine within the training range of the surrogate and coarse elsewhere.
    decimals : int
        Digits after the decimal point in the numbers that the page writes.
    """

    default: float | None = None
    ladder: tuple[tuple[float, float], ...] = ()
    decimals: int = 0

    def text(self, value: float | None) -> str:
        """Format a value as the page writes it."""
        if value is None:
            return ""
        text = f"{value:.{self.decimals}f}"
        if not math.isclose(float(text), value):
            text = f"{value:.6g}"
        return text.replace("-", "−")

    @cached_property
    def positions(self) -> tuple[float, ...]:
        """Values at the positions of the slider, from `low` to `high`."""
        values = [self.low]
        for top, step in self.ladder:
            first = values[-1]
            values += [first + i * step for i in range(1, round((top - first) / step) + 1)]
        return tuple(round(value, 6) for value in values)

    def position(self, value: float) -> int:
        """Return the slider position nearest to a value."""
        above = bisect(self.positions, value)
        near = range(max(0, above - 1), min(above + 1, len(self.positions)))
        return min(near, key=lambda i: abs(self.positions[i] - value))

    @property
    def ends(self) -> tuple[str, str]:
        """Both ends of the range as formatted text, without the unit."""
        return self.short(self.low), self.short(self.high)

    def short(self, value: float) -> str:
        """Format a bound of a range, with few digits."""
        return self.text(value) if self.whole else _short(value)

    @property
    def allowed(self) -> str:
        """The allowed values, as the end of a sentence."""
        if self.whole:
            *first, last = map(self.text, range(int(self.low), int(self.high) + 1))
            return f"must be {', '.join(first)} or {last}"
        low, high = self.ends
        allowed = f"must be a number between {low} and {high} {self.unit}".rstrip()
        return allowed if self.default is not None else f"{allowed}, or empty"

    def parse(self, typed: str) -> float | int | None:
        """Parse a typed number; a decimal comma counts as a decimal point.

        Raises
        ------
        Refused
            If the text is not an allowed number. The message is one line with the parameter, the
            text and the allowed values.
        """
        text = plain_number(typed)
        if not text:
            if self.default is None:
                return None
            raise Refused(f"{self.title} is empty: it {self.allowed}")
        if not NUMBER.fullmatch(text):
            raise Refused(f"{self.title} = “{clipped(typed)}”: {self.allowed}")
        value = float(text)
        refused = Refused(f"{self.title} = {clipped(typed)}: {self.allowed}")
        if not math.isfinite(value) or not self.low <= value <= self.high:
            raise refused
        if self.whole and value != int(value):
            raise refused
        return int(value) if self.whole else value


def _short(value: float) -> str:
    """Format a number, with at least one decimal place if below ten: 3 to 4 nm is 3.0 – 4.0."""
    text = f"{value:.1f}" if abs(value) < 10 and value == round(value, 1) else f"{value:g}"
    return text.replace("-", "−")


def clipped(typed: str) -> str:
    """Return typed text for a message, shortened if it is long."""
    text = typed.strip()
    return text if len(text) <= LONGEST_ECHO else text[: LONGEST_ECHO - 1] + "…"


WITHOUT_FIELD = {
    "wall": "wall model: {}",
    "temperature": "{:g} K",
    "relative_permittivity": "relative permittivity {:g}",
    "negative_ions": "{} negative ions",
}
"""Inputs without a field on the page, and the format of their values."""

DIAMETERS = ((0.5, 0.01), (0.75, 0.001), (2.0, 0.025))

LADDERS = {
    "confinement_length": ((3.0, 0.1), (4.0, 0.01), (10.0, 0.2), (30.0, 1.0)),
    "positive_valency": ((3, 1),),
    "negative_valency": ((-1, 1),),
    "salt_concentration": ((0.01, 0.001), (0.3, 0.01), (0.9, 0.01), (2.0, 0.05), (5.0, 0.1)),
    "positive_diameter": DIAMETERS,
    "negative_diameter": DIAMETERS,
    "surface_charge_density": ((0.0, 0.001),),
}
"""Slider steps of the inputs of the physical system: see `Field`."""

DECIMALS = {
    "confinement_length": 2,
    "salt_concentration": 2,
    "positive_diameter": 3,
    "negative_diameter": 3,
    "surface_charge_density": 3,
}


def _field(each: Input, **of_page: Any) -> Field:
    return Field(**{**vars(each), **of_page})


DURATION = _field(SETTINGS["duration_ns"], low=0.01, high=100.0, decimals=1)
TARGET = _field(SETTINGS["target_error"], unit="%", low=0.02, high=50.0)
"""Fields of the run settings; the error is in percent."""


def duration_field() -> Field:
    """Return the field of the simulation length, up to the maximum of this page."""
    maximum = None
    with contextlib.suppress(InvalidInput):  # reported when a simulation is submitted
        maximum = maximum_length()
    if maximum is None or maximum >= DURATION.high:
        return DURATION
    low, default = (min(each, maximum) for each in (DURATION.low, DURATION.default or maximum))
    return replace(DURATION, low=low, default=default, high=maximum)


def system_fields() -> tuple[Field, ...]:
    """Return the fields of the physical system."""
    return _system_fields(tuple(SYSTEM.values()))


@lru_cache(maxsize=8)  # called at every step of a slider
def _system_fields(inputs: tuple[Input, ...]) -> tuple[Field, ...]:
    return tuple(
        _field(each, ladder=LADDERS.get(each.name, ()), decimals=DECIMALS.get(each.name, 0))
        for each in inputs
        if each.name not in WITHOUT_FIELD
    )


class Fields(Mapping[str, Field]):
    """All fields of the page, by name, derived from the table of inputs."""

    def __getitem__(self, name: str) -> Field:
        return {each.name: each for each in self._all()}[name]

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> tuple[Field, ...]:
        return (*system_fields(), duration_field(), TARGET)


FIELDS = Fields()
"""All fields of the page."""
