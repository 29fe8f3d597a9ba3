"""Draws plots, in the colours that Okabe and Ito chose for colour-blind readers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from nanoconf.gui.figures.plots import MD, ML, PB, Chart, Curve, Marker, Plot
from nanoconf.surrogate.band import HALF_WIDTH

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGINS = {"left": 86.0, "right": 20.0, "bottom": 54.0, "top": 20.0}
"""Room around the axes (at 100 per inch); fixed, for measuring it takes half of a drawing."""

LABEL = 66.0
"""How far from its axis the label of a vertical axis stands."""

FONT_SIZE = 11
LEGEND_ROW = 22.0
GAP = 92.0
PER_INCH = 100.0
MARKER_ROW = 0.05
"""Height of a marker's label, as a share of the axes."""

LEGEND_SIGN, LEGEND_LETTER = 52.0, 8.0
"""Width of an entry of the legend, about: of its line, and of each letter."""


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes
    ----------
    paper, ink, faint, wall, stale : str
        Background; lines and letters; grid; the walls; what belongs to other inputs.
    of : dict of (str, str) to str
        Colour of each source and species; of each source where it is about both.
    family : tuple of str
        Names of the colour map of families of curves, by species.
    """

    paper: str
    ink: str
    faint: str
    wall: str
    stale: str
    of: dict[tuple[str, str], str]
    family: str = "viridis"

    def colour(self, curve: Curve) -> Any:
        """The colour of a curve."""
        if curve.shade is not None:
            import matplotlib

            return matplotlib.colormaps[self.family](0.05 + 0.8 * curve.shade)
        if curve.stale and curve.source == MD:
            return self.stale
        return self.of[curve.source, curve.species]


LIGHT = Theme(
    paper="#ffffff",
    ink="#23262d",
    faint="#e6e8ec",
    wall="#d9dce2",
    stale="#8a8f98",
    of={
        (MD, "positive"): "#0072B2",
        (MD, "negative"): "#0072B2",
        (MD, ""): "#0072B2",
        (ML, "positive"): "#D55E00",
        (ML, "negative"): "#009E73",
        (ML, ""): "#D55E00",
        (PB, "positive"): "#8f4a74",
        (PB, "negative"): "#8f4a74",
        (PB, ""): "#8f4a74",
    },
)

DARK = Theme(
    paper="#1c1f25",
    ink="#e4e7ec",
    faint="#343943",
    wall="#3a404b",
    stale="#868d99",
    of={
        (MD, "positive"): "#56B4E9",
        (MD, "negative"): "#56B4E9",
        (MD, ""): "#56B4E9",
        (ML, "positive"): "#F0A030",
        (ML, "negative"): "#2CC79A",
        (ML, ""): "#F0A030",
        (PB, "positive"): "#E5A3C9",
        (PB, "negative"): "#E5A3C9",
        (PB, ""): "#E5A3C9",
    },
    family="cool",
)

LINES: dict[tuple[str, str], Any] = {
    (ML, "positive"): "-",
    (ML, "negative"): (0, (6, 2)),
    (ML, ""): "-",
    (PB, "positive"): (0, (1, 1.5)),
    (PB, "negative"): (0, (4, 1.5, 1, 1.5)),
    (PB, ""): (0, (1, 1.5)),
}
POINTS = {"positive": "s", "negative": "o", "": "D"}

FAMILY_LINES: tuple[Any, ...] = (
    *("-", (0, (6, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2))),
    *((0, (3, 1.5)), (0, (8, 2, 1, 2, 1, 2)), (0, (12, 3))),
)
FAMILY_POINTS = ("o", "s", "^", "D", "v", "P", "X")
"""Members of a family differ in more than colour: who cannot tell colours apart, and who prints
without them, is to tell the curves apart too."""

DOTS = 9
"""Points on a line that is the second of two."""


Artists = list[tuple["Axes", list["Artist"]]]
"""What stands for the curves of each chart."""


def draw(figure: Figure, plot: Plot, theme: Theme = LIGHT) -> None:
    """Draw a plot into a figure, in place of what was there.

    Parameters
    ----------
    figure : Figure
        The figure.
    plot : Plot
        What to draw; stale curves turn pale.
    theme : Theme
        Its colours.
    """
    draw_frame(figure, plot, theme)
    draw_curves(figure, plot, theme)


def frame_of(plot: Plot) -> tuple[Any, ...]:
    """What of a plot its frame depends on: all but curves, markers and limits."""
    return (
        plot.hint,
        *(
            (chart.x_label, chart.y_label, chart.names, *map(_entry, chart.curves))
            for chart in plot.charts
        ),
    )


def _entry(curve: Curve) -> tuple[Any, ...]:
    """What of a curve the legend depends on."""
    banded = curve.error is not None
    return (
        *(curve.label, curve.source, curve.species, curve.stale, curve.shade),
        *(curve.kind, curve.second, banded),
    )


def draw_frame(figure: Figure, plot: Plot, theme: Theme, ends: list[Limits] | None = None) -> None:
    """Draw axes, their labels and legends: all that stays while the curves move a little."""
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
            _say(axes[0], plot)


def draw_curves(figure: Figure, plot: Plot, theme: Theme) -> Artists:
    """Draw the curves into their frame; returns what was drawn, to be removed again."""
    return [
        (
            axes,
            _slit(axes, chart, theme)
            + _zero(axes, chart, theme)
            + _curves(axes, chart, theme)
            + _markers(axes, chart, theme),
        )
        for axes, chart in zip(figure.axes, plot.charts, strict=False)
    ]


# --- limits ---------------------------------------------------------------------------------

LADDER = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Where axes may end, times a power of ten: they stay while the curves move a little."""

