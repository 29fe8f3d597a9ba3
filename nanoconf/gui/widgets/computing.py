"""How long to simulate, where, and the buttons."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from backend.engines import registry
from backend.runs.state import RunState
from nanoconf.gui import words
from nanoconf.gui.fields import DURATION, TARGET
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.widgets.cluster import ClusterPanel
from nanoconf.gui.widgets.system import NumberInput


class ComputingPanel(widgets.VBox):
    """Length of the simulation, Cluster mode, Predict using ML, Run or Cancel, progress.

    While a simulation runs: Finish now, which keeps what there is, and Leave, which lets it go on.
    """

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        self.estimate = widgets.HTML().add_class("nc-estimate")
        self.cluster = widgets.ToggleButton(
            description="Cluster mode", tooltip="Simulate on a Slurm cluster"
        ).add_class("nc-cluster")
        self.predict = widgets.Button(description="Predict using ML").add_class("nc-predict")
        self.run = widgets.Button(description="Run").add_class("nc-run")
        self.finish = widgets.Button(
            description="Finish now", tooltip="It is good enough: end it with a result"
        ).add_class("nc-small")
        self.leave = widgets.Button(
            description="Leave", tooltip="The simulation goes on; find it again in Runs"
        ).add_class("nc-small")
        self._meanwhile = widgets.HBox([self.finish, self.leave]).add_class("nc-row")
        self.progress = widgets.FloatProgress(max=1.0).add_class("nc-progress")
        super().__init__(
            [
                widgets.HTML("<h2>Computing</h2>"),
                NumberInput(state, DURATION),
                NumberInput(state, TARGET),
                widgets.HBox([self.estimate, self.cluster]).add_class("nc-row"),
                ClusterPanel(state),
                self.predict,
                self.run,
                self.progress,
                self._meanwhile,
            ]
        )
        self.predict.on_click(lambda _button: work.answers.predict())
        self.run.on_click(lambda _button: self._pressed())
        self.finish.on_click(lambda _button: work.finish())
        self.leave.on_click(lambda _button: work.leave())
        self.cluster.observe(self._toggled, "value")
        state.observe(
            self._show,
            [
                *("valid", "simulation", "starting", "cancelling", "finishing", "predicting"),
                *("estimate", "cluster_mode", "cluster_problem"),
            ],
        )
        state.observe(self._show_cluster, ["cluster_mode", "cluster_note"])
        self._show()

    def _pressed(self) -> None:
        if self._state.simulating:
            self._work.cancel()
        else:
            self._work.run()

    def _toggled(self, change: dict[str, Any]) -> None:
        if change["new"] != self._state.cluster_mode:
            self._work.cluster_mode(change["new"])
            self.cluster.value = self._state.cluster_mode

    def _show_cluster(self, _change: Any = None) -> None:
        self.cluster.value = self._state.cluster_mode

    def _show(self, _change: Any = None) -> None:
        state = self._state
        going = state.simulating
        self.predict.disabled = not state.valid
        self.run.description = "Cancel" if going else "Run"
        self.run.disabled = state.starting or state.cancelling or not (going or state.runnable)
        (self.run.add_class if going else self.run.remove_class)("nc-cancel")
        self.estimate.value = escape(words.estimate(state.estimate if state.valid else None))
        self._show_meanwhile()
        progress = state.simulation.progress if going and state.simulation else None
        self.progress.value = progress.fraction if progress else 0.0
        (self.progress.add_class if going else self.progress.remove_class)("nc-going")

    def _show_meanwhile(self) -> None:
        """What can be done with a simulation that is on its way."""
        state, shown = self._state, self._state.simulation
        there = shown is not None and shown.active and not state.starting
        ending = state.cancelling or state.finishing
        resumable = there and registry.get(shown.settings.engine).resumable
        able = resumable and shown.mine and not shown.where
        self.finish.disabled = ending or not able or shown.state != RunState.RUNNING
        self._meanwhile.layout.display = None if there else "none"
