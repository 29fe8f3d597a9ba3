"""The numbers a user can set: their names, ranges, sliders and how what was typed is read."""

from __future__ import annotations

import math
import re
from bisect import bisect
from dataclasses import dataclass
from functools import cached_property

from backend import system

NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?")
LONGEST_ECHO = 24


class Refused(ValueError):
    """What was typed cannot be used; the message says what is allowed."""


@dataclass(frozen=True)
class Field:
    """One number of the page.

    Parameters
    ----------
    name : str
        Name of the parameter of `SlitSystem` or `RunSettings`.
    label : str
        Name, symbol and unit, as the user reads them.
    symbol : str
        The symbol alone.
    unit : str
        The unit; empty for valencies.
    low, high : float
        The range that may be typed.
    default : float or None
        The value that the page opens with; None where nothing need be typed.
    ladder : tuple of (float, float)
        The slider's positions: from `low` up to the first number by its step, and so on. Its steps
        are fine where the surrogate can answer and coarse elsewhere.
    decimals : int
        Digits after the decimal point, where the page writes the number itself.
    whole : bool
        Only whole numbers are allowed.
    """

    name: str
    label: str
    symbol: str
    unit: str
    low: float
    high: float
    default: float | None
    ladder: tuple[tuple[float, float], ...] = ()
    decimals: int = 0
    whole: bool = False

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

    @property
    def title(self) -> str:
        """The label without its unit."""
        return self.label.removesuffix(f" ({self.unit})")


def _short(value: float) -> str:
    """One decimal at least below ten, so that 3 to 4 nm reads 3.0 – 4.0."""
    text = f"{value:.1f}" if abs(value) < 10 and value == round(value, 1) else f"{value:g}"
    return text.replace("-", "−")


def _clipped(typed: str) -> str:
    text = typed.strip()
    return text if len(text) <= LONGEST_ECHO else text[: LONGEST_ECHO - 1] + "…"


def _of_system(
    name: str,
    label: str,
    default: float | None,
    ladder: tuple[tuple[float, float], ...],
    decimals: int = 0,
) -> Field:
    """A number of the system, in the range that the engine accepts; its label ends in (unit)."""
    allowed = system.ALLOWED[name]
    title = label.removesuffix(f" ({allowed.unit})")
    return Field(
        name,
        label,
        title.split()[-1],
        allowed.unit,
        allowed.low,
        allowed.high,
        default,
        ladder,
        decimals,
        whole=name.endswith("valency"),
    )


DIAMETERS = ((0.5, 0.01), (0.75, 0.001), (2.0, 0.025))

SYSTEM_FIELDS = (
    _of_system(
        "confinement_length",
        "Confinement length h (nm)",
        3.0,
        ((3.0, 0.1), (4.0, 0.01), (10.0, 0.2), (30.0, 1.0)),
        2,
    ),
    _of_system("positive_valency", "Positive ion valency z₊", 1, ((3, 1),)),
    _of_system("negative_valency", "Negative ion valency z₋", -1, ((-1, 1),)),
    _of_system(
        "salt_concentration",
        "Salt concentration c (M)",
        0.5,
        ((0.01, 0.001), (0.3, 0.01), (0.9, 0.01), (2.0, 0.05), (5.0, 0.1)),
        2,
    ),
    _of_system("positive_diameter", "Ion diameter d (nm)", 0.714, DIAMETERS, 3),
    _of_system("negative_diameter", "Negative diameter d₋ (nm)", None, DIAMETERS, 3),
    _of_system("surface_charge_density", "Surface charge σ (C/m²)", 0.0, ((0.0, 0.001),), 3),
)
"""The physical system: what the engine accepts, with the defaults of the paper."""

DURATION = Field("duration_ns", "Simulation length (ns)", "t", "ns", 0.01, 100.0, 5.0, decimals=1)
TARGET = Field("target_error", "Stop at an error of (%)", "", "%", 0.02, 50.0, None)

FIELDS = {field.name: field for field in (*SYSTEM_FIELDS, DURATION, TARGET)}
