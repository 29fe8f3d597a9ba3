"""Sizes of text in a figure, in 1/100 inch, which are CSS pixels on the page."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

DPI = 100.0
POINT = DPI / 72
"""Size of a point."""

LINE = 1.25 * POINT
"""Height of a line of text, per point of font size."""


@lru_cache(maxsize=1)
def _renderer() -> Any:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, DPI)


@lru_cache(maxsize=4096)  # the same labels return at every step of a slider
def width_of(text: str, size: float) -> float:
    """Return the width of one line of text at a font size in points."""
    from matplotlib.font_manager import FontProperties

    return _renderer().get_text_width_height_descent(text, FontProperties(size=size), False)[0]


def widest(texts: Iterable[str], size: float) -> float:
    """Return the width of the widest of several lines; 0 without lines."""
    return max((width_of(line, size) for text in texts for line in text.splitlines()), default=0.0)


def height_of(text: str, size: float) -> float:
    """Return the height of text of one or more lines."""
    return len(text.splitlines()) * size * LINE


def wrapped(text: str, size: float, width: float) -> str:
    """Break text between words into lines of at most a given width, where possible."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and width_of(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)