HEADROOM = 1.05

AHEAD = 1.3
"""How far ahead axes that have become too short are made longer: who moves a slider goes on."""

BELOW = 0.1
"""How far axes reach beyond zero, at least, where zero is not their end."""


ROOMY = 1.8
"""How much longer than they need be axes may stay, so that they do not change at every step."""

HINT_WIDTH = 64
"""Letters in a line of a figure without curves."""

EDGE = 0.015
"""How much of a wall (nm) is seen at least."""

WIDE = 1.12
"""The same, across the slit."""

Limits = tuple[float, float, float, float]
"""Ends of the axes: x from, x to, y from, y to."""


def set_limits(figure: Figure, ends: list[Limits]) -> None:
    """Let the axes of a figure end there."""
    for axes, (left, right, bottom, top) in zip(figure.axes, ends, strict=False):
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)


def kept_limits(plot: Plot, before: list[Limits]) -> list[Limits]:
    """Where the axes of a plot end: where they ended before, if that still suits all of them."""
    wanted = [limits(chart) for chart in plot.charts]
    if len(wanted) != len(before):
        return wanted
    if all(map(_suits, before, wanted, plot.charts)):
        return before
    return [_ahead(*each) for each in zip(before, wanted, plot.charts, strict=True)]


def fits(plot: Plot, ends: list[Limits]) -> bool:
    """Whether all that a plot shows lies within these ends of its axes."""
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
    return same_across and holds and top - bottom <= ROOMY * (wanted[3] - wanted[2])


def _ahead(before: Limits, wanted: Limits, chart: Chart) -> Limits:
    """Where axes end that ended elsewhere before."""
    grows = wanted[2] < before[2] or before[3] < wanted[3]
    return limits(chart, AHEAD) if grows else wanted


def limits(chart: Chart, room: float = 1.0) -> Limits:
    """Where the axes of a chart end, with so many times the room upward that it needs."""
    low, high = (room * end for end in _extent(chart))
    bottom = 0.0 if chart.from_zero else -_rung(-low)
    top = max(_rung(high), -BELOW * bottom)
    bottom = min(bottom, 0.0 if chart.from_zero else -BELOW * top)
    if bottom == top:
        bottom, top = (0.0, 1.0) if chart.from_zero else (-1.0, 1.0)
    return (*_across(chart), bottom, top)


def _extent(chart: Chart) -> tuple[float, float]:
    """Smallest and largest y with half of the bars or bands, zero between them."""
    low = high = 0.0
    for curve in chart.curves:
        known = curve.y[curve.y == curve.y]
        if len(known):
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    for marker in chart.markers:
        if marker.y is not None:
            low, high = min(low, *marker.places), max(high, *marker.places)
    return low, high


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
    """The next rung of the ladder above a value."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(HEADROOM * value))
    return next(step for step in LADDER if step * power >= HEADROOM * value * 0.999999) * power


# --- what a frame is made of ----------------------------------------------------------------


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
    # Else it is placed by the widths of all tick labels, which are measured at every drawing.
    beside = ScaledTranslation(-LABEL / PER_INCH, 0, axes.figure.dpi_scale_trans)
    axes.yaxis.set_label_coords(0, 0.5, axes.transAxes + beside)
    if chart.names:
        axes.set_xticks(range(len(chart.names)), chart.names)


def _slit(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    """The walls, so that one sees what is confined."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    if chart.width is None:
        return []
    half, upright = chart.width / 2, axes.get_xaxis_transform()
    walls: list[Artist] = []
    for side, end in zip((-1, 1), axes.get_xlim(), strict=True):
        wall, thick = side * half, end - side * half
        walls += [
            Rectangle((wall, 0), thick, 1, color=theme.wall, lw=0, zorder=0, transform=upright),
            Line2D([wall, wall], [0, 1], color=theme.stale, lw=1, zorder=1, transform=upright),
        ]
    return _added(axes, walls)


def _added(axes: Axes, artists: list[Artist]) -> list[Artist]:
    """Put artists into a chart; ``axes.plot`` and its like take three times as long."""
    for artist in artists:
        axes.add_artist(artist)
    return artists


