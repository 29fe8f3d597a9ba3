"""Drawing of the walls, the zero line, the markers and the note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nanoconf.gui.figures.curves import added
from nanoconf.gui.figures.description import note
from nanoconf.gui.figures.plots import Chart, Marker
from nanoconf.gui.figures.room import EDGE, PER_INCH, font_size
from nanoconf.gui.figures.text import POINT, height_of, widest, wrapped
from nanoconf.gui.figures.theme import Theme

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

BESIDE = 6.0
"""Gap between a marker and its label (1/100 inch)."""

NARROWEST = 90.0
"""Smallest width of a label beside its marker; with less room, the label is placed on the other
side."""


def draw_walls(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    """Draw the walls of the slit."""
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
    return added(axes, walls)


def draw_zero(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    """Draw the line y = 0, unless the axis starts there."""
    if axes.get_ylim()[0] >= 0:
        return []
    return [axes.axhline(0, color=theme.ink, lw=0.8, zorder=1)]


def draw_note(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    """If all curves of a chart are zero within their errors, add a note that says so."""
    text = note(chart)
    if not text:
        return []
    width, _height = _size(axes)
    size = font_size(width) + 1
    return [
        axes.annotate(
            wrapped(text, size, width - 2 * EDGE),
            xy=(0.5, 0.97),
            xycoords="axes fraction",
            color=theme.ink,
            size=size,
            ha="center",
            va="top",
            multialignment="center",
            zorder=5,
            bbox={"boxstyle": "round", "facecolor": theme.paper, "edgecolor": theme.faint},
        )
    ]


def draw_markers(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    """Draw the markers of a chart with their labels, one below the other."""
    artists: list[Artist] = []
    below = EDGE
    for marker in chart.markers:
        if marker.x is None:
            artists += _across(axes, marker, theme)
        else:
            drawn, height = _upright(axes, marker, below, theme)
            artists += drawn
            below += height + EDGE / 2
    return artists


def _style(theme: Theme) -> dict[str, Any]:
    return {"color": theme.ink, "lw": 1.2, "linestyle": (0, (5, 3)), "zorder": 2}


def _across(axes: Axes, marker: Marker, theme: Theme) -> list[Artist]:
    """Draw lines at values of y, with a label above the upper one."""
    size = font_size(_size(axes)[0])
    label = axes.annotate(
        marker.label,
        xy=(0.01, max(marker.places)),
        xycoords=("axes fraction", "data"),
        xytext=(5, 2),
        textcoords="offset points",
        color=theme.ink,
        size=size,
        zorder=4,
    )
    return [*(axes.axhline(place, **_style(theme)) for place in marker.places), label]


def _upright(axes: Axes, marker: Marker, below: float, theme: Theme) -> tuple[list[Artist], float]:
    """Draw a line at a value of x, with a label; return the height of the label, too.

    The label is on the side of the line that has more room, and a given length below the top.
    """
    assert marker.x is not None
    artists: list[Artist] = [axes.axvline(place, **_style(theme)) for place in marker.places]
    width, height = _size(axes)
    low, high = axes.get_xlim()
    place = (marker.x - low) / (high - low) * width
    size = font_size(width)
    right = width - place >= max(NARROWEST, widest([marker.label], size)) or place < width / 2
    room = (width - place if right else place) - BESIDE
    text = wrapped(marker.label, size, max(NARROWEST, room))
    tall = height_of(text, size)
    label = axes.annotate(
        text,
        xy=(marker.x, 1),
        xycoords=("data", "axes fraction"),
        xytext=((BESIDE if right else -BESIDE) / POINT, -below / POINT),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top",
        color=theme.ink,
        size=size,
        zorder=4,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": theme.paper, "lw": 0, "alpha": 0.8},
    )
    if marker.start is not None:
        artists.append(_arrow(axes, marker, 1 - (below + tall / 2) / height, theme))
    return [*artists, label], tall


def _arrow(axes: Axes, marker: Marker, row: float, theme: Theme) -> Artist:
    """Draw the distance that ends at a marker, at a height given as a fraction of the axes."""
    return axes.annotate(
        "",
        xy=(marker.x or 0.0, row),
        xytext=(marker.start or 0.0, row),
        xycoords=("data", "axes fraction"),
        textcoords=("data", "axes fraction"),
        arrowprops={
            "arrowstyle": "<->",
            "color": theme.ink,
            "lw": 1.2,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


def _size(axes: Axes) -> tuple[float, float]:
    """Return the width and height of the axes (1/100 inch)."""
    box = axes.get_position()
    width, height = axes.figure.get_size_inches() * PER_INCH  # type: ignore[union-attr]
    return float(box.width * width), float(box.height * height)
