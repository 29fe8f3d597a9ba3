"""A figure, with its data for screen readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np

from nanoconf.gui.figures.plots import Plot
from nanoconf.gui.services.debounce import Debounced
from nanoconf.gui.state import AppState

FOOTER_HEIGHT = 26
SMALLEST = (320, 220)

URGENT = ("prediction", "mean_field", "tab", "figures", "stage")
"""Traits whose changes are displayed immediately; changed inputs wait for their prediction."""

AROUND = ("tab", "figures", "stage", "dark")
"""Traits that every figure depends on."""


class Canvas(widgets.VBox):
    """A figure that is created when it is first selected, and drawn only while it is visible.

    Parameters
    ----------
    state : AppState
        Provides the selected figure and the available space.
    title : str
        Title of the figure: that of its tab, or one of `Tab.figures`.
    plot : callable
        Makes the `Plot`.
    reserved : int
        Height (CSS pixels) of the other contents of the tab.
    watched : tuple of str
        Traits of the state that the plot depends on.
    """

    def __init__(
        self,
        state: AppState,
        title: str,
        plot: Callable[[], Plot],
        reserved: int = 0,
        watched: tuple[str, ...] = (),
    ):
        self._state, self._title, self._plot, self._reserved = state, title, plot, reserved
        self._canvas: Any = None
        self._shown: tuple[Any, ...] = ()
        self._debounced = Debounced(self._refresh)
        self.numbers = widgets.HTML().add_class("nc-numbers")
        super().__init__([self.numbers])
        self.add_class("nc-figure")
        state.observe(self.refresh, (*AROUND, *watched))
        self.refresh()

    def refresh(self, change: Any = None) -> None:
        """Redraw the figure after a short delay if it is visible and has changed."""
        self._debounced.request(immediately=is_urgent(change))

    def _refresh(self) -> None:
        if self._state.shown_figure != self._title or self._state.stage == (0, 0):
            return
        plot = self._plot()
        # A run reports twice a second and drawing is slow, so an unchanged figure is not redrawn.
        shown = (self._state.stage, self._state.dark, *_contents(plot))
        if not _same(shown, self._shown):
            self._shown = shown
            self._draw(plot)

    def _draw(self, plot: Plot) -> None:
        from nanoconf.gui.figures.theme import DARK, LIGHT

        theme = DARK if self._state.dark else LIGHT
        if self._canvas is None:
            from nanoconf.gui.figures.canvas import new_canvas

            # The browser requests the image once it has created its side of the canvas.
            self._canvas = new_canvas(*self._size())
            self._canvas.paint(plot, theme)
            self.children = (self._canvas, self.numbers)
        else:
            self._canvas.fit(*self._size())
            self._canvas.paint(plot, theme)
        self.numbers.value = _numbers(plot)
        # Store the function, because the plot itself is outdated once the figure is hidden.
        self._state.drawn = {**self._state.drawn, self._title: self._plot}

    def _size(self) -> tuple[int, int]:
        width, height = self._state.stage
        height -= FOOTER_HEIGHT + self._reserved
        return max(SMALLEST[0], width), max(SMALLEST[1], height)


def is_urgent(change: Any) -> bool:
    """Return True if a change in the state is displayed immediately."""
    return change is not None and change["name"] in URGENT


def _contents(plot: Plot) -> Sequence[Any]:
    """Return the parts of a plot that require a redraw when they change."""
    contents: list[Any] = [plot.hint]
    for chart in plot.charts:
        contents += [chart.width, chart.markers, chart.x_label, chart.y_label]
        for curve in chart.curves:
            contents += [curve.label, curve.x, curve.y, curve.stale]
    return contents


def _same(these: tuple[Any, ...], those: tuple[Any, ...]) -> bool:
    """Return True if the contents are equal; arrays are compared by identity."""
    return len(these) == len(those) and all(
        a is b or (not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray) and a == b)
        for a, b in zip(these, those, strict=True)
    )


def _numbers(plot: Plot) -> str:
    """Return the data of the curves as HTML, for screen readers and tests."""
    label, curves, lines = map(escape, (plot.as_text(), plot.as_json(), plot.lines_as_json()))
    return (
        f"<div role='img' aria-label='{label}' data-curves='{curves}' data-lines='{lines}'></div>"
    )
