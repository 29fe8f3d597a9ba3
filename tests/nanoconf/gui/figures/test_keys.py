"""Keys that zoom and pan a figure."""

from __future__ import annotations

import pytest
from matplotlib.backend_bases import KeyEvent

from nanoconf.gui.figures.canvas import new_canvas

# ipympl's toolbar passes arguments that traitlets does not know.
pytestmark = pytest.mark.filterwarnings("ignore:Passing unrecognized arguments")


@pytest.fixture
def canvas():
    canvas = new_canvas(600, 400)
    for axes in canvas.figure.subplots(1, 2):
        axes.set(xlim=(0, 10), ylim=(-1, 1))
    return canvas


def press(canvas, key: str) -> None:
    KeyEvent("key_press_event", canvas, key)._process()


def views(canvas) -> list[tuple[float, ...]]:
    return [(*axes.get_xlim(), *axes.get_ylim()) for axes in canvas.figure.axes]


@pytest.mark.parametrize(
    ("key", "view"),
    [
        ("+", (1, 9, -0.8, 0.8)),
        ("-", (-1.25, 11.25, -1.25, 1.25)),
        ("shift+right", (1, 11, -1, 1)),
        ("shift+left", (-1, 9, -1, 1)),
        ("shift+up", (0, 10, -0.8, 1.2)),
        ("shift+down", (0, 10, -1.2, 0.8)),
        ("x", (0, 10, -1, 1)),
    ],
)
def test_keys_zoom_and_pan_all_axes(canvas, key, view):
    press(canvas, key)
    assert views(canvas) == [pytest.approx(view)] * 2


def test_matplotlib_keys_return_to_earlier_views(canvas):
    whole = views(canvas)
    press(canvas, "+")
    closer = views(canvas)
    press(canvas, "+")
    press(canvas, "backspace")
    assert views(canvas) == closer
    press(canvas, "h")
    assert views(canvas) == whole
