"""Trends: profiles and characteristic densities along one input."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from nanoconf.gui.fields import FIELDS
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.registry import TRENDS
from nanoconf.gui.tabs.trends.model import Trends
from nanoconf.gui.widgets.controls import ion_chooser
from nanoconf.gui.widgets.figure import CONTROL_ROW, NARROW, Canvas

CONTROLS_HEIGHT = 40


def controls_height(width: int) -> int:
    """Return the height of the controls in a tab of a given width (CSS pixels)."""
    return 2 * CONTROL_ROW if width < NARROW else CONTROLS_HEIGHT


class TrendsPanel(widgets.VBox):
    """Controls for the varied input, its range and the ion species, with the figure."""

    def __init__(self, state: AppState, work: Work):
        self.trends = Trends(state, work)
        self.name = widgets.Dropdown(description="Vary")
        self.range = widgets.FloatRangeSlider(description="from, to", min=0.0, max=1.0)
        self.species = ion_chooser()
        self.canvas = Canvas(state, TRENDS, self.trends.plot, controls_height)
        controls = widgets.HBox([self.name, self.species, self.range]).add_class("nc-controls")
        super().__init__([controls, self.canvas])
        self.add_class("nc-panel")
        self.name.observe(self._chosen, "value")
        self.range.observe(self._ranged, "value")
        self.species.observe(self._ion, "value")
        self.trends.observe(self._show, ["choices", "name", "low", "high"])
        self.trends.observe(self.canvas.refresh, ["version", "species"])
        self._show()

    def _chosen(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self.trends.name = change["new"]

    def _ranged(self, change: dict[str, Any]) -> None:
        with self.trends.hold_trait_notifications():
            self.trends.low, self.trends.high = change["new"]

    def _ion(self, change: dict[str, Any]) -> None:
        self.trends.species = change["new"]

    def _show(self, _change: Any = None) -> None:
        trends = self.trends
        options = tuple((FIELDS[name].title, name) for name in trends.choices)
        if self.name.options != options:
            self.name.options = options
        if trends.name in trends.choices:
            self.name.value = trends.name
        if trends.training_range:
            self._show_range(*trends.training_range)

    def _show_range(self, low: float, high: float) -> None:
        field = FIELDS[self.trends.name]
        wanted = {"min": low, "max": high, "value": (self.trends.low, self.trends.high)}
        if any(getattr(self.range, name) != value for name, value in wanted.items()):
            # Set one by one, they would clamp each other, here and in the browser.
            with self.range.hold_sync(), self.range.hold_trait_notifications():
                self.range.step = 1.0 if field.whole else (high - low) / 100
                self.range.readout_format = "d" if field.whole else f".{field.decimals}f"
                self.range.max, self.range.min = max(high, self.range.min), low
                self.range.max, self.range.value = high, wanted["value"]
