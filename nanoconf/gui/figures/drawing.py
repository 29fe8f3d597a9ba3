"""Drawing of a plot: a frame that is reused, and contents that change with every plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nanoconf.gui.figures.curves import draw_curves, remove
from nanoconf.gui.figures.limits import Limits, kept_limits, set_limits
from nanoconf.gui.figures.plots import Chart, Curve, Plot
from nanoconf.gui.figures.room import EDGE, Cell, arrange, cells
from nanoconf.gui.figures.slit import draw_markers, draw_note, draw_walls, draw_zero
from nanoconf.gui.figures.text import POINT, widest, wrapped
from nanoconf.gui.figures.theme import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGN, SIGN_GAP, COLUMN_GAP = 2.6, 0.6, 1.4
"""Lengths in a legend, in font sizes: of a line sample, and of the gaps behind it and between
columns."""

MOST_PLACES = 8
"""Number of whole values of x above which an axis has ordinary ticks."""

HINT_MARGIN = 110.0
"""Width beside the hint in an empty figure (1/100 inch)."""

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
        *(curve.kind, curve.listed, curve.second, curve.converged, banded),
    )


def draw_frame(figure: Figure, plot: Plot, theme: Theme, ends: list[Limits] | None = None) -> None:
    """Draw axes, labels and legends, which can be reused while only the curves change."""
    import matplotlib

    count = max(1, len(plot.charts))
    placed = cells(figure, count)
    with matplotlib.rc_context(_settings(theme, placed[0])):
        figure.clear()
        figure.set_facecolor(theme.paper)
        all_axes = [figure.add_axes((0.0, 0.2, 0.9, 0.6), label=f"{i}") for i in range(count)]
        set_limits(figure, ends or kept_limits(plot, []))
        for axes, chart, cell in zip(all_axes, plot.charts, placed, strict=False):
            _draw_axes(axes, chart, theme)
            _legend(axes, chart, theme, cell)
        if plot.hint:
            _draw_hint(all_axes[0], plot, placed[0])
        arrange(figure, count)


def draw_contents(figure: Figure, plot: Plot, theme: Theme) -> Artists:
    """Draw walls, curves and markers into the frame; return them for `remove_contents`."""
    return [
        (
            axes,
            draw_walls(axes, chart, theme)
            + draw_zero(axes, chart, theme)
            + draw_curves(axes, chart, theme)
            + draw_markers(axes, chart, theme)
            + draw_note(axes, chart, theme),
        )
        for axes, chart in zip(figure.axes, plot.charts, strict=False)
    ]


def remove_contents(contents: Artists) -> None:
    """Remove the artists that `draw_contents` returned."""
    for axes, artists in contents:
        remove(axes, artists)


# --- parts of the frame ---------------------------------------------------------------------


def _settings(theme: Theme, cell: Cell) -> dict[Any, Any]:
    return {
        "font.size": cell.size,
        "axes.labelsize": cell.label_size,
        "axes.facecolor": theme.paper,
        "axes.edgecolor": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "xtick.labelsize": cell.size,
        "ytick.labelsize": cell.size,
        "text.color": theme.ink,
        "text.parse_math": False,  # users name runs
        "legend.frameon": False,
        "legend.fontsize": cell.size,
    }


def _draw_axes(axes: Axes, chart: Chart, theme: Theme) -> None:
    from nanoconf.gui.figures.ticks import PlainFormatter

    axes.autoscale(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=theme.faint, lw=0.8)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    axes.yaxis.set_major_formatter(PlainFormatter())
    if chart.names:
        axes.set_xticks(range(len(chart.names)), chart.names)
    else:
        axes.xaxis.set_major_formatter(PlainFormatter())
        places = _whole_places(chart)
        if places:
            axes.set_xticks(places)


def _whole_places(chart: Chart) -> list[float]:
    """Return the values of x if they are a few whole numbers, such as valencies."""
    places = sorted({float(x) for curve in chart.curves for x in curve.x[:MOST_PLACES]})
    whole = all(x == round(x) for x in places) and len(places) < MOST_PLACES
    return places if whole else []


def _legend(axes: Axes, chart: Chart, theme: Theme, cell: Cell) -> None:
    """Draw a legend above a chart, with as many columns as fit its cell."""
    # The curves are replaced often; the legend keeps copies.
    drawn = draw_curves(axes, chart, theme)
    handles, names = axes.get_legend_handles_labels()
    remove(axes, drawn)
    if not handles:
        return
    handles, names = _family_entries(chart, handles, names)
    room, em = cell.width - 2 * EDGE, cell.size * POINT
    sign, gap = (SIGN + SIGN_GAP) * em, COLUMN_GAP * em
    labels = [wrapped(name, cell.size, room - sign) for name in names]
    columns = int((room + gap) / (sign + widest(labels, cell.size) + gap))
    axes.legend(
        handles,
        labels,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=min(max(1, columns), len(handles)),
        borderaxespad=0.2,
        borderpad=0.2,
        handlelength=SIGN,
        handletextpad=SIGN_GAP,
        columnspacing=COLUMN_GAP,
        labelspacing=0.25,
    )


def _family_entries(
    chart: Chart, handles: list[Any], names: list[str]
) -> tuple[list[Any], list[str]]:
    """Shorten the legend of a family of simulations: remarks explain bars and hollow points."""
    from matplotlib.lines import Line2D

    family = [curve for curve in chart.curves if curve.as_points and curve.shade is not None]
    if not family:
        return handles, names
    shades = {curve.shade for curve in family if curve.converged}
    hidden = {each.label for each in family if not each.converged and each.shade in shades}
    remarks = ["bars: standard error", *(["hollow: not converged"] if hidden else [])]
    kept = [each for each in zip(handles, names, strict=True) if each[1] not in hidden]
    kept += [(Line2D([], [], linestyle="none"), remark) for remark in remarks]
    return [handle for handle, _ in kept], [name for _, name in kept]


def _draw_hint(axes: Axes, plot: Plot, cell: Cell) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    if not plot.charts:
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
    size = cell.size + 2
    lines = (wrapped(line, size, cell.width - HINT_MARGIN) for line in plot.hint.splitlines())
    text = "\n".join(lines)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", size=size)
