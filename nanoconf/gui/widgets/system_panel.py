"""Inputs of the physical system, and presets."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from nanoconf.gui.fields import system_fields
from nanoconf.gui.presets import presets
from nanoconf.gui.state import AppState
from nanoconf.gui.widgets.number import NumberInput

CHOOSE = "Presets …"


class PresetChooser(widgets.Dropdown):
    """A list of presets that sets the inputs."""

    def __init__(self, state: AppState):
        self._state = state
        self._named: Any = ""
        options: list[tuple[str, Any]]
        options = [(CHOOSE, ""), *((preset.name, preset.system) for preset in presets())]
        super().__init__(options=options, tooltip="Set the inputs to those of a preset system")
        self.add_class("nc-presets")
        self.observe(self._chosen, "value")
        state.observe(self._show, "values")

    def _chosen(self, change: dict[str, Any]) -> None:
        self._named = change["new"]
        if self._named:
            self._state.choose(self._named)

    def _show(self, _change: Any = None) -> None:
        """Clear the name of the preset when the inputs no longer match it."""
        if self._named and not self._state.is_current(self._named):
            self.value = ""


class SystemPanel(widgets.VBox):
    """Presets and input fields of the physical system."""

    def __init__(self, state: AppState):
        title = widgets.HTML("<h2>System</h2>")
        head = widgets.HBox([title, PresetChooser(state)]).add_class("nc-row")
        super().__init__([head, *(NumberInput(state, field) for field in system_fields())])
