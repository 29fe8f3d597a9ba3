"""Zooming and panning of a figure with the keyboard."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

ZOOM, PAN = 0.8, 0.1
"""Width of the view after zooming in, and distance of a pan, relative to the width before."""

SCALES = {"+": ZOOM, "=": ZOOM, "-": 1 / ZOOM}
MOVES = {
    "shift+left": (-PAN, 0.0),
    "shift+right": (PAN, 0.0),
    "shift+down": (0.0, -PAN),
    "shift+up": (0.0, PAN),
}


def navigate(event: Any) -> None:
    """Zoom with + and −, and pan with Shift and the arrow keys; other keys do nothing.

    matplotlib has no such keys, and zooms and pans with the mouse only.
    """
    scale, (right, up) = SCALES.get(event.key, 1.0), MOVES.get(event.key, (0.0, 0.0))
    if event.key not in SCALES and event.key not in MOVES:
        return
    canvas, toolbar = event.canvas, event.canvas.toolbar
    if toolbar._nav_stack() is None:
        toolbar.push_current()  # the view that Reset view returns to
    for axes in canvas.figure.axes:
        _move(axes, scale, right, up)
    toolbar.push_current()
    canvas.draw_idle()


def _move(axes: Axes, scale: float, right: float, up: float) -> None:
    axes.set_xlim(*_moved(axes.get_xlim(), scale, right))
    axes.set_ylim(*_moved(axes.get_ylim(), scale, up))


def _moved(ends: tuple[float, float], scale: float, shift: float) -> tuple[float, float]:
    """Return the ends of an axis after scaling about its centre and shifting it."""
    low, high = ends
    centre, half = (low + high) / 2, (high - low) / 2
    centre += 2 * half * shift
    return centre - scale * half, centre + scale * half
