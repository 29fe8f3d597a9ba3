"""Draws plots, in the colours that Okabe and Ito chose for colour-blind readers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nanoconf.gui.plots import MD, ML, PB, Chart, Curve, Plot
from nanoconf.surrogate.band import HALF_WIDTH

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGINS = {"left": 86.0, "right": 20.0, "bottom": 54.0, "top": 20.0}
"""Room around the axes (at 100 per inch); fixed, for measuring it takes half of a drawing."""

LEGEND_ROW = 22.0
GAP = 92.0
PER_INCH = 100.0
LEGEND_ENTRY = 210.0
"""Width of an entry of the legend, about."""


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
DASHED: Any = (0, (4, 2))
POINTS = {"positive": "s", "negative": "o", "": "D"}


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
    """What of a plot its frame depends on: all but curves and limits."""
    return (
        plot.hint,
        *(
            (chart.x_label, chart.y_label, chart.markers, chart.names, *map(_entry, chart.curves))
            for chart in plot.charts
        ),
    )


def _entry(curve: Curve) -> tuple[Any, ...]:
    """What of a curve the legend depends on."""
    banded = curve.error is not None
    return (
        *(curve.label, curve.source, curve.species, curve.stale, curve.shade),
        *(curve.kind, curve.dashed, banded),
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
            _say(axes[0], plot.hint)


def draw_curves(figure: Figure, plot: Plot, theme: Theme) -> Artists:
    """Draw the curves into their frame; returns what was drawn, to be removed again."""
    return [
        (axes, _slit(axes, chart, theme) + _curves(axes, chart, theme))
        for axes, chart in zip(figure.axes, plot.charts, strict=False)
    ]


# --- limits ---------------------------------------------------------------------------------

LADDER = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Where axes may end, times a power of ten: they stay while the curves move a little."""

HEADROOM = 1.05

BELOW = 0.1
"""How far axes reach beyond zero, at least, where zero is not their end."""


ROOMY = 1.8
"""How much longer than they need be axes may stay, so that they do not change at every step."""

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
    if len(wanted) == len(before) and all(map(_suits, before, wanted, plot.charts)):
        return before
    return wanted


def _suits(before: Limits, wanted: Limits, chart: Chart) -> bool:
    left, right, bottom, top = before
    if chart.width is None:
        same_across = (left, right) == wanted[:2]
    else:
        same_across = chart.width / 2 < right <= WIDE * wanted[1]
    low, high = _extent(chart)
    holds = bottom <= HEADROOM * low and HEADROOM * high <= top
    return same_across and holds and top - bottom <= ROOMY * (wanted[3] - wanted[2])


def limits(chart: Chart) -> Limits:
    """Where the axes of a chart end."""
    low, high = _extent(chart)
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
        low, high = min(low, marker.y or 0.0), max(high, marker.y or 0.0)
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
        "font.size": 11,
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
    axes.autoscale(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=theme.faint, lw=0.8)
    if not chart.from_zero:
        axes.axhline(0, color=theme.ink, lw=0.8, zorder=1)
    for marker in chart.markers:
        _draw_marker(axes, marker, theme)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    if chart.names:
        axes.set_xticks(range(len(chart.names)), chart.names)


