"""Plots as plain data: for drawing, for files and for screen readers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nanoconf.gui.figures.origin import MD as MD
from nanoconf.gui.figures.origin import ML as ML
from nanoconf.gui.figures.origin import PB as PB
from nanoconf.gui.figures.origin import UNKNOWN, Origin

if TYPE_CHECKING:
    import numpy as np

IONS = {"positive": "positive ions", "negative": "negative ions"}
"""The species and their names."""

Z_AXIS = "Distance from the midplane, z (nm)"

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

MOST_ERRORS, USUAL_ERRORS = 5.0, 3.0
"""Maximum and root-mean-square values, in standard errors, up to which a curve counts as zero."""

LEAST_ERROR = 0.1
"""Smallest error, as a fraction of the largest one: next to the walls, where there are few ions,
errors are uncertain."""


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
    converged : bool
        False for simulations that have not converged, which are drawn as hollow points.
    kind : {"", "bars", "line"}
        Bars start at zero and are centred on x. A thin line replaces the points of one result among
        many.
    listed : bool
        False if the legend and the description omit the curve.
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
    converged: bool = True
    kind: str = ""
    listed: bool = True
    bar_width: float = 1.0

    @property
    def as_points(self) -> bool:
        """True if the curve is drawn as points."""
        return self.source == MD and not self.kind

    def marked_stale(self) -> Curve:
        """Return the curve, marked as belonging to different inputs."""
        return replace(self, label=f"{self.label} (different inputs)", stale=True)

    @property
    def known(self) -> np.ndarray:
        """Mask of the points with a finite y."""
        return abs(self.y) < math.inf

    @property
    def measured(self) -> np.ndarray:
        """Mask of the points with a finite y and a finite error above zero."""
        if self.error is None:
            return self.known & False
        return self.known & (self.error > 0) & (self.error < math.inf)

    @property
    def typical_error(self) -> float:
        """Median error of the points that have one; nan if there are none."""
        import numpy as np

        measured = self.measured
        if self.error is None or not measured.any():
            return math.nan
        return float(np.median(self.error[measured]))

    def is_zero(self, scale: float) -> bool:
        """Return True if the curve is zero within its errors.

        Parameters
        ----------
        scale : float
            Largest value that counts as zero where the error is unknown.
        """
        measured = self.measured
        others = self.y[self.known & ~measured]
        if not self.known.any() or (abs(others) > scale).any():
            return False
        if self.error is None or not measured.any():
            return True
        error = self.error[measured]
        ratio = abs(self.y[measured]) / error.clip(LEAST_ERROR * error.max())
        return bool(ratio.max() <= MOST_ERRORS and (ratio**2).mean() <= USUAL_ERRORS**2)


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
    start : float, optional
        Start of a distance along x that ends at the line; it is drawn as an arrow.
    """

    label: str
    x: float | None = None
    y: float | None = None
    both: bool = False
    start: float | None = None

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
    scale : float
        Smallest y of interest: values below it count as zero if their errors are unknown, and the
        axis extends at least that far. Zero if y has no such scale.
    """

    curves: tuple[Curve, ...]
    x_label: str
    y_label: str
    columns: Columns
    width: float | None = None
    markers: tuple[Marker, ...] = ()
    from_zero: bool = True
    names: tuple[str, ...] = ()
    scale: float = 0.0

    @property
    def all_zero(self) -> bool:
        """True if y has a scale, and all curves are zero within their errors."""
        if not self.scale or not self.curves:
            return False
        return all(curve.is_zero(self.scale) for curve in self.curves)

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

    def reading(self, x: float) -> str:
        """Describe the values of the curves at a given x, for the pointer."""
        if self.names:
            place = self._place(x)
            where, values = self.names[place], [curve.y[place] for curve in self.curves]
        else:
            symbol = quantity_of(self.x_label).rpartition(", ")[2]
            where = f"{symbol} = {formatted(x, '.3f')} {unit_of(self.x_label)}".strip()
            values = [_at(curve, x) for curve in self.curves]
        parts = [
            f"{curve.label} {formatted(value, '.4g')}"
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
    origin : Origin
        The simulations, the model and the systems of the curves.
    """

    title: str
    charts: tuple[Chart, ...] = field(default=())
    hint: str = ""
    origin: Origin = UNKNOWN

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
        """Describe the figure in words, for screen readers."""
        from nanoconf.gui.figures.description import described

        return described(self)


def _at(curve: Curve, x: float) -> float:
    """Interpolate a curve at a given x; NaN beyond its ends."""
    import numpy as np

    return float(np.interp(x, curve.x, curve.y, math.nan, math.nan)) if len(curve.x) else math.nan


def formatted(value: float, digits: str) -> str:
    """Format a number with a true minus sign and powers of ten: ``−2.5×10⁻⁵``."""
    mantissa, exponent, power = format(value, digits).partition("e")
    power = str(int(power)).translate(SUPERSCRIPTS) if exponent else ""
    return mantissa.replace("-", "−") + (f"×10{power}" if exponent else "")


def quantity_of(label: str) -> str:
    """Return an axis label without its unit."""
    return label.removesuffix(f" ({unit_of(label)})")


def unit_of(label: str) -> str:
    """Return the unit at the end of an axis label; empty if there is none."""
    return label.removesuffix(")").rpartition(" (")[2] if label.endswith(")") else ""


def _json(values: Iterable[dict[str, Any]]) -> str:
    return json.dumps(list(values), separators=(",", ":"))


def _rounded(values: Iterable[float]) -> list[float | None]:
    """Round to six significant digits; NaN becomes null, because JSON has no NaN."""
    return [float(f"{value:.6g}") if value == value else None for value in values]
