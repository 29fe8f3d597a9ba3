"""Uncertainty: distributions of the inputs, the output, and the figure."""

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
from nanoconf.gui.widgets.figure import CONTROL_ROW, MEDIUM, NARROW, Canvas

CONTROLS_HEIGHT = 2 * 40
LINE = 17
"""Height of a line of statistics (CSS pixels)."""


def controls_height(width: int) -> int:
    """Return the height of the controls and statistics in a tab of a given width (CSS pixels)."""
    if width < NARROW:
        return 5 * CONTROL_ROW + 3 * LINE
    return (3 * CONTROL_ROW if width < MEDIUM else CONTROLS_HEIGHT) + 2 * LINE


class UncertaintyPanel(widgets.VBox):
    """Rows of inputs and of output controls, the statistics, and the figure."""

    def __init__(self, state: AppState, work: Work):
        self._state = state
        self.model = UncertainInputs(state, work)
        inputs = widgets.HBox([_input(self.model, name) for name in START])
        self.numbers = widgets.HTML().add_class("nc-note").add_class("nc-statistics")
        self._cached: tuple[Any, Plot] = None, Plot(UNCERTAINTY)
        self.canvas = Canvas(state, UNCERTAINTY, self._plot, controls_height)
        outputs = self._output_controls().add_class("nc-controls")
        super().__init__([inputs.add_class("nc-controls"), outputs, self.numbers, self.canvas])
        self.add_class("nc-panel").add_class("nc-uncertain")
        self.model.observe(self._show, ["version", "output", "z", "over_z"])
        state.observe(self._show_width, "values")
        self._show_width()
        self._show()

    def _output_controls(self) -> widgets.HBox:
        """Return the controls for the output, its position and the number of samples."""
        model = self.model
        outputs = [(label, name) for name, label in OUTPUTS.items()]
        self.output = widgets.Dropdown(options=outputs, value=model.output, description="Output")
        self.z = widgets.FloatSlider(description="z (nm)", step=0.01, readout_format=".2f")
        self.over_z = widgets.ToggleButton(
            description="Over z", tooltip="Plot over all z instead of at one z"
        ).add_class("nc-small")
        self.samples = widgets.Dropdown(options=SAMPLES, value=model.samples, description="Samples")
        for name in ("output", "z", "over_z", "samples"):
            getattr(self, name).observe(self._setter(name), "value")
        return widgets.HBox([self.output, self.z, self.over_z, self.samples])

    def _setter(self, name: str) -> Callable[[dict[str, Any]], None]:
        return lambda change: setattr(self.model, name, change["new"])

    def _plot(self) -> Plot:
        """Return the figure; it is cached, because its confidence intervals are slow to compute."""
        model = self.model
        key = model.version, model.output, model.place, model.over_z
        if key != self._cached[0]:
            self._cached = key, model.plot()
        plot, found = self._cached[1], model.found
        current = found is None or self._state.is_current(found.system)
        return plot if current else plot.marked_stale()

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
    """Return the controls for the distribution of one input and its width."""
    field = FIELDS[name]
    kind = widgets.Dropdown(
        options=KINDS, value=model.kinds[name], description=field.symbol, tooltip=field.title
    )
    width = widgets.Text(
        value=model.widths[name],
        continuous_update=False,
        tooltip=f"Half width or standard deviation of {field.label}",
    ).add_class("nc-width")

    unit = widgets.Label(field.unit).add_class("nc-unit")

    def show_width() -> None:
        for part in (width, unit):
            part.layout.visibility = "hidden" if kind.value == EXACT else "visible"

    def changed(_change: Any) -> None:
        show_width()
        with model.hold_trait_notifications():
            model.kinds = {**model.kinds, name: kind.value}
            model.widths = {**model.widths, name: width.value}

    kind.observe(changed, "value")
    width.observe(changed, "value")
    show_width()
    return widgets.HBox([kind, width, unit]).add_class("nc-spread")
