"""A number of the inputs: a field to type in, with a slider."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from nanoconf.gui.fields import DURATION, Field
from nanoconf.gui.state import AppState

if TYPE_CHECKING:
    from nanoconf.surrogate.card import Card

# Lengths of time that the slider offers; any other may be typed.
DURATIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)

PLACEHOLDERS = {"negative_diameter": "as d", "target_error": "none"}


class NumberInput(widgets.VBox):
    """One number. What is typed stays as it was typed; a refusal stands below it.

    Bounded fields of ipywidgets would clamp in silence, so this is a text field.
    """

    def __init__(self, state: AppState, field: Field):
        self._state, self._field, self._moving = state, field, False
        self._shown: tuple[str, str, float | None] | None = None
        self.text = widgets.Text(
            value=state.texts[field.name],
            description=field.label,
            continuous_update=True,
            placeholder=PLACEHOLDERS.get(field.name, ""),
            tooltip=f"{field.title} {field.allowed}",
        )
        self.slider, self._position, self._number = _slider(field)
        self.refusal = widgets.HTML()
        super().__init__([self.text, *self._track(), self.refusal])
        self.add_class("nc-number")
        self.text.observe(self._typed, "value")
        if self.slider:
            self.slider.observe(self._moved, "value")
        state.observe(self._show, ["texts", "problems"])
        self._show()

    def _track(self) -> list[widgets.Widget]:
        """The slider between the ends of its range, with what the surrogate has learnt shaded."""
        if self.slider is None:
            return []
        low, high = self._field.ends
        learnt = LearntRange(self._state, self._field)
        lane = widgets.HBox([learnt, self.slider]).add_class("nc-lane")
        return [widgets.HBox([_end(low), lane, _end(high)]).add_class("nc-track")]

    def _typed(self, change: dict[str, Any]) -> None:
        self._state.type(self._field.name, change["new"])

    def _moved(self, change: dict[str, Any]) -> None:
        if not self._moving:
            self._state.type(self._field.name, self._field.text(self._number(change["new"])))

    def _show(self, _change: Any = None) -> None:
        name = self._field.name
        value = self._state.values[name]
        text, problem = self._state.texts[name], self._state.problems.get(name, "")
        if value is None and name == "negative_diameter" and not problem:
            value = self._state.values["positive_diameter"]
        if (text, problem, value) == self._shown:
            return
        self._shown = text, problem, value
        self.text.value = text
        self.refusal.value = f"<span role='alert'>{escape(problem)}</span>" if problem else ""
        (self.add_class if problem else self.remove_class)("nc-refused")
        if self.slider:
            self.slider.tooltip = self._said(text)
        if self.slider and value is not None:
            self._moving = True
            self.slider.value = self._position(value)
            self._moving = False

    def _said(self, text: str) -> str:
        """What a screen reader says of the slider, by browser.js."""
        if not text.strip():
            return PLACEHOLDERS.get(self._field.name, "empty")
        return text if self._field.whole else f"{text} {self._field.unit}"


class LearntRange(widgets.HTML):
    """Shades the part of a slider that the surrogate has learnt, as its card says."""

    def __init__(self, state: AppState, field: Field):
        self._state, self._field = state, field
        super().__init__()
        self.add_class("nc-learnt")
        state.observe(self._show, "model")
        self._show()

    def _show(self, _change: Any = None) -> None:
        learnt = learnt_range(self._state.model, self._field)
        if learnt is None:
            self.value = ""
            return
        last = len(self._field.positions) - 1
        left, right = (100 * self._field.position(value) / last for value in learnt)
        low, high = (self._field.text(value) for value in learnt)
        title = f"The surrogate has learnt {low} to {high} {self._field.unit}".rstrip()
        style = f"left:{left:.1f}%;width:{right - left:.1f}%"
        self.value = f"<i style='{style}' title='{escape(title)}'></i>"


def learnt_range(card: Card | None, field: Field) -> tuple[float, float] | None:
    """Training range of an input, from the card of the model; None where it is not known."""
    if card is None:
        return None
    domain = card.domain
    # The surrogate is trained for ions of equal diameter.
    name = "positive_diameter" if field.name == "negative_diameter" else field.name
    if name in domain.ranges:
        return domain.ranges[name].low, domain.ranges[name].high
    value = domain.fixed.get(name)
    return None if value is None else (value, value)


Convert = Callable[[Any], Any]


def _slider(field: Field) -> tuple[Any, Convert, Convert]:
    """A slider, what position a number has on it, and what number a position stands for."""
    if field is DURATION:
        slider = widgets.SelectionSlider(options=DURATIONS, value=field.default, readout=False)
        return slider, _nearest_duration, float
    if not field.ladder:
        return None, float, float
    last = len(field.positions) - 1
    start = field.position(field.default or 0.0)
    slider = widgets.IntSlider(value=start, min=0, max=last, readout=False)
    return slider, field.position, lambda position: field.positions[position]


def _nearest_duration(value: float) -> float:
    return min(DURATIONS, key=lambda offered: abs(math.log(offered / value)))


def _end(text: str) -> widgets.Label:
    return widgets.Label(text).add_class("nc-end")