def _slit(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    """The walls, so that one sees what is confined."""
    if chart.width is None:
        return []
    half = chart.width / 2
    walls: list[Artist] = []
    for side, end in zip((-1, 1), axes.get_xlim(), strict=True):
        walls.append(axes.axvspan(side * half, end, color=theme.wall, lw=0, zorder=0))
        walls.append(axes.axvline(side * half, color=theme.stale, lw=1, zorder=1))
    return walls


def _curves(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    # Matplotlib's way to say what stands below the figure: a function in place of the method.
    axes.format_coord = lambda x, y: chart.reading(x)  # type: ignore[method-assign]
    return [artist for curve in chart.curves for artist in _curve(axes, curve, theme)]


def _curve(axes: Axes, curve: Curve, theme: Theme) -> list[Artist]:
    if curve.kind == "bars":
        return _bars(axes, curve, theme)
    return (_points if curve.source == MD else _line)(axes, curve, theme)


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


def _points(axes: Axes, curve: Curve, theme: Theme) -> list[Artist]:
    container = axes.errorbar(
        curve.x,
        curve.y,
        yerr=curve.error,
        fmt=POINTS[curve.species],
        color=theme.colour(curve),
        alpha=0.45 if curve.stale else 1,
        markersize=3 if len(curve.x) > 50 else 6,
        elinewidth=1,
        capsize=0,
        label=curve.label + (" ± standard error" if curve.error is not None else ""),
        zorder=2,
    )
    return list(container.get_children())


def _line(axes: Axes, curve: Curve, theme: Theme) -> list[Artist]:
    alpha = 0.4 if curve.stale else 1
    colour = theme.colour(curve)
    lines = axes.plot(
        curve.x,
        curve.y,
        color=colour,
        linestyle=DASHED if curve.dashed else LINES[curve.source, curve.species],
        lw=2,
        alpha=alpha,
        label=curve.label + (", 90 % band" if curve.error is not None else ""),
        zorder=3,
    )
    if curve.error is None:
        return [*lines]
    half = HALF_WIDTH * curve.error
    band = axes.fill_between(
        curve.x, curve.y - half, curve.y + half, color=colour, alpha=0.2 * alpha, lw=0, zorder=1
    )
    return [band, *lines]


def _draw_marker(axes: Axes, marker: Any, theme: Theme) -> None:
    style: Any = {"color": theme.ink, "lw": 1.2, "linestyle": (0, (5, 3)), "zorder": 2}
    where: Any
    if marker.x is not None:
        axes.axvline(marker.x, **style)
        where = {"xy": (marker.x, 0.98), "xycoords": ("data", "axes fraction"), "va": "top"}
    else:
        axes.axhline(marker.y, **style)
        where = {"xy": (0.99, marker.y), "xycoords": ("axes fraction", "data"), "ha": "right"}
    axes.annotate(marker.label, xytext=(5, 2), textcoords="offset points", **where)


def _make_room(figure: Figure, plot: Plot, theme: Theme) -> None:
    """Put the legends above their charts, and the charts where the figure has room."""
    width, height = figure.get_size_inches() * PER_INCH
    charts = len(figure.axes)
    inside = max(1.0, (width - MARGINS["left"] - MARGINS["right"] - (charts - 1) * GAP) / charts)
    columns = max(1, int(inside / LEGEND_ENTRY))
    rows = [
        _legend(axes, chart, theme, columns)
        for axes, chart in zip(figure.axes, plot.charts, strict=False)
    ]
    figure.subplots_adjust(
        left=MARGINS["left"] / width,
        right=1 - MARGINS["right"] / width,
        bottom=MARGINS["bottom"] / height,
        top=1 - (MARGINS["top"] + max(rows, default=0) * LEGEND_ROW) / height,
        wspace=GAP / inside,
    )


def _legend(axes: Axes, chart: Chart, theme: Theme, columns: int) -> int:
    """A legend above a chart; how many rows it takes."""
    # The curves themselves come and go; the legend keeps copies.
    drawn = _curves(axes, chart, theme)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        columns = min(columns, len(handles))
        axes.legend(
            handles,
            labels,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=columns,
            borderaxespad=0.2,
            columnspacing=1.2,
        )
    remove(axes, drawn)
    return -(-len(handles) // columns)


def remove(axes: Axes, artists: list[Artist]) -> None:
    """Take curves out of a chart."""
    for artist in artists:
        artist.remove()
    axes.containers.clear()


def _say(axes: Axes, hint: str) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.text(0.5, 0.5, hint, transform=axes.transAxes, ha="center", va="center", size=13)
