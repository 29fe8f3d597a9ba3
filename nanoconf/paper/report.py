"""JSON files and figures of ``nanoconf paper``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from backend.files import write_json, written_whole

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The Okabe-Ito palette, distinguishable with any kind of colour vision."""

STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "x")


def tidy(value: Any, digits: int = 5) -> Any:
    """Round numbers to significant digits, for JSON.

    Parameters
    ----------
    value : float or array_like
        One or more numbers; those that are not finite become None.
    digits : int
        Number of significant digits.
    """
    if np.ndim(value):
        return [tidy(each, digits) for each in value]
    number = float(value)
    return float(f"{number:.{digits}g}") if np.isfinite(number) else None


def save_numbers(folder: Path, name: str, values: Any) -> None:
    """Write a figure's numbers as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{name}.json", values)
    _report(folder / f"{name}.json")


def figure(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
    """Create an off-screen figure and its axes, shape (rows, columns)."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=size, layout="constrained")
    axes = picture.subplots(rows, columns, squeeze=False, **options)
    for axis in axes.flat:
        axis.grid(True, linewidth=0.3)
    return picture, axes


def save_figure(folder: Path, name: str, picture: Any) -> None:
    """Write a figure as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / f"{name}.png") as stream:
        picture.savefig(stream, format="png", dpi=120)
    _report(folder / f"{name}.png")


def _report(path: Path) -> None:
    print(f"written: {path}", file=sys.stderr)
