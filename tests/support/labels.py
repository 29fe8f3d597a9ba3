"""Extents of the text around the axes of a figure."""

from __future__ import annotations

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox


def _boxes(axes: Axes) -> dict[str, Bbox]:
    """Return the extents of the text around the axes, by name."""
    found = {"x label": axes.xaxis.label, "y label": axes.yaxis.label}
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if low <= tick.get_loc() <= high:
                found[f"{name} tick {tick.label1.get_text()}"] = tick.label1
    if axes.get_legend():
        found["legend"] = axes.get_legend()
    return {name: artist.get_window_extent() for name, artist in found.items()}


def _overlap(one: Bbox, other: Bbox) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 1 and height > 1


def check_labels(figure: Figure) -> None:
    """Assert that no text around the axes is cropped, and that none covers another."""
    whole = figure.bbox
    every = {}
    for number, axes in enumerate(figure.axes):
        for name, box in _boxes(axes).items():
            every[number, name] = box
            assert box.x0 >= -1 and box.x1 <= whole.x1 + 1, f"{name} is cropped"
            assert box.y0 >= -1 and box.y1 <= whole.y1 + 1, f"{name} is cropped"
        assert axes.bbox.width > 50 and axes.bbox.height > 30
        assert not axes.yaxis.get_offset_text().get_text()
        assert not axes.xaxis.get_offset_text().get_text()
    for one, other in combinations(every, 2):
        assert not _overlap(every[one], every[other]), f"{one} covers {other}"
