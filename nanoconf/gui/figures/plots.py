"""Figures as plain data: for drawing, for files, and for whoever reads the page otherwise."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MD, ML, PB = "MD", "ML", "PB"
"""Where a curve comes from: a simulation, the surrogate, Poisson-Boltzmann theory."""

IONS = {"positive": "positive ions", "negative": "negative ions"}
"""The species, and how people call them."""

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

    def of_other_inputs(self) -> Curve:
        """The same, marked as not what the inputs at the left give."""
        return replace(self, label=f"{self.label} (other inputs)", stale=True)

    def in_words(self) -> str:
        """Its size and its highest point."""
        known = self.y[self.y == self.y]
        highest = f"highest {_in_words(known.max(), '.3g')}" if len(known) else "no value known"
        return f"{self.label}: {len(self.x)} points, {highest}"


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
    both : bool
        Another one crosses it as far beyond zero.
    """

    label: str
    x: float | None = None
    y: float | None = None
    both: bool = False

    @property
    def places(self) -> list[float]:
        """Where it crosses its axis."""
        place = self.x if self.x is not None else self.y or 0.0
        return [-place, place] if self.both else [place]


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

    @property
    def lines(self) -> tuple[Marker, ...]:
        """All lines across it: the walls, if it has any, and the markers."""
        walls = () if self.width is None else (Marker("walls", x=self.width / 2, both=True),)
        return (*walls, *self.markers)

    def names_of(self, curve: Curve) -> list[str]:
        """What stands at the points of a curve; nothing where x is a number."""
        return [self.names[self._place(x)] for x in curve.x] if self.names else []

    def _place(self, x: float) -> int:
        return min(max(round(x), 0), len(self.names) - 1)

    def curve_as_json(self, curve: Curve) -> dict[str, Any]:
        """A curve as plain JSON values, six digits each."""
        columns = self.columns
        values = {
            "source": curve.source,
            "species": curve.species,
            "label": curve.label,
            "stale": curve.stale,
            columns.x: self.names_of(curve) or _rounded(curve.x),
            columns.y: _rounded(curve.y),
        }
        if curve.error is not None:
            values[columns.error] = _rounded(curve.error)
        return values

    def line_as_json(self, line: Marker) -> dict[str, Any]:
        """A line across it as plain JSON values."""
        column = self.columns.y if line.x is None else self.columns.x
        return {"label": line.label, column: _rounded(line.places)}

    def line_in_words(self, line: Marker) -> str:
        """Which line crosses which axis where."""
        unit = _unit(self.y_label if line.x is None else self.x_label)
        places = " and ".join(_in_words(place, ".4g") for place in line.places)
        return f"{line.label} at {places} {unit}".rstrip()

    def reading(self, x: float) -> str:
        """What the curves say at some x, in words."""
        if self.names:
            place = self._place(x)
            where, values = self.names[place], [curve.y[place] for curve in self.curves]
        else:
            symbol = self.x_label.rpartition(", ")[2].partition(" (")[0]
            where = f"{symbol} = {_in_words(x, '.3f')} {_unit(self.x_label)}".strip()
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

    def of_other_inputs(self) -> Plot:
        """The same, marked as not what the inputs at the left give."""
        charts = (
            replace(chart, curves=tuple(curve.of_other_inputs() for curve in chart.curves))
            for chart in self.charts
        )
        return replace(self, charts=tuple(charts))

    def as_json(self) -> str:
        """The curves as JSON text: a list of objects with their points."""
        return _json(chart.curve_as_json(curve) for chart in self.charts for curve in chart.curves)

    def lines_as_json(self) -> str:
        """The lines across its charts as JSON text: a list of objects with label and places."""
        return _json(chart.line_as_json(line) for chart in self.charts for line in chart.lines)

    def in_words(self) -> str:
        """The figure for somebody who cannot see it."""
        curves = [curve.in_words() for curve in self.curves] or ["No curve yet"]
        lines = [chart.line_in_words(line) for chart in self.charts for line in chart.lines]
        return f"{self.title}. {'; '.join(curves + lines)}"


def _at(curve: Curve, x: float) -> float:
    """What a curve says at some x; not a number beyond its ends."""
    import numpy as np

    return float(np.interp(x, curve.x, curve.y, math.nan, math.nan)) if len(curve.x) else math.nan


def _in_words(value: float, digits: str) -> str:
    return format(value, digits).replace("-", "−")


def _unit(label: str) -> str:
    """The unit at the end of an axis's label; empty where there is none."""
    return label.removesuffix(")").rpartition(" (")[2] if label.endswith(")") else ""


def _json(values: Iterable[dict[str, Any]]) -> str:
    return json.dumps(list(values), separators=(",", ":"))


def _rounded(values: Iterable[float]) -> list[float | None]:
    """Six digits; what is not a number is null, as JSON has no word for it."""
    return [float(f"{value:.6g}") if value == value else None for value in values]
