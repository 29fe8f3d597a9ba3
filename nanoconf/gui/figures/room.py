"""Arrangement of a figure: margins around the axes that fit their labels and legends.

Lengths are in 1/100 inch, which are CSS pixels on the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nanoconf.gui.figures.text import height_of, widest, width_of, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PER_INCH = 100.0

EDGE = 6.0
"""Distance of text from the edge of the figure."""

TICK = 10.0
"""Length of a tick mark, with the gap to its label."""

GAP = 8.0
"""Gap between tick labels and the label of their axis."""

TOP, RIGHT = 12.0, 14.0
"""Smallest margins above and to the right of the axes."""

ABOVE = 8.0
"""Gap between the axes and the legend, for half of the highest tick label."""

STEP = 12.0
"""Step of the left margin, so that it seldom changes while a slider moves."""

SLACK = 30.0
"""Largest unused width beside tick labels before the left margin is reduced."""

NARROW, SMALL, NORMAL = 520.0, 9.0, 11.0
"""Width of a chart below which its font is small, and the font sizes (points)."""

STACKED_BELOW = 330.0
"""Width per chart below which charts are stacked."""

MOST_TICKS = 9


@dataclass(frozen=True)
class Cell:
    """Part of a figure that holds one chart.

    Attributes
    ----------
    left, bottom, width, height : float
        The rectangle.
    size : float
        Font size (points).
    """

    left: float
    bottom: float
    width: float
    height: float
    size: float

    @property
    def label_size(self) -> float:
        """Font size of the labels of the axes (points)."""
        return self.size + 1


def stacked(charts: int, width: float) -> bool:
    """Return True if charts are stacked in a figure of a given width."""
    return charts > 1 and width / charts < STACKED_BELOW


def cells(figure: Figure, charts: int) -> list[Cell]:
    """Divide a figure into one cell per chart, side by side or stacked."""
    width, height = (float(each) * PER_INCH for each in figure.get_size_inches())
    charts = max(1, charts)  # an empty figure shows its hint
    if stacked(charts, width):
        size, each = font_size(width), height / charts
        return [Cell(0.0, height - (i + 1) * each, width, each, size) for i in range(charts)]
    size, each = font_size(width / charts), width / charts
    return [Cell(i * each, 0.0, each, height, size) for i in range(charts)]


def font_size(width: float) -> float:
    """Return the font size (points) of a chart of a given width."""
    return SMALL if width < NARROW else NORMAL


def arrange(figure: Figure, charts: int) -> None:
    """Place axes, labels and legends, given the limits of the axes.

    The left margin is kept while the tick labels fit it, so that the axes do not move at every step
    of a slider.
    """
    for axes, cell in zip(figure.axes, cells(figure, charts), strict=True):
        _set_x_label(axes, cell)
        _set_y_label(axes, cell)
        _set_position(axes, cell, _kept_left(axes, cell))
        thin_x_ticks(axes, cell.size)
        # The number of ticks depends on the height of the axes.
        _set_position(axes, cell, _kept_left(axes, cell))
        _center_labels(axes, cell)


def fits(figure: Figure, charts: int) -> bool:
    """Return True if the tick labels fit the margins of the figure."""
    placed = zip(figure.axes, cells(figure, charts), strict=True)
    return all(_fits(_left(axes, cell), _needed_left(axes, cell)) for axes, cell in placed)


def thin_x_ticks(axes: Axes, size: float) -> None:
    """Reduce the ticks of the x axis until their labels do not touch."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    if isinstance(axes.xaxis.get_major_locator(), FixedLocator):
        return  # names of categories
    for most in range(MOST_TICKS, 0, -1):
        axes.xaxis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
        labels = tick_labels(axes, "x")
        places = [place for place, _ in labels]
        gap = min((b - a for a, b in pairwise(places)), default=PER_INCH)
        if widest((text for _, text in labels), size) + GAP <= gap:
            return


