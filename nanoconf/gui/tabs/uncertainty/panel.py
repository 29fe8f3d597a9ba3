"""Uncertainty: how well each input is known, which output, and the figure."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui.fields import FIELDS
from nanoconf.gui.figures.plots import Plot
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.registry import UNCERTAINTY
from nanoconf.gui.tabs.uncertainty.model import (
    EXACT,
    KINDS,
    OUTPUTS,
    SAMPLES,
    START,
    UncertainInputs,
)
from nanoconf.gui.widgets.figure import Canvas

CONTROLS_HEIGHT = 112


class UncertaintyPanel(widgets.VBox):
    """A row of inputs, a row of what is asked, what it is in numbers, and the figure."""

    def __init__(self, state: AppState, work: Work):
        self._state = state
        self.model = UncertainInputs(state, work)
        inputs = widgets.HBox([_input(self.model, name) for name in START])
        self.numbers = widgets.HTML().add_class("nc-note").add_class("nc-statistics")
        self._made: tuple[Any, Plot] = None, Plot(UNCERTAINTY)
        self.canvas = Canvas(state, UNCERTAINTY, self._plot, CONTROLS_HEIGHT)
        asked = self._asked().add_class("nc-controls")
        super().__init__([inputs.add_class("nc-controls"), asked, self.numbers, self.canvas])
        self.add_class("nc-panel")
        self.model.observe(self._show, ["version", "output", "z", "over_z"])
        state.observe(self._show_width, "values")
        self._show_width()
        self._show()

    def _asked(self) -> widgets.HBox:
        """What is asked: the output, where, and from how many samples."""
        model = self.model
        outputs = [(label, name) for name, label in OUTPUTS.items()]
        self.output = widgets.Dropdown(options=outputs, value=model.output, description="Output")
        self.z = widgets.FloatSlider(description="z (nm)", step=0.01, readout_format=".2f")
        self.over_z = widgets.ToggleButton(
            description="Over z", tooltip="Show all z, instead of one"
        ).add_class("nc-small")
        self.samples = widgets.Dropdown(options=SAMPLES, value=model.samples, description="Samples")
        for name in ("output", "z", "over_z", "samples"):
            getattr(self, name).observe(self._setter(name), "value")
        return widgets.HBox([self.output, self.z, self.over_z, self.samples])

    def _setter(self, name: str) -> Callable[[dict[str, Any]], None]:
        return lambda change: setattr(self.model, name, change["new"])

    def _plot(self) -> Plot:
        """The figure, made once: the confidence of its indices takes a moment to compute."""
        model = self.model
        asked = model.version, model.output, model.place, model.over_z
        if asked != self._made[0]:
            self._made = asked, model.plot()
        plot, found = self._made[1], model.found
        current = found is None or self._state.is_current(found.system)
        return plot if current else plot.of_other_inputs()

    def _show_width(self, _change: Any = None) -> None:
        width = self._state.values["confinement_length"]
        if width:
            with self.z.hold_sync(), self.z.hold_trait_notifications():
                self.z.min, self.z.max = -width / 2, width / 2

    def _show(self, _change: Any = None) -> None:
        self.numbers.value = escape(self.model.numbers())
        self.z.disabled = not self.model.is_profile or self.model.over_z
        self.over_z.disabled = not self.model.is_profile
        self.canvas.refresh()


def _input(model: UncertainInputs, name: str) -> widgets.HBox:
    """How one input is distributed, and how wide."""
    field = FIELDS[name]
    kind = widgets.Dropdown(
        options=KINDS, value=model.kinds[name], description=field.symbol, tooltip=field.title
    )
    width = widgets.Text(
        value=model.widths[name],
        continuous_update=False,
        tooltip=f"Half width, or standard deviation, of {field.label}",
    ).add_class("nc-width")

    def changed(_change: Any) -> None:
        width.layout.visibility = "hidden" if kind.value == EXACT else "visible"
        with model.hold_trait_notifications():
            model.kinds = {**model.kinds, name: kind.value}
            model.widths = {**model.widths, name: width.value}

    kind.observe(changed, "value")
    width.observe(changed, "value")
    width.layout.visibility = "hidden" if kind.value == EXACT else "visible"
    return widgets.HBox([kind, width, widgets.Label(field.unit)]).add_class("nc-spread")
