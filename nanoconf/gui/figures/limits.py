"""Limits of the axes: round numbers that stay fixed while the curves change little."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nanoconf.gui.figures.plots import MD, Chart, Curve, Plot
from nanoconf.surrogate.band import HALF_WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LADDER = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Allowed limits, times a power of ten."""

HEADROOM = 1.05
"""Smallest ratio of the upper limit to the highest point."""

AHEAD = (1.3, 1.15, 1.0)
"""Factors by which to extend axes that are too short, because a slider usually keeps moving; the
first one that leaves the axes filled is used."""

BELOW = 0.1
"""Smallest extent beyond zero, as a fraction of the axis, if zero is not a limit."""

FILLED = 0.6
"""Smallest share of a vertical axis that its contents fill."""

NEGLIGIBLE = 0.05
"""Share of an axis from zero by which error bars may extend below it."""

NOISE_SHARE = 3.0
"""Height of the axes of a chart of zeros, relative to its error bars."""

WIDE = 1.12
"""Largest ratio of the kept length of the axis across the slit to the required length."""

EDGE = 0.015
"""Smallest visible thickness of a wall (nm)."""

Limits = tuple[float, float, float, float]
"""Limits of the axes: left, right, bottom, top."""


def set_limits(figure: Figure, ends: list[Limits]) -> None:
    """Set the limits of the axes of a figure."""
    for axes, (left, right, bottom, top) in zip(figure.axes, ends, strict=False):
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)


def kept_limits(plot: Plot, before: list[Limits]) -> list[Limits]:
    """Return the limits of a plot's axes: the previous limits if they still suit all of them."""
    wanted = [limits(chart) for chart in plot.charts]
    if len(wanted) != len(before):
        return wanted
    if all(map(_suits, before, wanted, plot.charts)):
        return before
    return [_ahead(*each) for each in zip(before, wanted, plot.charts, strict=True)]


def fits(plot: Plot, ends: list[Limits]) -> bool:
    """Return True if the contents of a plot lie within the given limits."""
    return len(ends) == len(plot.charts) and all(map(_fits, ends, plot.charts))


def _fits(ends: Limits, chart: Chart) -> bool:
    left, right, bottom, top = ends
    low, high = _extent(chart)
    if chart.width is None:
        across = (left, right) == _across(chart)
    else:
        across = chart.width / 2 < right
    return across and bottom <= low and high <= top


def _suits(before: Limits, wanted: Limits, chart: Chart) -> bool:
    left, right, bottom, top = before
    if chart.width is None:
        same_across = (left, right) == wanted[:2]
    else:
        same_across = chart.width / 2 + EDGE < right <= WIDE * wanted[1]
    low, high = _extent(chart)
    holds = bottom <= HEADROOM * low and HEADROOM * high <= top
    return same_across and holds and _filled(before, chart)


def _filled(ends: Limits, chart: Chart) -> bool:
    low, high = _extent(chart)
    return high - low >= FILLED * (ends[3] - ends[2])


def _ahead(before: Limits, wanted: Limits, chart: Chart) -> Limits:
    """Return new limits, with extra room if the contents have grown."""
    if before[2] <= wanted[2] and wanted[3] <= before[3]:
        return wanted
    extended = (limits(chart, room) for room in AHEAD)
    return next((ends for ends in extended if _filled(ends, chart)), wanted)


def limits(chart: Chart, room: float = 1.0) -> Limits:
    """Return the limits of a chart; `room` scales the vertical extent."""
    low, high = (room * end for end in _extent(chart))
    above_zero = chart.from_zero and low == 0
    bottom = 0.0 if above_zero else -_rung(-low)
    top = max(_rung(high), -BELOW * bottom)
    bottom = min(bottom, 0.0 if above_zero else -BELOW * top)
    if bottom == top:
        bottom, top = (0.0, 1.0) if chart.from_zero else (-1.0, 1.0)
    return (*_across(chart), bottom, top)


def _extent(chart: Chart) -> tuple[float, float]:
    """Return the smallest and largest y of curves, error bars and markers, including zero."""
    low = high = 0.0
    for curve in chart.curves:
        least, most = _ends(curve)
        low, high = min(low, least), max(high, most)
    for marker in chart.markers:
        if marker.y is not None:
            low, high = min(low, *marker.places), max(high, *marker.places)
    if chart.all_zero:
        size = max(chart.scale, NOISE_SHARE * max(-low, high))
        return -size, size
    if chart.from_zero and low > -NEGLIGIBLE * high:
        low = 0.0
    if chart.scale and max(-low, high) < chart.scale:
        return -chart.scale, chart.scale
    return low, high


def _ends(curve: Curve) -> tuple[float, float]:
    """Return the lowest and highest point of a curve with its error bars or band; 0 if unknown."""
    known = curve.known
    if not known.any():
        return 0.0, 0.0
    y = curve.y[known]
    half = np.zeros(len(y)) if curve.error is None else np.nan_to_num(curve.error[known], posinf=0)
    if curve.source != MD and not curve.kind:
        half = HALF_WIDTH * half
    return float((y - half).min()), float((y + half).max())


def _across(chart: Chart) -> tuple[float, float]:
    if chart.width is not None:
        half = math.ceil(10 * chart.width / 2 + 0.2) / 10
        return -half, half
    if chart.names:
        return -0.6, len(chart.names) - 0.4
    found = [value for curve in chart.curves if len(curve.x) for value in (curve.x[0], curve.x[-1])]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    margin = 0.03 * (high - low) or 0.5
    return low - margin, high + margin


def _rung(value: float) -> float:
    """Return the next round number above a value."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(HEADROOM * value))
    return next(step for step in LADDER if step * power >= HEADROOM * value * 0.999999) * power
