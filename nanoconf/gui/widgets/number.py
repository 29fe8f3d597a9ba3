"""Numeric input: a text field with a slider."""

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

# Positions of the slider (ns); other values may be typed.
DURATIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)

FIXED = "Fixed by the link"

PLACEHOLDERS = {"negative_diameter": "same as d", "target_error": "none"}


class NumberInput(widgets.VBox):
    """Field for one number. It keeps the typed text and shows an error message below it.

    It is a text field because the bounded fields of ipywidgets clamp values silently.
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
        self.note = widgets.HTML(f"<span class='nc-fixed-note'>{FIXED}</span>")
        self._tracks = self._track()
        super().__init__()
        self.add_class("nc-number")
        self.text.observe(self._typed, "value")
        if self.slider:
            self.slider.observe(self._moved, "value")
        state.observe(self._show, ["texts", "problems"])
        state.observe(self._show_held, ["fixed", "hidden"])
        self._show()
        self._show_held()

    def _show_held(self, _change: Any = None) -> None:
        """Make the field read-only, or hide it, as a link wants."""
        name = self._field.name
        fixed = name in self._state.fixed
        self.text.disabled = fixed
        self.children = (self.text, *([self.note] if fixed else self._tracks), self.refusal)
        (self.add_class if fixed else self.remove_class)("nc-fixed")
        self.layout.display = "none" if name in self._state.hidden else None

    def _track(self) -> list[widgets.Widget]:
        """Return the slider with the ends of its range labelled and the training range shaded."""
        if self.slider is None:
            return []
        low, high = self._field.ends
        shading = TrainingRange(self._state, self._field)
        lane = widgets.HBox([shading, self.slider]).add_class("nc-lane")
        return [widgets.HBox([_end(low), lane, _end(high)]).add_class("nc-track")]

    def _typed(self, change: dict[str, Any]) -> None:
        self._state.type(self._field.name, change["new"])
        self.text.value = self._state.texts[self._field.name]  # differs if a link fixes it

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
            self.slider.tooltip = self._value_text(text)
        if self.slider and value is not None:
            self._moving = True
            self.slider.value = self._position(value)
            self._moving = False

    def _value_text(self, text: str) -> str:
        """Return the slider's value for screen readers; browser.js reads it from the tooltip."""
        if not text.strip():
            return PLACEHOLDERS.get(self._field.name, "empty")
        return text if self._field.whole else f"{text} {self._field.unit}"


class TrainingRange(widgets.HTML):
    """Shading of the surrogate's training range under a slider."""

    def __init__(self, state: AppState, field: Field):
        self._state, self._field = state, field
        super().__init__()
        self.add_class("nc-training")
        state.observe(self._show, "model")
        self._show()

    def _show(self, _change: Any = None) -> None:
        trained = training_range(self._state.model, self._field)
        if trained is None:
            self.value = ""
            return
        last = len(self._field.positions) - 1
        left, right = (100 * self._field.position(value) / last for value in trained)
        words = escape(trained_words(self._field, *trained))
        style = f"left:{left:.1f}%;width:{right - left:.1f}%"
        # browser.js describes the slider handle and the text field with this text.
        note = f"<span id='nc-trained-{self.model_id}' hidden>{words}</span>"
        self.value = f"<i style='{style}' title='{words}'></i>{note}"


def trained_words(field: Field, low: float, high: float) -> str:
    """Return the training range of an input in words."""
    unit = "" if field.whole else f" {field.unit}"
    if low == high:
        return f"ML model trained for {field.short(low)}{unit} only"
    text = f"ML model trained for {field.short(low)} to {field.short(high)}{unit}"
    return f"{text}, with d₋ = d only" if field.name == "negative_diameter" else text


def training_range(card: Card | None, field: Field) -> tuple[float, float] | None:
    """Return the training range of an input from the model's card; None if unknown."""
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
    """Return a slider, the conversion from number to position, and the inverse conversion."""
    if field.name == DURATION.name:
        return _duration_slider(field)
    if not field.ladder:
        return None, float, float
    last = len(field.positions) - 1
    start = field.position(field.default or 0.0)
    slider = widgets.IntSlider(value=start, min=0, max=last, readout=False)
    return slider, field.position, lambda position: field.positions[position]


def _duration_slider(field: Field) -> tuple[Any, Convert, Convert]:
    offered = (*(each for each in DURATIONS if each < field.high), field.high)

    def nearest(value: float) -> float:
        return min(offered, key=lambda each: abs(math.log(each / value)))

    start = nearest(field.default or field.high)
    return widgets.SelectionSlider(options=offered, value=start, readout=False), nearest, float


def _end(text: str) -> widgets.Label:
    return widgets.Label(text).add_class("nc-end")
