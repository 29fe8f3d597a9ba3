"""The buttons that predict and simulate, and the progress of the simulation."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from backend.runs.run_state import RunState
from nanoconf.gui import words
from nanoconf.gui.phase import RunPhase
from nanoconf.gui.services.permissions import Action, refusal_on_screen
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.widgets.controls import SteadyButton, offer, small_button

FINISH = "Stop now and keep the result"


class ActionsPanel(widgets.VBox):
    """Estimated time, progress, Predict using ML, Run or Cancel; always in view below the inputs.

    While a simulation runs, Finish now stops it and keeps the result, and Run in background leaves
    it running without showing it.
    """

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        self.estimate = widgets.HTML().add_class("nc-estimate")
        self.predict = SteadyButton(description="Predict using ML").add_class("nc-predict")
        self.run = SteadyButton(description="Run").add_class("nc-run")
        self.progress = widgets.FloatProgress(max=1.0).add_class("nc-progress")
        self._run_buttons = self._make_run_buttons()
        above = widgets.HBox([self.estimate, self._run_buttons]).add_class("nc-above")
        super().__init__([above, self.progress, self.predict, self.run])
        self.add_class("nc-actions")
        self.predict.on_click(lambda _button: work.answers.predict())
        self.run.on_click(lambda _button: self._pressed())
        state.observe(
            self._show,
            [
                *("valid", "simulation", "phase", "predicting"),
                *("estimate", "cluster_mode", "cluster_problem"),
            ],
        )
        self._show()

    def _make_run_buttons(self) -> widgets.HBox:
        """Return the buttons for a simulation in progress."""
        self.finish = small_button("Finish now", FINISH, self._work.finish)
        self.background = small_button(
            "Run in background",
            "Keep the simulation running; reopen it from the Runs tab",
            self._work.detach,
        )
        return widgets.HBox([self.finish, self.background]).add_class("nc-row")

    def _pressed(self) -> None:
        if self._state.simulating:
            self._work.cancel()
        else:
            self._work.run()

    def _show(self, _change: Any = None) -> None:
        state = self._state
        simulating = state.simulating
        self.predict.off = not state.valid
        self.run.description = "Cancel" if simulating else "Run"
        self.run.off = not self._may_press()
        offer(self.run, not self._refusal(Action.CANCEL))
        (self.run.add_class if simulating else self.run.remove_class)("nc-cancel")
        self.estimate.value = escape(words.estimate(state.estimate if state.valid else None))
        self._show_run_buttons()
        progress = state.simulation.progress if simulating and state.simulation else None
        self.progress.value = progress.fraction if progress else 0.0
        (self.progress.add_class if simulating else self.progress.remove_class)("nc-active")

    def _may_press(self) -> bool:
        """Return True if Run, or Cancel in its place, applies."""
        state = self._state
        if not state.simulating:
            return state.runnable
        return state.phase.allows(RunPhase.CANCELLING) and not self._refusal(Action.CANCEL)

    def _refusal(self, action: Action) -> str:
        """Return the reason why the simulation in progress is not this browser's to stop."""
        shown = self._state.simulation
        if not self._state.simulating or shown is None:
            return ""
        return refusal_on_screen(action, shown)

    def _show_run_buttons(self) -> None:
        """Show the buttons for a submitted simulation, and enable those that apply."""
        state, shown = self._state, self._state.simulation
        submitted = state.simulating and state.phase is not RunPhase.STARTING
        running = submitted and shown.state == RunState.RUNNING
        refused = self._refusal(Action.FINISH)
        self.finish.disabled = bool(refused) or not (running and state.can_finish)
        offer(self.finish, not refused)
        # One replaces the other, so that the buttons below stay in place.
        self.estimate.layout.display = "none" if submitted else None
        self._run_buttons.layout.display = None if submitted else "none"
