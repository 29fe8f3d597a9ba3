"""The numbers a user can type: their names, ranges and how what was typed is read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

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
        The range that the page offers; it may be narrower than what the engine accepts.
    default : float
        The value that the page opens with.
    step : float
        Step of the slider.
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
    default: float
    step: float
    decimals: int = 0
    whole: bool = False

    def text(self, value: float) -> str:
        """A value as the page writes it."""
        text = f"{value:.{self.decimals}f}"
        if not math.isclose(float(text), value):
            text = f"{value:.6g}"
        return text.replace("-", "−")

    @property
    def range_text(self) -> str:
        """The range as the page writes it, without the unit."""
        if self.low == self.high:
            return self.text(self.low)
        if self.whole:
            return ", ".join(self.text(value) for value in range(int(self.low), int(self.high) + 1))
        return f"{_short(self.low)} – {_short(self.high)}"

    @property
    def allowed(self) -> str:
        """What may be typed, in words."""
        if self.low == self.high:
            return f"must be {self.text(self.low)}"
        if self.whole:
            *first, last = self.range_text.split(", ")
            return f"must be {', '.join(first)} or {last}"
        low, high = _short(self.low), _short(self.high)
        return f"must be a number between {low} and {high} {self.unit}".rstrip()

    def parse(self, typed: str) -> float | int:
        """The number that was typed; a decimal comma is a decimal point.

        Raises
        ------
        Refused
            One line with the parameter, what was typed and what is allowed.
        """
        text = typed.strip().replace("−", "-")
        if not text:
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
    return f"{value:.1f}" if value < 10 and value == round(value, 1) else f"{value:g}"


def _clipped(typed: str) -> str:
    text = typed.strip()
    return text if len(text) <= LONGEST_ECHO else text[: LONGEST_ECHO - 1] + "…"


SYSTEM_FIELDS = (
    Field("confinement_length", "Confinement length h (nm)", "h", "nm", 3.0, 4.0, 3.0, 0.01, 2),
    Field("positive_valency", "Positive ion valency z₊", "z₊", "", 1, 3, 1, 1, whole=True),
    Field("negative_valency", "Negative ion valency z₋", "z₋", "", -1, -1, -1, 1, whole=True),
    Field("salt_concentration", "Salt concentration c (M)", "c", "M", 0.3, 0.9, 0.5, 0.01, 2),
    Field("positive_diameter", "Ion diameter d (nm)", "d", "nm", 0.5, 0.75, 0.714, 0.001, 3),
)
"""The physical system: the ranges and defaults of the paper."""

DURATION = Field("duration_ns", "Simulation length (ns)", "t", "ns", 0.01, 100.0, 5.0, 0.1, 1)

FIELDS = {field.name: field for field in (*SYSTEM_FIELDS, DURATION)}
