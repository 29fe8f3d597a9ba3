"""Drawing of a plot: a frame that is reused, and contents that change with every plot."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

from nanoconf.gui.figures.curves import draw_curves, remove
from nanoconf.gui.figures.limits import Limits, kept_limits, set_limits
from nanoconf.gui.figures.plots import Chart, Curve, Plot
from nanoconf.gui.figures.slit import draw_markers, draw_walls, draw_zero
from nanoconf.gui.figures.theme import FONT_SIZE, LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGINS = {"left": 86.0, "right": 20.0, "bottom": 54.0, "top": 20.0}
"""Margins around the axes (1/100 inch); fixed, because measuring them doubles the drawing time."""

LABEL = 66.0
"""Distance of the label of a vertical axis from the axis."""

LEGEND_ROW = 22.0
GAP = 92.0
PER_INCH = 100.0
LEGEND_SIGN, LEGEND_LETTER = 52.0, 8.0
"""Approximate widths in the legend: of a line sample, and of each character."""

HINT_WIDTH = 64
"""Characters per line of the hint in an empty figure."""

Artists = list[tuple["Axes", list["Artist"]]]
"""The artists of each chart."""


def draw(figure: Figure, plot: Plot, theme: Theme = LIGHT) -> None:
    """Draw a plot into a figure, replacing its contents.

    Parameters
    ----------
    figure : Figure
        The figure.
    plot : Plot
        The plot; stale curves are drawn pale.
    theme : Theme
        The colours.
    """
    draw_frame(figure, plot, theme)
    draw_contents(figure, plot, theme)


def frame_of(plot: Plot) -> tuple[Any, ...]:
    """Return the parts of a plot that determine its frame: all but curves, markers and limits."""
    return (
        plot.hint,
        *(
            (chart.x_label, chart.y_label, chart.names, *map(_entry, chart.curves))
            for chart in plot.charts
        ),
    )


def _entry(curve: Curve) -> tuple[Any, ...]:
    """Return the parts of a curve that determine its legend entry."""
    banded = curve.error is not None
    return (
        *(curve.label, curve.source, curve.species, curve.stale, curve.shade),
        *(curve.kind, curve.second, banded),
    )


def draw_frame(figure: Figure, plot: Plot, theme: Theme, ends: list[Limits] | None = None) -> None:
    """Draw axes, labels and legends, which can be reused while only the curves change."""
    import matplotlib

    with matplotlib.rc_context(_settings(theme)):
        figure.clear()
        figure.set_facecolor(theme.paper)
        axes = figure.subplots(1, max(1, len(plot.charts)), squeeze=False)[0]
        set_limits(figure, ends or kept_limits(plot, []))
        for axis, chart in zip(axes, plot.charts, strict=False):
            _draw_axes(axis, chart, theme)
        _make_room(figure, plot, theme)
        if plot.hint:
            _draw_hint(axes[0], plot)


def draw_contents(figure: Figure, plot: Plot, theme: Theme) -> Artists:
    """Draw walls, curves and markers into the frame; return them for `remove_contents`."""
    return [
        (
            axes,
            draw_walls(axes, chart, theme)
            + draw_zero(axes, chart, theme)
            + draw_curves(axes, chart, theme)
            + draw_markers(axes, chart, theme),
        )
        for axes, chart in zip(figure.axes, plot.charts, strict=False)
    ]


def remove_contents(contents: Artists) -> None:
    """Remove the artists that `draw_contents` returned."""
    for axes, artists in contents:
        remove(axes, artists)


# --- parts of the frame ---------------------------------------------------------------------


def _settings(theme: Theme) -> dict[Any, Any]:
    return {
        "font.size": FONT_SIZE,
        "axes.labelsize": 12,
        "axes.facecolor": theme.paper,
        "axes.edgecolor": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "text.color": theme.ink,
        "legend.frameon": False,
    }


def _draw_axes(axes: Axes, chart: Chart, theme: Theme) -> None:
    from matplotlib.transforms import ScaledTranslation

    axes.autoscale(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=theme.faint, lw=0.8)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    # A fixed position: by default, matplotlib measures all tick labels at every draw.
    beside = ScaledTranslation(-LABEL / PER_INCH, 0, axes.figure.dpi_scale_trans)
    axes.yaxis.set_label_coords(0, 0.5, axes.transAxes + beside)
    if chart.names:
        axes.set_xticks(range(len(chart.names)), chart.names)


def _make_room(figure: Figure, plot: Plot, theme: Theme) -> None:
    """Place the legends above the charts, and the charts in the remaining space."""
    width, height = figure.get_size_inches() * PER_INCH
    charts = len(figure.axes)
    inside = max(1.0, (width - MARGINS["left"] - MARGINS["right"] - (charts - 1) * GAP) / charts)
    rows = [
        _legend(axes, chart, theme, inside)
        for axes, chart in zip(figure.axes, plot.charts, strict=False)
    ]
    figure.subplots_adjust(
        left=MARGINS["left"] / width,
        right=1 - MARGINS["right"] / width,
        bottom=MARGINS["bottom"] / height,
        top=1 - (MARGINS["top"] + max(rows, default=0) * LEGEND_ROW) / height,
        wspace=GAP / inside,
    )


def _legend(axes: Axes, chart: Chart, theme: Theme, width: float) -> int:
    """Draw a legend above a chart of a given width; return its number of rows."""
    # The curves are replaced often; the legend keeps copies.
    drawn = draw_curves(axes, chart, theme)
    handles, labels = axes.get_legend_handles_labels()
    remove(axes, drawn)
    if not handles:
        return 0
    entry = LEGEND_SIGN + LEGEND_LETTER * max(map(len, labels))
    columns = min(max(1, int(width / entry)), len(handles))
    axes.legend(
        handles,
        labels,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        columnspacing=1.2,
    )
    return -(-len(handles) // columns)


def _draw_hint(axes: Axes, plot: Plot) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    if not plot.charts:
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
    text = "\n".join(fill(line, HINT_WIDTH) for line in plot.hint.splitlines())
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", size=13)
