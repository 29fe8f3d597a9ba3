"""Plots as plain data: for drawing, for files and for screen readers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MD, ML, PB = "MD", "ML", "PB"
"""Source of a curve: a simulation, the surrogate, Poisson-Boltzmann theory."""

IONS = {"positive": "positive ions", "negative": "negative ions"}
"""The species and their names."""

Z_AXIS = "Distance from the midplane, z (nm)"


@dataclass(frozen=True)
class Curve:
    """One curve of a chart.

    Attributes
    ----------
    label : str
        Label in the legend.
    x, y : ndarray, shape (points,)
        The points.
    source : str
        ``"MD"`` is drawn as points, every other source as a line.
    error : ndarray, shape (points,), optional
        Standard error of y (MD), or the error from which the 90 % band follows (ML).
    species : {"positive", "negative", ""}
        The ions; empty for a quantity of both.
    stale : bool
        True if the curve belongs to different inputs.
    shade : float, optional
        Position in a family of curves, 0 to 1.
    second : bool
        True for the second curve of a pair, which is drawn like the first but with markers.
    kind : {"", "bars"}
        Bars start at zero and are centred on x.
    bar_width : float
        Width of the bars, in the units of x.
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

    def marked_stale(self) -> Curve:
        """Return the curve, marked as belonging to different inputs."""
        return replace(self, label=f"{self.label} (different inputs)", stale=True)

    def as_text(self) -> str:
        """Describe the curve by its number of points and its highest point."""
        known = self.y[self.y == self.y]
        highest = f"maximum {_formatted(known.max(), '.3g')}" if len(known) else "no known values"
        return f"{self.label}: {len(self.x)} points, {highest}"


@dataclass(frozen=True)
class Columns:
    """Column names of a chart's data, with units.

    Attributes
    ----------
    x, y, error : str
        For example ``z_nm``, ``density_M``, ``error_M``.
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
        Its label.
    x, y : float, optional
        Its position on that axis; exactly one is given.
    both : bool
        True to draw a second line at minus that position.
    """

    label: str
    x: float | None = None
    y: float | None = None
    both: bool = False

    @property
    def places(self) -> list[float]:
        """Positions of the lines on the axis."""
        place = self.x if self.x is not None else self.y or 0.0
        return [-place, place] if self.both else [place]


@dataclass(frozen=True)
class Chart:
    """One pair of axes.

    Attributes
    ----------
    curves : tuple of Curve
        The curves.
    x_label, y_label : str
        Labels of the axes, with units.
    columns : Columns
        Column names of the data.
    width : float, optional
        Slit width (nm) if x runs across the slit; the walls are drawn.
    markers : tuple of Marker
        Lines across the chart.
    from_zero : bool
        True if the y axis starts at zero; otherwise a line marks zero.
    names : tuple of str
        Names of the categories at x = 0, 1, …; empty if x is a number.
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
        """All lines across the chart: the walls, if any, and the markers."""
        walls = () if self.width is None else (Marker("walls", x=self.width / 2, both=True),)
        return (*walls, *self.markers)

    def names_of(self, curve: Curve) -> list[str]:
        """Return the category of each point of a curve; empty if x is a number."""
        return [self.names[self._place(x)] for x in curve.x] if self.names else []

    def _place(self, x: float) -> int:
        return min(max(round(x), 0), len(self.names) - 1)

    def curve_as_json(self, curve: Curve) -> dict[str, Any]:
        """Return a curve as plain JSON values with six significant digits."""
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
        """Return a line as plain JSON values."""
        column = self.columns.y if line.x is None else self.columns.x
        return {"label": line.label, column: _rounded(line.places)}

    def line_as_text(self, line: Marker) -> str:
        """Describe a line by its label and positions."""
        unit = _unit(self.y_label if line.x is None else self.x_label)
        places = " and ".join(_formatted(place, ".4g") for place in line.places)
        return f"{line.label} at {places} {unit}".rstrip()

    def reading(self, x: float) -> str:
        """Describe the values of the curves at a given x, for the pointer."""
        if self.names:
            place = self._place(x)
            where, values = self.names[place], [curve.y[place] for curve in self.curves]
        else:
            symbol = self.x_label.rpartition(", ")[2].partition(" (")[0]
            where = f"{symbol} = {_formatted(x, '.3f')} {_unit(self.x_label)}".strip()
            values = [_at(curve, x) for curve in self.curves]
        parts = [
            f"{curve.label} {_formatted(value, '.4g')}"
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
        Its title.
    charts : tuple of Chart
        The charts, side by side.
    hint : str
        Text that is shown while there are no curves.
    """

    title: str
    charts: tuple[Chart, ...] = field(default=())
    hint: str = ""

    @property
    def curves(self) -> list[Curve]:
        """All curves of the charts."""
        return [curve for chart in self.charts for curve in chart.curves]

    def marked_stale(self) -> Plot:
        """Return the plot, marked as belonging to different inputs."""
        charts = (
            replace(chart, curves=tuple(curve.marked_stale() for curve in chart.curves))
            for chart in self.charts
        )
        return replace(self, charts=tuple(charts))

    def as_json(self) -> str:
        """Return the curves as JSON text: a list of objects with their points."""
        return _json(chart.curve_as_json(curve) for chart in self.charts for curve in chart.curves)

    def lines_as_json(self) -> str:
        """Return the lines as JSON text: a list of objects with a label and positions."""
        return _json(chart.line_as_json(line) for chart in self.charts for line in chart.lines)

    def as_text(self) -> str:
        """Describe the figure for screen readers."""
        curves = [curve.as_text() for curve in self.curves] or ["No curves yet"]
        lines = [chart.line_as_text(line) for chart in self.charts for line in chart.lines]
        return f"{self.title}. {'; '.join(curves + lines)}"


def _at(curve: Curve, x: float) -> float:
    """Interpolate a curve at a given x; NaN beyond its ends."""
    import numpy as np

    return float(np.interp(x, curve.x, curve.y, math.nan, math.nan)) if len(curve.x) else math.nan


def _formatted(value: float, digits: str) -> str:
    return format(value, digits).replace("-", "−")


def _unit(label: str) -> str:
    """Return the unit at the end of an axis label; empty if there is none."""
    return label.removesuffix(")").rpartition(" (")[2] if label.endswith(")") else ""


def _json(values: Iterable[dict[str, Any]]) -> str:
    return json.dumps(list(values), separators=(",", ":"))


def _rounded(values: Iterable[float]) -> list[float | None]:
    """Round to six significant digits; NaN becomes null, because JSON has no NaN."""
    return [float(f"{value:.6g}") if value == value else None for value in values]