def _zero(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    return [] if chart.from_zero else [axes.axhline(0, color=theme.ink, lw=0.8, zorder=1)]


def _curves(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    # Matplotlib's way to say what stands below the figure: a function in place of the method.
    axes.format_coord = lambda x, y: chart.reading(x)  # type: ignore[method-assign]
    shades = sorted({curve.shade for curve in chart.curves if curve.shade is not None})
    return [artist for curve in chart.curves for artist in _curve(axes, curve, theme, shades)]


def _curve(axes: Axes, curve: Curve, theme: Theme, shades: list[float]) -> list[Artist]:
    if curve.kind == "bars":
        return _bars(axes, curve, theme)
    member = None if curve.shade is None else shades.index(curve.shade)
    if curve.source == MD:
        marker = POINTS[curve.species] if member is None else _nth(FAMILY_POINTS, member)
        return _points(axes, curve, theme, marker)
    style = LINES[curve.source, curve.species] if member is None else _nth(FAMILY_LINES, member)
    return _line(axes, curve, theme, style)


def _nth(styles: tuple[Any, ...], number: int) -> Any:
    return styles[number % len(styles)]


def _bars(axes: Axes, curve: Curve, theme: Theme) -> list[Artist]:
    container = axes.bar(
        curve.x,
        curve.y,
        curve.bar_width,
        yerr=curve.error,
        color=theme.colour(curve),
        ecolor=theme.ink,
        alpha=0.7,
        label=curve.label,
    )
    bars: list[Artist] = list(container)
    return bars + (container.errorbar.get_children() if container.errorbar else [])


def _points(axes: Axes, curve: Curve, theme: Theme, marker: str) -> list[Artist]:
    container = axes.errorbar(
        curve.x,
        curve.y,
        yerr=curve.error,
        fmt=marker,
        color=theme.colour(curve),
        alpha=0.45 if curve.stale else 1,
        markersize=3 if len(curve.x) > 50 else 6,
        elinewidth=1,
        capsize=0,
        label=curve.label + (" ± standard error" if curve.error is not None else ""),
        zorder=2,
    )
    return list(container.get_children())


def _line(axes: Axes, curve: Curve, theme: Theme, style: Any) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon

    alpha = 0.4 if curve.stale else 1
    colour = theme.colour(curve)
    line = Line2D(
        curve.x,
        curve.y,
        color=colour,
        linestyle=style,
        lw=2,
        marker="o" if curve.second else "",
        markevery=max(1, len(curve.x) // DOTS),
        alpha=alpha,
        label=curve.label + (", 90 % band" if curve.error is not None else ""),
        zorder=3,
    )
    if curve.error is None:
        return _added(axes, [line])
    half = HALF_WIDTH * curve.error
    there, back = (curve.x, curve.y - half), (curve.x[::-1], (curve.y + half)[::-1])
    around = np.concatenate([there, back], axis=1).T
    band = Polygon(around, color=colour, alpha=0.2 * alpha, lw=0, zorder=1)
    return _added(axes, [band, line])


def _markers(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    return [
        artist
        for row, marker in enumerate(chart.markers)
        for artist in _marker(axes, marker, row, theme)
    ]


def _marker(axes: Axes, marker: Marker, row: int, theme: Theme) -> list[Artist]:
    """A line with its label, each a row below the one before: lines may be close to each other."""
    style: Any = {"color": theme.ink, "lw": 1.2, "linestyle": (0, (5, 3)), "zorder": 2}
    where: Any
    lines: list[Artist]
    if marker.x is not None:
        lines = [axes.axvline(place, **style) for place in marker.places]
        top = 0.98 - row * MARKER_ROW
        where = {"xy": (marker.x, top), "xycoords": ("data", "axes fraction"), "va": "top"}
    else:
        lines = [axes.axhline(place, **style) for place in marker.places]
        where = {"xy": (0.01, marker.y), "xycoords": ("axes fraction", "data")}
    where |= {"xytext": (5, 2), "textcoords": "offset points"}
    label = axes.annotate(marker.label, color=theme.ink, size=FONT_SIZE, **where)
    return [*lines, label]


def _make_room(figure: Figure, plot: Plot, theme: Theme) -> None:
    """Put the legends above their charts, and the charts where the figure has room."""
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
    """A legend above a chart so wide; how many rows it takes."""
    # The curves themselves come and go; the legend keeps copies.
    drawn = _curves(axes, chart, theme)
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


def remove(axes: Axes, artists: list[Artist]) -> None:
    """Take curves out of a chart."""
    for artist in artists:
        artist.remove()
    axes.containers.clear()


def _say(axes: Axes, plot: Plot) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    if not plot.charts:
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
    text = "\n".join(fill(line, HINT_WIDTH) for line in plot.hint.splitlines())
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", size=13)
