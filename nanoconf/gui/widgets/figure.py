"""A figure, and its numbers for whoever reads the page otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np

from nanoconf.gui.figures.plots import Plot
from nanoconf.gui.services.soon import Soon
from nanoconf.gui.state import AppState

FOOTER_HEIGHT = 26
SMALLEST = (320, 220)

AT_ONCE = ("prediction", "mean_field", "tab", "stage")
"""Shown without waiting for more: a change of the inputs is followed by its prediction."""

AROUND = ("tab", "stage", "dark")
"""What every figure depends on."""


class Canvas(widgets.VBox):
    """A figure that is made when it is first seen, and drawn only while it is seen.

    Parameters
    ----------
    state : AppState
        Whose tab says whether it is seen, and whose stage says how large it is.
    tab : str
        The tab that it stands on.
    plot : callable
        Makes the `Plot`.
    reserved : int
        Height (CSS pixels) of what else stands on the tab.
    watched : tuple of str
        What of the state the plot shows; it is made again when that changes.
    """

    def __init__(
        self,
        state: AppState,
        tab: str,
        plot: Callable[[], Plot],
        reserved: int = 0,
        watched: tuple[str, ...] = (),
    ):
        self._state, self._tab, self._plot, self._reserved = state, tab, plot, reserved
        self._canvas: Any = None
        self._shown: tuple[Any, ...] = ()
        self._soon = Soon(self._refresh)
        self.numbers = widgets.HTML().add_class("nc-numbers")
        super().__init__([self.numbers])
        self.add_class("nc-figure")
        state.observe(self.refresh, (*AROUND, *watched))
        self.refresh()

    def refresh(self, change: Any = None) -> None:
        """Draw it again, soon, if it is seen and shows something else."""
        self._soon.ask(at_once=is_urgent(change))

    def _refresh(self) -> None:
        if self._state.tab != self._tab or self._state.stage == (0, 0):
            return
        plot = self._plot()
        # A run reports twice a second; a figure takes time, so only what is new is drawn.
        shown = (self._state.stage, self._state.dark, *_contents(plot))
        if not _same(shown, self._shown):
            self._shown = shown
            self._draw(plot)

    def _draw(self, plot: Plot) -> None:
        from nanoconf.gui.figures.theme import DARK, LIGHT

        theme = DARK if self._state.dark else LIGHT
        if self._canvas is None:
            from nanoconf.gui.figures.canvas import new_canvas

            # The browser asks for the image when it has its side of the canvas.
            self._canvas = new_canvas(*self._size())
            self._canvas.paint(plot, theme)
            self.children = (self._canvas, self.numbers)
        else:
            self._canvas.fit(*self._size())
            self._canvas.paint(plot, theme)
        self.numbers.value = _numbers(plot)
        # Not the plot itself: it is out of date as soon as the tab is not seen any more.
        self._state.drawn = {**self._state.drawn, self._tab: self._plot}

    def _size(self) -> tuple[int, int]:
        width, height = self._state.stage
        height -= FOOTER_HEIGHT + self._reserved
        return max(SMALLEST[0], width), max(SMALLEST[1], height)


def is_urgent(change: Any) -> bool:
    """Whether a change of the state is shown without waiting for more."""
    return change is not None and change["name"] in AT_ONCE


def _contents(plot: Plot) -> Sequence[Any]:
    """What makes one plot differ from another."""
    contents: list[Any] = [plot.hint]
    for chart in plot.charts:
        contents += [chart.width, chart.markers, chart.x_label, chart.y_label]
        for curve in chart.curves:
            contents += [curve.label, curve.x, curve.y, curve.stale]
    return contents


def _same(these: tuple[Any, ...], those: tuple[Any, ...]) -> bool:
    """Whether two plots show the same: arrays are the same only if they are one."""
    return len(these) == len(those) and all(
        a is b or (not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray) and a == b)
        for a, b in zip(these, those, strict=True)
    )


def _numbers(plot: Plot) -> str:
    """The curves as data: a picture alone is mute to screen readers and to tests."""
    label, curves, lines = map(escape, (plot.in_words(), plot.as_json(), plot.lines_as_json()))
    return (
        f"<div role='img' aria-label='{label}' data-curves='{curves}' data-lines='{lines}'></div>"
    )
