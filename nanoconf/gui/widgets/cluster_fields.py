"""Fields of Cluster mode: the cluster and the requested resources."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui.state import AppState

REFUSALS = {"cores": "cores", "minutes": "walltime"}
"""Beginning of the error message for each field."""


class ClusterFields(widgets.VBox):
    """Cluster, cores and time limit; the user may override the estimates."""

    def __init__(self, state: AppState):
        self._state = state
        self.name = widgets.Dropdown(description="Cluster").add_class("nc-cluster-name")
        self.cores = _number("Cores", "Number of cores to request")
        self.minutes = _number("Time limit (min)", "The cluster stops the run after this time")
        self.note = widgets.HTML().add_class("nc-note")
        self._fields = widgets.VBox([self.name, self.cores, self.minutes]).add_class("nc-number")
        super().__init__([self._fields, self.note])
        self.add_class("nc-cluster-panel")
        self.name.observe(self._chosen, "value")
        for field, name in ((self.cores, "cores"), (self.minutes, "minutes")):
            field.observe(
                lambda change, name=name: state.type_for_cluster(name, change["new"]), "value"
            )
        state.observe(
            self._show,
            [
                *("cluster_mode", "cluster_note", "clusters", "cluster"),
                *("cluster_typed", "cluster_asked", "cluster_problem"),
            ],
        )
        self._show()

    def _chosen(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self._state.cluster = change["new"]

    def _show(self, _change: Any = None) -> None:
        state = self._state
        if tuple(self.name.options) != state.clusters:
            self.name.options = state.clusters
        if state.cluster in state.clusters:
            self.name.value = state.cluster
        for field, name in ((self.cores, "cores"), (self.minutes, "minutes")):
            field.value = state.cluster_typed[name] or str(state.cluster_asked.get(name, ""))
            refused = state.cluster_problem.startswith(REFUSALS[name])
            (field.add_class if refused else field.remove_class)("nc-refused")
        problem = state.cluster_problem
        self.note.value = (
            f"<span role='alert'>{escape(problem)}</span>"
            if problem
            else escape(state.cluster_note)
        )
        self._fields.layout.display = None if state.cluster_mode else "none"
        self.name.layout.display = None if len(state.clusters) > 1 else "none"


def _number(label: str, tooltip: str) -> widgets.Text:
    return widgets.Text(description=label, tooltip=tooltip, continuous_update=False)
