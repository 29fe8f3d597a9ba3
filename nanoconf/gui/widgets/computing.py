"""Length and location of the simulation."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from nanoconf.gui.fields import TARGET, duration_field
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.widgets.cluster_fields import ClusterFields
from nanoconf.gui.widgets.engine_choice import EngineChoice
from nanoconf.gui.widgets.number import NumberInput


class ComputingPanel(widgets.VBox):
    """Length of the simulation, and Cluster mode."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        self.cluster = widgets.ToggleButton(
            description="Cluster mode", tooltip="Simulate on a cluster"
        ).add_class("nc-cluster")
        head = widgets.HBox([widgets.HTML("<h2>Computing</h2>"), self.cluster]).add_class("nc-row")
        fields = widgets.VBox([NumberInput(state, duration_field()), NumberInput(state, TARGET)])
        fields.add_class("nc-fields")
        self.engine = EngineChoice(state)
        super().__init__([head, fields, self.engine, ClusterFields(state)])
        self.cluster.observe(self._toggled, "value")
        state.observe(self._show_cluster, ["cluster_mode", "cluster_note"])

    def _toggled(self, change: dict[str, Any]) -> None:
        if change["new"] != self._state.cluster_mode:
            self._work.cluster_mode(change["new"])
            self.cluster.value = self._state.cluster_mode

    def _show_cluster(self, _change: Any = None) -> None:
        self.cluster.value = self._state.cluster_mode
