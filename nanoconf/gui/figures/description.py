"""Description of a plot in words, for readers who cannot see it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nanoconf.gui.figures.plots import formatted, quantity_of, unit_of

if TYPE_CHECKING:
    import numpy as np

    from nanoconf.gui.figures.plots import Chart, Curve, Marker, Plot

DIGITS = ".3g"

NOTABLE = 0.02
"""Smallest extreme that is described, relative to the largest absolute value."""

ALIKE = 0.1
NEAR = 0.05
"""Extremes in both halves of a slit count as the same if their heights differ by less than the
fraction `ALIKE`, and their distances from the midplane by less than `NEAR` of the slit width."""


def described(plot: Plot) -> str:
    """Describe a plot: its axes with their units, its curves and its lines."""
    charts = [_chart(chart) for chart in plot.charts if chart.curves]
    return ". ".join([plot.title, *(charts or ["No curves yet"])])


def note(chart: Chart) -> str:
    """Return the note on a chart whose curves are all zero within their errors; empty otherwise."""
    if not chart.all_zero:
        return ""
    unit = unit_of(chart.y_label)
    errors = [
        f"{curve.label} ± {formatted(curve.typical_error, '.2g')} {unit}".rstrip()
        for curve in chart.curves
        if curve.typical_error > 0
    ]
    if errors:
        return f"Zero within the error: {', '.join(errors)}"
    return f"Zero everywhere, to within {formatted(chart.scale, '.1g')} {unit}".rstrip()


def _chart(chart: Chart) -> str:
    axes = f"{_axis(chart.y_label)} against {_lower_first(_axis(chart.x_label))}"
    curves = [f"{curve.label}: {_curve(chart, curve)}" for curve in chart.curves if curve.listed]
    more = len(chart.curves) - len(curves)
    curves += [f"{more} more curves"] if more else []
    lines = [_line(chart, line) for line in chart.lines]
    return ". ".join([axes, "; ".join([*curves, *lines])])


def _axis(label: str) -> str:
    """Return a quantity with its unit: ``Ion density (M)`` gives ``Ion density in M``."""
    quantity, unit = quantity_of(label).removesuffix(", z"), unit_of(label)
    return f"{quantity} in {unit}" if unit else quantity


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _curve(chart: Chart, curve: Curve) -> str:
    """Describe a curve by its extremes, its value at the midplane and its typical error."""
    if not curve.known.any():
        return "no known values"
    if chart.names:
        return _categories(chart, curve)
    unit = unit_of(chart.y_label)
    if chart.scale and curve.is_zero(chart.scale):
        error = curve.typical_error
        size = "" if math.isnan(error) else f" of ± {_value(error, unit)}"
        return f"zero within the error{size}" if size else "zero"
    known = curve.y[curve.known]
    notable = NOTABLE * abs(known).max()
    parts = [_extreme(chart, curve, sign) for sign in (1, -1) if (sign * known > notable).any()]
    if chart.width is not None:
        parts.append(f"midplane {_value(_midplane(curve), unit)}")
    elif curve.kind != "bars":
        parts.append(_ends(chart, curve))
    if curve.typical_error > 0:
        parts.append(f"typical error {_value(curve.typical_error, unit)}")
    return ", ".join(parts)


def _categories(chart: Chart, curve: Curve) -> str:
    values = zip(chart.names_of(curve), curve.y, strict=True)
    return ", ".join(f"{name} {formatted(value, DIGITS)}" for name, value in values)


def _extreme(chart: Chart, curve: Curve, sign: int) -> str:
    """Describe the maximum (sign 1) or minimum (sign −1) of a curve, in both halves of a slit."""
    places = _places(chart, curve, sign)
    value = sign * max(sign * curve.y[places])
    name = "maximum" if sign > 0 else "minimum"
    if chart.from_zero and chart.width is not None:
        name = "peak"
    symbol = quantity_of(chart.x_label).rpartition(", ")[2]
    symbol = f"{symbol} = " if symbol == "z" else ""
    where = " and ".join(formatted(curve.x[place], DIGITS) for place in places)
    at = f"{symbol}{where} {unit_of(chart.x_label)}".rstrip()
    return f"{name} {_value(value, unit_of(chart.y_label))} at {at}"


def _places(chart: Chart, curve: Curve, sign: int) -> list[int]:
    """Return the index of an extreme, or of two if both halves of a slit have the same one."""
    import numpy as np

    height = np.where(curve.known, sign * curve.y, -math.inf)
    best = int(height.argmax())
    place = curve.x[best]
    if chart.width is None or abs(place) < NEAR * chart.width:
        return [best]
    mirrored = np.where(abs(curve.x + place) < NEAR * chart.width, height, -math.inf)
    other = int(mirrored.argmax())
    alike = height[best] - mirrored[other] <= ALIKE * abs(height[best])
    return sorted({best, other}) if alike else [best]


def _midplane(curve: Curve) -> float:
    import numpy as np

    return float(np.interp(0.0, curve.x, curve.y))


def _ends(chart: Chart, curve: Curve) -> str:
    known = curve.known.nonzero()[0]
    first, last = (_point(chart, curve, place) for place in (known[0], known[-1]))
    return f"from {first} to {last}"


def _point(chart: Chart, curve: Curve, place: int) -> str:
    value = _value(curve.y[place], unit_of(chart.y_label))
    return f"{value} at {_value(curve.x[place], unit_of(chart.x_label))}"


def _value(value: float | np.floating, unit: str) -> str:
    return f"{formatted(float(value), DIGITS)} {unit}".rstrip()


def _line(chart: Chart, line: Marker) -> str:
    """Describe a line by its label and positions."""
    unit = unit_of(chart.y_label if line.x is None else chart.x_label)
    places = " and ".join(formatted(place, ".4g") for place in line.places)
    return f"{line.label} at {places} {unit}".rstrip()
