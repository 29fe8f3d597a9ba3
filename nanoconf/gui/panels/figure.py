"""A tab with a figure: what it shows, the figure, and its numbers for whoever reads the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui import words
from nanoconf.gui.curves import Curve, density_curves, prediction_curves
from nanoconf.gui.state import TABS, AppState

CAPTION_HEIGHT = 46
FOOTER_HEIGHT = 26
SMALLEST = (320, 220)

HINTS = {
    0: "Press Run to simulate this system,\nor Predict using ML for an answer at once.",
    1: "Press Run to simulate this system,\nor Predict using ML for an answer at once.",
    2: "Press Predict using ML for an answer at once.",
}


class FigurePanel(widgets.VBox):
    """A figure that is made when it is first seen, and drawn only while it is seen.

    Parameters
    ----------
    state : AppState
        Where the curves come from.
    tab : int
        Which tab it is.
    curves : callable
        The curves of a state.
    """

    def __init__(self, state: AppState, tab: int, curves: Callable[[AppState], list[Curve]]):
        self._state, self._tab, self._curves = state, tab, curves
        self._canvas: Any = None
        self._dirty = True
        self.caption = widgets.HTML().add_class("nc-caption")
        self.numbers = widgets.HTML().add_class("nc-numbers")
        super().__init__([self.caption, self.numbers])
        self.add_class("nc-figure")
        self.stage = (0, 0)
        shown = ["simulation", "prediction", "simulation_stale", "prediction_stale", "values"]
        state.observe(self._changed, shown)
        state.observe(self._refresh, "tab")

    def resize(self, stage: tuple[int, int]) -> None:
        """There is so much room for caption and figure (CSS pixels)."""
        if stage != self.stage:
            self.stage = stage
            self._dirty = True
            self._refresh()

    def _changed(self, change: dict[str, Any]) -> None:
        # Typing moves the walls only where nothing is drawn yet.
        if change["name"] != "values" or not self._curves(self._state):
            self._dirty = True
            self._refresh()

    def _refresh(self, _change: Any = None) -> None:
        if self._dirty and self._state.tab == self._tab and self.stage != (0, 0):
            self._dirty = False
            self._draw()

    def _draw(self) -> None:
        from nanoconf.gui.figures import draw

        curves = self._curves(self._state)
        width = self._state.values["confinement_length"] or 3.0
        self.caption.value = _caption(self._state, self._tab)
        self.numbers.value = _numbers(TABS[self._tab], curves)
        if self._canvas is None:
            from nanoconf.gui.canvas import new_canvas

            # The browser asks for the image when it has its side of the canvas.
            self._canvas = new_canvas(*self._figure_size())
            draw(self._canvas.figure, curves, width, HINTS[self._tab])
            self.children = (self.caption, self._canvas, self.numbers)
        else:
            draw(self._canvas.figure, curves, width, HINTS[self._tab])
            self._canvas.show(*self._figure_size())

    def _figure_size(self) -> tuple[int, int]:
        width, height = self.stage
        height -= CAPTION_HEIGHT + FOOTER_HEIGHT
        return max(SMALLEST[0], width), max(SMALLEST[1], height)


def _caption(state: AppState, tab: int) -> str:
    """Which systems the curves belong to."""
    parts = []
    simulation, prediction = state.simulation, state.prediction
    if simulation is not None and simulation.profiles is not None and tab < 2:
        text = f"{words.describe(simulation.system)}, {simulation.settings.duration_ns:g} ns"
        parts.append(_chip("MD", text, stale=state.simulation_stale))
    if prediction is not None:
        text = words.describe(prediction.system)
        parts.append(_chip("ML", text, stale=state.prediction_stale))
    return "".join(parts)


def _chip(source: str, text: str, *, stale: bool) -> str:
    note = "<em>not the inputs at the left</em>" if stale else ""
    kind = f"nc-chip nc-{source.lower()}" + (" nc-stale" if stale else "")
    return f"<span class='{kind}'><b>{source}</b>{escape(text)}{note}</span>"


def _numbers(title: str, curves: list[Curve]) -> str:
    """The curves as data: a picture alone is mute to screen readers and to tests."""
    described = "; ".join(
        f"{curve.label}: {len(curve.z)} points, highest {curve.density.max():.3g} M"
        for curve in curves
    )
    data = json.dumps([curve.as_json() for curve in curves], separators=(",", ":"))
    label = f"{title}. {described or 'No curve yet'}"
    return f"<div role='img' aria-label='{escape(label)}' data-curves='{escape(data)}'></div>"


def figure_panels(state: AppState) -> list[FigurePanel]:
    """The three tabs with figures, in order."""
    return [
        FigurePanel(state, 0, lambda state: density_curves(state, "positive")),
        FigurePanel(state, 1, lambda state: density_curves(state, "negative")),
        FigurePanel(state, 2, prediction_curves),
    ]
