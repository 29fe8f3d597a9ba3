"""The numbers a user can set: their sliders, and how what was typed is read."""

from __future__ import annotations

import math
import re
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from backend.inputs import SYSTEM, Input
from backend.settings import SETTINGS

NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?")
LONGEST_ECHO = 24


class Refused(ValueError):
    """What was typed cannot be used; the message says what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Field(Input):
    """One number of the page: an input, and how it is typed and dragged.

    Parameters
    ----------
    default : float or None
        The value that the page opens with; None where nothing need be typed.
    ladder : tuple of (float, float)
        The slider's positions: from `low` up to the first number by its step, and so on. Its steps
        are fine where the surrogate can answer and coarse elsewhere.
    decimals : int
        Digits after the decimal point, where the page writes the number itself.
    """

    default: float | None = None
    ladder: tuple[tuple[float, float], ...] = ()
    decimals: int = 0

    def text(self, value: float | None) -> str:
        """A value as the page writes it."""
        if value is None:
            return ""
        text = f"{value:.{self.decimals}f}"
        if not math.isclose(float(text), value):
            text = f"{value:.6g}"
        return text.replace("-", "−")

    @cached_property
    def positions(self) -> tuple[float, ...]:
        """What the positions of the slider stand for, from `low` to `high`."""
        values = [self.low]
        for top, step in self.ladder:
            first = values[-1]
            values += [first + i * step for i in range(1, round((top - first) / step) + 1)]
        return tuple(round(value, 6) for value in values)

    def position(self, value: float) -> int:
        """The position of the slider that is nearest to a value."""
        above = bisect(self.positions, value)
        near = range(max(0, above - 1), min(above + 1, len(self.positions)))
        return min(near, key=lambda i: abs(self.positions[i] - value))

    @property
    def ends(self) -> tuple[str, str]:
        """Both ends of the range as the page writes them, without the unit."""
        write = self.text if self.whole else _short
        return write(self.low), write(self.high)

    @property
    def allowed(self) -> str:
        """What may be typed, in words."""
        if self.whole:
            *first, last = map(self.text, range(int(self.low), int(self.high) + 1))
            return f"must be {', '.join(first)} or {last}"
        low, high = self.ends
        allowed = f"must be a number between {low} and {high} {self.unit}".rstrip()
        return allowed if self.default is not None else f"{allowed}, or nothing"

    def parse(self, typed: str) -> float | int | None:
        """The number that was typed; a decimal comma is a decimal point.

        Raises
        ------
        Refused
            One line with the parameter, what was typed and what is allowed.
        """
        text = typed.strip().replace("−", "-")
        if not text:
            if self.default is None:
                return None
            raise Refused(f"{self.title} is empty: {self.allowed}")
        if not NUMBER.fullmatch(text):
            raise Refused(f"{self.title} = “{_clipped(typed)}”: {self.allowed}")
        value = float(text.replace(",", "."))
        refused = Refused(f"{self.title} = {_clipped(typed)}: {self.allowed}")
        if not math.isfinite(value) or not self.low <= value <= self.high:
            raise refused
        if self.whole and value != int(value):
            raise refused
        return int(value) if self.whole else value


def _short(value: float) -> str:
    """One decimal at least below ten, so that 3 to 4 nm reads 3.0 – 4.0."""
    text = f"{value:.1f}" if abs(value) < 10 and value == round(value, 1) else f"{value:g}"
    return text.replace("-", "−")


def _clipped(typed: str) -> str:
    text = typed.strip()
    return text if len(text) <= LONGEST_ECHO else text[: LONGEST_ECHO - 1] + "…"


WITHOUT_FIELD = {
    "wall": "wall {}",
    "temperature": "{:g} K",
    "relative_permittivity": "permittivity {:g}",
    "negative_ions": "{} negative ions",
}
"""Inputs that the page has no fields for, and how their values read."""

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
"""Sliders of the physical system."""

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
"""Settings of a run; the error in percent."""


def system_fields() -> tuple[Field, ...]:
    """The numbers of the physical system that can be set on the page."""
    return _system_fields(tuple(SYSTEM.values()))


@lru_cache(maxsize=8)  # asked for at every step of a slider
def _system_fields(inputs: tuple[Input, ...]) -> tuple[Field, ...]:
    return tuple(
        _field(each, ladder=LADDERS.get(each.name, ()), decimals=DECIMALS.get(each.name, 0))
        for each in inputs
        if each.name not in WITHOUT_FIELD
    )


class Fields(Mapping[str, Field]):
    """All numbers of the page, by name; it follows the table of inputs."""

    def __getitem__(self, name: str) -> Field:
        return {each.name: each for each in self._all()}[name]

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> tuple[Field, ...]:
        return (*system_fields(), DURATION, TARGET)


FIELDS = Fields()
"""What a user can set."""
