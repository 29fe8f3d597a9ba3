"""Limits of the axes."""

from __future__ import annotations

import numpy as np
import pytest

from nanoconf.gui.figures.limits import kept_limits, limits
from nanoconf.gui.figures.plots import DENSITY, MD, ML, Z_AXIS, Chart, Curve, Plot

Z = np.linspace(-1.5, 1.5, 300)


def chart(low: float, high: float, error: float = 0.0, source: str = ML) -> Chart:
    y = np.linspace(low, high, 300)
    errors = np.full(300, error) if error else None
    curve = Curve("curve", Z, y, source, errors)
    return Chart((curve,), Z_AXIS, "y", DENSITY, 3.0, from_zero=low >= 0)


@pytest.mark.parametrize("high", np.geomspace(1e-6, 1e6, 60))
def test_curves_fill_most_of_the_axis(high):
    *_across, bottom, top = limits(chart(0.0, high))
    assert bottom == 0 and 0.6 * top <= high <= top
    *_across, bottom, top = limits(chart(-high, high / 3))
    assert bottom <= -high and top >= high / 3
    assert (4 / 3) * high >= 0.6 * (top - bottom)


@pytest.mark.parametrize("direction", [1, -1])
def test_axes_seldom_change_while_a_slider_moves_and_stay_filled(direction):
    heights = np.geomspace(0.5, 2.5, 61)[::direction]
    kept, changes = [], 0
    for height in heights:
        plot = Plot("Positive Ion Density", (chart(0.0, height),))
        ends = kept_limits(plot, kept)
        changes += bool(kept) and ends != kept
        kept = ends
        (limit,) = ends
        assert 0.6 * limit[3] <= height <= limit[3]
    assert changes <= 8


@pytest.mark.parametrize("source", [MD, ML])
def test_error_bars_and_bands_lie_within_the_axes(source):
    half = 0.5 if source == MD else 1.6448536 * 0.5
    *_across, bottom, top = limits(chart(-1.0, 1.0, 0.5, source))
    assert bottom <= -1 - half and 1 + half <= top
    wide = Curve("MD", Z, np.full(300, 1.0), MD, np.full(300, 2.0))
    *_across, bottom, top = limits(Chart((wide,), Z_AXIS, "y", DENSITY, 3.0))
    assert bottom <= -1 and top >= 3


def test_unknown_values_and_errors_do_not_affect_the_axes():
    y, error = np.ones(300), np.full(300, 0.01)
    y[3], error[7], error[9] = np.nan, np.nan, np.inf
    curve = Curve("MD", Z, y, MD, error)
    *_across, bottom, top = limits(Chart((curve,), Z_AXIS, "y", DENSITY, 3.0))
    assert (bottom, top) == (0, 1.2)
