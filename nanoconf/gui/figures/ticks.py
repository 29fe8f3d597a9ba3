"""Tick labels without offsets: 0.0004 instead of 4 with 1e-4 at the end of the axis."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import ScalarFormatter

from nanoconf.gui.figures.plots import formatted

SMALLEST, LARGEST = 1e-4, 1e6
"""Range of the largest tick value that is written without a power of ten."""


class PlainFormatter(ScalarFormatter):
    """Decimal numbers; every label of a very small or large axis has its own power of ten."""

    def __init__(self) -> None:
        super().__init__(useOffset=False)
        self.set_scientific(False)

    def format_ticks(self, values: Any) -> list[str]:
        """Return the labels of all ticks."""
        largest = max(map(abs, values), default=0.0)
        if largest == 0 or SMALLEST <= largest < LARGEST:
            return super().format_ticks(values)
        return [_scientific(value) for value in values]


def _scientific(value: Any) -> str:
    """Format a number with a power of ten: ``−2×10⁻⁵``."""
    if value == 0:
        return "0"
    digits, times, power = formatted(value, ".3e").partition("×")
    return digits.rstrip("0").rstrip(".") + times + power
