"""Figures as plain data: for drawing, for files, and for whoever reads the page otherwise."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MD, ML, PB = "MD", "ML", "PB"
"""Where a curve comes from: a simulation, the surrogate, Poisson-Boltzmann theory."""

Z_AXIS = "Distance from the middle of the slit, z (nm)"


@dataclass(frozen=True)
class Curve:
    """One curve of a chart.

    Attributes
    ----------
    label : str
        What the legend says.
    x, y : ndarray, shape (points,)
        Its points.
    source : str
        ``"MD"`` is drawn as points, everything else as a line.
    error : ndarray, shape (points,), optional
        Standard error of y (MD), or what a 90 % band is made of (ML).
    species : {"positive", "negative", ""}
        Which ions; empty where it is about both.
    stale : bool
        It belongs to other inputs than those at the left.
    shade : float, optional
        Place in a family of curves, 0 to 1.
    second : bool
        It is the second of two that belong together, and looks like the first, with dots.
    kind : {"", "bars"}
        Bars stand on zero, with x in their middles.
    bar_width : float
        Of bars, in the units of x.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    source: str
    error: np.ndarray | None = None
    species: str = ""
    stale: bool = False
    shade: float | None = None
    second: bool = False
    kind: str = ""
    bar_width: float = 1.0

    def as_json(self, columns: Columns) -> dict[str, Any]:
        """Plain JSON values, six digits each."""
        values = {
            "source": self.source,
            "species": self.species,
            "label": self.label,
            "stale": self.stale,
            columns.x: _rounded(self.x),
            columns.y: _rounded(self.y),
        }
        if self.error is not None:
            values[columns.error] = _rounded(self.error)
        return values


@dataclass(frozen=True)
class Columns:
    """Names, with units, of what a chart shows: for files and for readers.

    Attributes
    ----------
    x, y, error : str
        As in ``z_nm``, ``density_M``, ``error_M``.
    """

    x: str
    y: str
    error: str = "error"


DENSITY = Columns("z_nm", "density_M", "error_M")


@dataclass(frozen=True)
class Marker:
    """A line across a chart, with a label.

    Attributes
    ----------
    label : str
        What stands beside it.
    x, y : float, optional
        Where it crosses that axis; one of them.
    """

    label: str
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class Chart:
    """One pair of axes.

    Attributes
    ----------
    curves : tuple of Curve
        What it shows.
    x_label, y_label : str
        Names of the axes, with units.
    columns : Columns
        The same for machines.
    width : float, optional
        Slit width (nm) where x runs across the slit: the walls are drawn.
    markers : tuple of Marker
        Lines across it.
    from_zero : bool
        y begins at zero; else zero is marked.
    names : tuple of str
        What stands at x = 0, 1, … where x is no number.
    """

    curves: tuple[Curve, ...]
    x_label: str
    y_label: str
    columns: Columns
    width: float | None = None
    markers: tuple[Marker, ...] = ()
    from_zero: bool = True
    names: tuple[str, ...] = ()

    def reading(self, x: float) -> str:
        """What the curves say at some x, in words."""
        if self.names:
            place = min(max(round(x), 0), len(self.names) - 1)
            where, values = self.names[place], [curve.y[place] for curve in self.curves]
        else:
            symbol, _, unit = self.x_label.rpartition(", ")[2].partition(" (")
            where = f"{symbol} = {_in_words(x, '.3f')} {unit.removesuffix(')')}".strip()
            values = [_at(curve, x) for curve in self.curves]
        parts = [
            f"{curve.label} {_in_words(value, '.4g')}"
            for curve, value in zip(self.curves, values, strict=True)
            if value == value
        ]
        return " · ".join([where, *parts])


@dataclass(frozen=True)
class Plot:
    """A figure.

    Attributes
    ----------
    title : str
        What it shows.
    charts : tuple of Chart
        Side by side.
    hint : str
        What it says while it has no curves.
    """

    title: str
    charts: tuple[Chart, ...] = field(default=())
    hint: str = ""

    @property
    def curves(self) -> list[Curve]:
        """The curves of all charts."""
        return [curve for chart in self.charts for curve in chart.curves]

    def as_json(self) -> str:
        """The curves as JSON text: a list of objects with their points."""
        curves = [curve.as_json(chart.columns) for chart in self.charts for curve in chart.curves]
        return json.dumps(curves, separators=(",", ":"))

    def in_words(self) -> str:
        """The figure for somebody who cannot see it."""
        described = "; ".join(
            f"{curve.label}: {len(curve.x)} points, highest {curve.y.max():.3g}"
            for curve in self.curves
        )
        return f"{self.title}. {described or 'No curve yet'}"


def _at(curve: Curve, x: float) -> float:
    """What a curve says at some x; not a number beyond its ends."""
    import numpy as np

    return float(np.interp(x, curve.x, curve.y, math.nan, math.nan)) if len(curve.x) else math.nan


def _in_words(value: float, digits: str) -> str:
    return format(value, digits).replace("-", "−")


def _rounded(values: Iterable[float]) -> list[float | None]:
    """Six digits; what is not a number is null, as JSON has no word for it."""
    return [float(f"{value:.6g}") if value == value else None for value in values]
