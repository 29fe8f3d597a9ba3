"""Inputs of the physical system: presets, a drawing of the slit, and fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from nanoconf.gui import links
from nanoconf.gui.fields import system_fields
from nanoconf.gui.presets import presets
from nanoconf.gui.state import AppState
from nanoconf.gui.widgets.copyable import CopyLink
from nanoconf.gui.widgets.number import NumberInput
from nanoconf.gui.widgets.slit_drawing import SlitDrawing

if TYPE_CHECKING:
    from nanoconf.surrogate.domain import Domain

CHOOSE = "Presets …"
LEGEND = "<i></i>Shaded: range the ML model was trained on"


class PresetChooser(widgets.Dropdown):
    """A list of presets that sets the inputs."""

    def __init__(self, state: AppState):
        self._state = state
        self._presets = presets()
        self._named: Any = ""
        self._listing = False
        super().__init__(
            options=self._entries(), tooltip="Set the inputs to those of a preset system"
        )
        self.add_class("nc-presets")
        self.observe(self._chosen, "value")
        state.observe(self._show, "values")
        state.observe(self._list, "model")

    def _entries(self) -> list[tuple[str, Any]]:
        domain = self._domain()
        return [(CHOOSE, ""), *((each.label(domain), each.system) for each in self._presets)]

    def _domain(self) -> Domain | None:
        """Return the domain of the surrogate; None until its card is loaded."""
        card = self._state.model
        return None if card is None else card.domain

    def _list(self, _change: Any) -> None:
        """Update the labels and keep the chosen preset."""
        self._listing = True
        with self.hold_sync():
            self.options = self._entries()
            self.value = self._named
        self._listing = False

    def _chosen(self, change: dict[str, Any]) -> None:
        if self._listing:
            return
        self._named = change["new"]
        if self._named:
            self._state.choose(self._named)
            domain = self._domain()
            if domain is not None and not domain.problems(self._named):
                self._state.show_prediction_tab()

    def _show(self, _change: Any = None) -> None:
        """Clear the name of the preset when the inputs no longer match it."""
        if self._named and not self._state.is_current(self._named):
            self.value = ""


class SystemPanel(widgets.VBox):
    """Presets, a drawing of the slit, and input fields of the physical system."""

    def __init__(self, state: AppState):
        title = widgets.HTML("<h2>System</h2>")
        self.link = CopyLink(label="Copy a link that opens the page with these inputs")
        head = widgets.HBox([title, PresetChooser(state), self.link]).add_class("nc-row")
        self.legend = widgets.HTML().add_class("nc-legend")
        self.fields = [NumberInput(state, field) for field in system_fields()]
        super().__init__(
            [
                head,
                SlitDrawing(state),
                self.legend,
                widgets.VBox(self.fields).add_class("nc-fields"),
            ]
        )
        self._state = state
        state.observe(self._explain_shading, "model")
        state.observe(self._show_link, ["values", "valid", "fixed", "hidden", "tab", "figures"])
        self._explain_shading()
        self._show_link()

    def _show_link(self, _change: Any = None) -> None:
        """Update the link; there is none for inputs that are invalid."""
        state = self._state
        self.link.text = links.inputs_link(state, state.linked_view) if state.valid else ""

    def _explain_shading(self, _change: Any = None) -> None:
        """Explain the shaded parts of the sliders once there are any."""
        self.legend.value = "" if self._state.model is None else LEGEND
