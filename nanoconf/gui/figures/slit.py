"""Drawing of the walls, the zero line and the markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nanoconf.gui.figures.curves import added
from nanoconf.gui.figures.plots import Chart, Marker
from nanoconf.gui.figures.theme import FONT_SIZE, Theme

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MARKER_ROW = 0.05
"""Height of a marker label, as a fraction of the axes."""


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
    return [] if chart.from_zero else [axes.axhline(0, color=theme.ink, lw=0.8, zorder=1)]


def draw_markers(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    """Draw the markers of a chart with their labels."""
    return [
        artist
        for row, marker in enumerate(chart.markers)
        for artist in _marker(axes, marker, row, theme)
    ]


def _marker(axes: Axes, marker: Marker, row: int, theme: Theme) -> list[Artist]:
    """Draw a marker; labels are staggered in rows, because lines may be close to each other."""
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
