"""A tab with a figure: what it shows, the figure, and its numbers for whoever reads the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np

from nanoconf.gui import words
from nanoconf.gui.curves import Curve, density_curves, prediction_curves
from nanoconf.gui.state import TABS, AppState

CAPTION_HEIGHT = 46
FOOTER_HEIGHT = 26
SMALLEST = (320, 220)
DEFAULT_WIDTH = 3.0


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
        self._shown: tuple[Any, ...] = ()
        self.caption = widgets.HTML().add_class("nc-caption")
        self.numbers = widgets.HTML().add_class("nc-numbers")
        super().__init__([self.caption, self.numbers])
        self.add_class("nc-figure")
        self.stage = (0, 0)
        inputs = ["values", "simulation_stale", "prediction_stale"]
        state.observe(self._refresh, ["simulation", "starting", "prediction", "tab", *inputs])

    def resize(self, stage: tuple[int, int]) -> None:
        """There is so much room for caption and figure (CSS pixels)."""
        self.stage = stage
        self._refresh()

    def _refresh(self, _change: Any = None) -> None:
        if self._state.tab != self._tab or self.stage == (0, 0):
            return
        curves = self._curves(self._state)
        width = self._state.values["confinement_length"] or DEFAULT_WIDTH
        hint = "" if curves else _hint(self._state, self._tab)
        # A run reports twice a second; a figure takes time, so only what is new is drawn.
        profiles = [value for curve in curves for value in (curve.density, curve.label)]
        shown = (self.stage, hint, *profiles) if curves else (self.stage, hint, width)
        if not _same(shown, self._shown):
            self._shown = shown
            self._draw(curves, width, hint)

    def _draw(self, curves: list[Curve], width: float, hint: str) -> None:
        from nanoconf.gui.figures import draw

        self.caption.value = _caption(self._state, self._tab)
        self.numbers.value = _numbers(TABS[self._tab], curves)
        if self._canvas is None:
            from nanoconf.gui.canvas import new_canvas

            # The browser asks for the image when it has its side of the canvas.
            self._canvas = new_canvas(*self._figure_size())
            draw(self._canvas.figure, curves, width, hint)
            self.children = (self.caption, self._canvas, self.numbers)
        else:
            draw(self._canvas.figure, curves, width, hint)
            self._canvas.show(*self._figure_size())

    def _figure_size(self) -> tuple[int, int]:
        width, height = self.stage
        height -= CAPTION_HEIGHT + FOOTER_HEIGHT
        return max(SMALLEST[0], width), max(SMALLEST[1], height)


def _same(these: tuple[Any, ...], those: tuple[Any, ...]) -> bool:
    """Whether two figures show the same: arrays are the same only if they are one."""
    return len(these) == len(those) and all(
        a is b or (not isinstance(a, np.ndarray) and a == b)
        for a, b in zip(these, those, strict=True)
    )


def _hint(state: AppState, tab: int) -> str:
    """What an empty figure says."""
    if tab == TABS.index("Prediction Graph"):
        return "Press Predict using ML for an answer at once."
    if state.simulating:
        return "The profile appears here as soon as there is one,\nand converges as you watch."
    return "Press Run to simulate this system,\nor Predict using ML for an answer at once."


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