def tick_labels(axes: Axes, which: str) -> list[tuple[float, str]]:
    """Return the position along the axis and the label of each visible tick."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axis.get_view_interval())
    spare = 1e-9 * (high - low)
    locations = [x for x in axis.get_majorticklocs() if low - spare <= x <= high + spare]
    texts = axis.get_major_formatter().format_ticks(locations)
    length = axes.bbox.size[0 if which == "x" else 1] * PER_INCH / axes.figure.dpi
    places = [(x - low) / (high - low) * length for x in locations]
    return list(zip(places, texts, strict=True))


# --- margins --------------------------------------------------------------------------------


def _needed_left(axes: Axes, cell: Cell) -> float:
    """Return the left margin that fits the tick labels and the label of the y axis."""
    label = axes.get_ylabel()
    beside = height_of(label, cell.label_size) + GAP if label else 0.0
    return EDGE + beside + widest((text for _, text in tick_labels(axes, "y")), cell.size) + TICK


def _left(axes: Axes, cell: Cell) -> float:
    """Return the present left margin."""
    return axes.get_position().x0 * _width(axes) - cell.left


def _kept_left(axes: Axes, cell: Cell) -> float:
    """Return the present left margin if it suits the tick labels, else a new one."""
    kept, needed = _left(axes, cell), _needed_left(axes, cell)
    return kept if _fits(kept, needed) else STEP * -(-needed // STEP)


def _fits(left: float, needed: float) -> bool:
    return needed - 1e-6 <= left <= needed + SLACK


def _bottom(axes: Axes, cell: Cell) -> float:
    label = height_of(axes.get_xlabel(), cell.label_size)
    return EDGE + (label + GAP / 2 if label else 0.0) + height_of("0", cell.size) + TICK


def _top(axes: Axes) -> float:
    legend = axes.get_legend()
    return TOP if legend is None else TOP + _extent(legend)[1]


def _right(axes: Axes, cell: Cell) -> float:
    """Return the right margin; the last label of the x axis may extend beyond the axis."""
    labels = tick_labels(axes, "x")
    if not labels:
        return RIGHT
    place, text = labels[-1]
    length = axes.bbox.width * PER_INCH / axes.figure.dpi
    return max(RIGHT, EDGE + place + width_of(text, cell.size) / 2 - length)


def _extent(artist: object) -> tuple[float, float]:
    """Return the width and height of an artist that is not drawn yet."""
    figure = artist.figure  # type: ignore[attr-defined]
    box = artist.get_window_extent(figure._get_renderer())  # type: ignore[attr-defined]
    return box.width * PER_INCH / figure.dpi, box.height * PER_INCH / figure.dpi


def _width(axes: Axes) -> float:
    return float(axes.figure.get_size_inches()[0]) * PER_INCH  # type: ignore[union-attr]


def _height(axes: Axes) -> float:
    return float(axes.figure.get_size_inches()[1]) * PER_INCH  # type: ignore[union-attr]


# --- placing --------------------------------------------------------------------------------


def _set_position(axes: Axes, cell: Cell, left: float) -> None:
    bottom, top = _bottom(axes, cell), _top(axes)
    width = max(1.0, cell.width - left - _right(axes, cell))
    height = max(1.0, cell.height - bottom - top)
    whole_width, whole_height = _width(axes), _height(axes)
    axes.set_position(
        (
            (cell.left + left) / whole_width,
            (cell.bottom + bottom) / whole_height,
            width / whole_width,
            height / whole_height,
        )
    )


def _set_x_label(axes: Axes, cell: Cell) -> None:
    label = axes.get_xlabel().replace("\n", " ")
    axes.set_xlabel(wrapped(label, cell.label_size, cell.width - 2 * EDGE))


def _set_y_label(axes: Axes, cell: Cell) -> None:
    label = axes.get_ylabel().replace("\n", " ")
    low, high = _beside(axes, cell)
    axes.set_ylabel(wrapped(label, cell.label_size, high - low))


def _beside(axes: Axes, cell: Cell) -> tuple[float, float]:
    """Return the lower and upper end of the room beside the axes, for the label of the y axis."""
    return _below(axes, cell), cell.height - _top(axes)


def _below(axes: Axes, cell: Cell) -> float:
    """Return the upper end of the label of the x axis."""
    return EDGE + height_of(axes.get_xlabel(), cell.label_size)


def _center_labels(axes: Axes, cell: Cell) -> None:
    """Center labels and legend on the axes, or as near as the edge of the cell permits.

    The positions are fixed: by default, matplotlib measures all tick labels at every draw.
    """
    from matplotlib.transforms import ScaledTranslation

    figure = axes.figure
    box = axes.get_position()
    center = (box.x0 + box.x1) / 2 * _width(axes) - cell.left
    middle = (box.y0 + box.y1) / 2 * _height(axes) - cell.bottom
    inside = EDGE, cell.width - EDGE
    x = _between(center, widest([axes.get_xlabel()], cell.label_size), *inside)
    y = _between(middle, widest([axes.get_ylabel()], cell.label_size), *_beside(axes, cell))
    below = _below(axes, cell)
    beside = EDGE + height_of(axes.get_ylabel(), cell.label_size)

    def at(x: float, y: float) -> Any:
        """Return the transformation that moves the lower left corner of the axes to a point."""
        left, bottom = x - box.x0 * _width(axes), y - box.y0 * _height(axes)
        return axes.transAxes + ScaledTranslation(
            left / PER_INCH, bottom / PER_INCH, figure.dpi_scale_trans
        )

    axes.xaxis.set_label_coords(0, 0, at(cell.left + x, cell.bottom + below))
    axes.yaxis.set_label_coords(0, 0, at(cell.left + beside, cell.bottom + y))
    legend = axes.get_legend()
    if legend is not None:
        x = _between(center, _extent(legend)[0], *inside)
        anchor = (cell.left + x) / _width(axes), box.y1 + ABOVE / _height(axes)
        legend.set_bbox_to_anchor(anchor, figure.transFigure)


def _between(center: float, length: float, low: float, high: float) -> float:
    """Return the center of a text of a given length that stays between two ends."""
    half = length / 2
    return (low + high) / 2 if length > high - low else min(max(center, low + half), high - half)
