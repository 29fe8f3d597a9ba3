"""The numbers: each a slider with a field to type in."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui.fields import DURATION, SYSTEM_FIELDS, Field
from nanoconf.gui.state import AppState

# Lengths of time that the slider offers; any other may be typed.
DURATIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


class NumberInput(widgets.VBox):
    """One number. What is typed stays as it was typed; a refusal stands below it.

    Bounded fields of ipywidgets would clamp in silence, so this is a text field.
    """

    def __init__(self, state: AppState, field: Field):
        self._state, self._field, self._moving = state, field, False
        self.text = widgets.Text(
            value=state.texts[field.name],
            description=field.label,
            continuous_update=True,
            tooltip=f"{field.title} {field.allowed}",
        )
        self.slider, self._position, self._number = _slider(field)
        self.refusal = widgets.HTML()
        ends = [_end(text) for text in _ends(field)]
        track = [ends[0], self.slider, ends[-1]] if self.slider else ends[:1]
        super().__init__([self.text, widgets.HBox(track).add_class("nc-track"), self.refusal])
        self.add_class("nc-number")
        self.text.observe(self._typed, "value")
        if self.slider:
            self.slider.observe(self._moved, "value")
        state.observe(self._show, ["texts", "problems"])
        self._show()

    def _typed(self, change: dict[str, Any]) -> None:
        self._state.type(self._field.name, change["new"])

    def _moved(self, change: dict[str, Any]) -> None:
        if not self._moving:
            self._state.type(self._field.name, self._field.text(self._number(change["new"])))

    def _show(self, _change: Any = None) -> None:
        name = self._field.name
        self.text.value = self._state.texts[name]
        problem = self._state.problems.get(name, "")
        self.refusal.value = f"<span role='alert'>{escape(problem)}</span>" if problem else ""
        (self.add_class if problem else self.remove_class)("nc-refused")
        value = self._state.values[name]
        if self.slider and value is not None:
            self._moving = True
            self.slider.value = self._position(value)
            self._moving = False


Convert = Callable[[Any], Any]


def _slider(field: Field) -> tuple[Any, Convert, Convert]:
    """A slider, what position a number has on it, and what number a position stands for."""
    if field.low == field.high:
        return None, float, float
    if field is DURATION:
        slider = widgets.SelectionSlider(options=DURATIONS, value=field.default, readout=False)
        return slider, _nearest_duration, float
    span = {"value": field.default, "min": field.low, "max": field.high, "step": field.step}
    if field.whole:
        return widgets.IntSlider(**span, readout=False), int, int
    slider = widgets.FloatSlider(**span, readout=False)
    return slider, float, lambda value: round(value, field.decimals)


def _nearest_duration(value: float) -> float:
    return min(DURATIONS, key=lambda offered: abs(math.log(offered / value)))


def _ends(field: Field) -> tuple[str, ...]:
    if field.low == field.high:
        return (f"only {field.range_text}",)
    if field.whole:
        return field.text(field.low), field.text(field.high)
    low, high = field.range_text.split(" – ")
    return low, high


def _end(text: str) -> widgets.Label:
    return widgets.Label(text).add_class("nc-end")


def system_panel(state: AppState) -> widgets.VBox:
    """The physical system."""
    heading = widgets.HTML("<h2>System</h2>")
    return widgets.VBox([heading, *(NumberInput(state, field) for field in SYSTEM_FIELDS)])
