"""Labels, ticks and legends of drawn figures: none is cropped, and none covers another."""

from __future__ import annotations

from itertools import cycle

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nanoconf.gui.figures.drawing import draw
from nanoconf.gui.figures.limits import limits
from nanoconf.gui.figures.plots import (
    MD,
    ML,
    PB,
    Z_AXIS,
    Chart,
    Columns,
    Curve,
    Marker,
    Plot,
)
from nanoconf.gui.figures.theme import DARK, LIGHT
from tests.support.labels import check_labels

SIZES = [(320, 220), (358, 300), (640, 400), (930, 560), (1600, 900)]
HEIGHTS = [-1234.5, -1e-3, 3e-7, 0.00123, 1.0, 9.99, 8.5e6]
Z = np.linspace(-1.5, 1.5, 300)
LONG = "Integrated charge from the left wall to z, a label that is rather long (C/m²)"


def chart(height: float, **more) -> Chart:
    y = height * np.cos(3 * Z)
    curves = (
        Curve("MD simulation (not converged)", Z, y, MD, abs(0.1 * y)),
        Curve("ML prediction", Z, y, ML, abs(0.1 * y), "positive"),
        Curve("Poisson-Boltzmann (different inputs)", Z, y, PB),
    )
    markers = (Marker("z* = 0.42 nm from the left wall (MD)", x=-1.08, start=-1.5),)
    return Chart(curves, Z_AXIS, LONG, Columns("z_nm", "y"), 3.0, markers, False, **more)


def drawn(plot: Plot, size, theme=LIGHT) -> Figure:
    figure = Figure((size[0] / 100, size[1] / 100), dpi=100)
    FigureCanvasAgg(figure)
    draw(figure, plot, theme)
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize("height", HEIGHTS)
def test_no_text_around_the_axes_is_cropped_or_covered(height):
    for size, theme in zip(SIZES, cycle([LIGHT, DARK]), strict=False):
        check_labels(drawn(Plot("Potential", (chart(height),)), size, theme))


@pytest.mark.parametrize("size", [(358, 640), (700, 400), (930, 560), (1600, 900)])
def test_charts_beside_or_above_each_other_have_room_for_their_labels(size):
    x = np.linspace(0.4975, 0.5025, 40)
    bars = Curve("samples", x, 1e4 * np.ones(40), ML, kind="bars", bar_width=x[1] - x[0])
    histogram = Chart((bars,), LONG, "Probability density", Columns("x", "y"))
    shares = Curve("total", np.array([0.0, 1.0]), np.array([0.9, 0.1]), ML, kind="bars")
    indices = Chart((shares,), "Input", "Sobol index", Columns("x", "y"), names=("c", "d"))
    check_labels(drawn(Plot("Uncertainty", (histogram, indices)), size))


def test_narrow_figures_stack_their_charts():
    plot = Plot("Trends", (chart(1.0), chart(2.0)))
    wide = drawn(plot, (930, 400)).axes
    narrow = drawn(plot, (358, 640)).axes
    assert wide[0].bbox.x1 < wide[1].bbox.x0
    assert narrow[1].bbox.y1 < narrow[0].bbox.y0


def test_markers_with_long_labels_stay_inside_the_axes():
    for size in SIZES:
        figure = drawn(Plot("Integrated Charge", (chart(0.05),)), size)
        (label,) = (text for text in figure.axes[0].texts if "z*" in text.get_text())
        box, axes = label.get_window_extent(), figure.axes[0].bbox
        assert axes.x0 <= box.x0 and box.x1 <= axes.x1 + 20
        assert box.y1 <= axes.y1


def test_a_screening_length_is_an_arrow_from_the_wall():
    figure = drawn(Plot("Integrated Charge", (chart(0.05),)), (930, 560))
    (arrow,) = (text for text in figure.axes[0].texts if text.arrow_patch is not None)
    assert (arrow.xyann[0], arrow.xy[0]) == (-1.5, -1.08)


def test_names_of_runs_may_contain_any_characters():
    names = ("$\\frac{1}$", "_hidden", "100 %", "a & b")
    curves = tuple(Curve(name, Z, np.cos(Z), MD, shade=0.5) for name in names)
    plot = Plot("Runs", (Chart(curves, Z_AXIS, "Density (M)", Columns("z", "y"), 3.0),))
    legend = drawn(plot, (640, 400)).axes[0].get_legend()
    assert [text.get_text().strip() for text in legend.get_texts()][:4] == list(names)


def test_hollow_points_mark_simulations_that_have_not_converged():
    x = np.array([0.3, 0.6])
    points = [
        Curve("MD, peak", x, x, MD, 0.1 * x, shade=0.2),
        Curve("MD, peak (not converged)", x + 0.1, x, MD, 0.1 * x, shade=0.2, converged=False),
    ]
    figure = drawn(
        Plot("Trends", (Chart(tuple(points), "c (M)", "y", Columns("c", "y")),)), (640, 400)
    )
    filled, hollow = (line for line in figure.axes[0].lines if line.get_marker() != "None")
    assert hollow.get_markerfacecolor() == LIGHT.paper != filled.get_markerfacecolor()
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == ["MD, peak", "bars: standard error", "hollow: not converged"]


def test_theory_has_a_line_style_for_each_ion():
    curves = tuple(Curve(each, Z, np.cos(Z), PB, None, each) for each in ("positive", "negative"))
    plot = Plot("Prediction Graph", (Chart(curves, Z_AXIS, "y", Columns("z", "y"), 3.0),))
    one, other = (
        line for line in drawn(plot, (640, 400)).axes[0].lines if len(line.get_xdata()) > 2
    )
    assert one._dash_pattern != other._dash_pattern


def test_a_note_says_that_curves_are_zero_within_their_errors():
    noise = 0.004 * np.random.default_rng(1).normal(size=300)
    curves = (
        Curve("MD simulation", Z, noise, MD, np.full(300, 0.004)),
        Curve("Poisson-Boltzmann", Z, np.zeros(300), PB),
    )
    axis = "Net charge density (e·M)"
    zero = Chart(curves, Z_AXIS, axis, Columns("z", "y"), 3.0, from_zero=False, scale=0.005)
    figure = drawn(Plot("Charge Density", (zero,)), (358, 300))
    (note,) = (text.get_text() for text in figure.axes[0].texts)
    assert note.replace("\n", " ") == "Zero within the error: MD simulation ± 0.004 e·M"
    assert limits(zero)[3] > 2 * abs(noise).max()  # the noise does not fill the axes

    signal = Curve("MD simulation", Z, noise + 0.1 * np.cos(Z), MD, np.full(300, 0.004))
    other = Chart((signal,), Z_AXIS, axis, Columns("z", "y"), 3.0, from_zero=False, scale=0.005)
    assert not drawn(Plot("Charge Density", (other,)), (358, 300)).axes[0].texts


def test_drawing_leaves_matplotlib_settings_unchanged():
    before = dict(matplotlib.rcParams)
    drawn(Plot("Potential", (chart(1.0),)), (640, 400))
    assert dict(matplotlib.rcParams) == before
