"""Running simulations that this page can watch."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from backend.runs.run_state import RunState
from nanoconf.gui import words
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState, Offer, Simulation
from nanoconf.gui.widgets.rows import Rows


class OffersPanel(Rows):
    """One line with a button for each offer; empty without offers."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        super().__init__(self._row)
        self.add_class("nc-offers")
        state.observe(self._show, ["offers", "simulation", "phase"])

    def _show(self, _change: Any = None) -> None:
        """Show the offers, or who started the simulation that is watched."""
        state, shown = self._state, self._state.simulation
        if state.simulating:
            self.show([_watching(shown)] if shown and (shown.read_only or not shown.mine) else [])
            return
        self.show(offer.run_id for offer in state.offers)
        for offer, row in zip(state.offers, self.children, strict=True):
            row.children[0].value = escape(_text(offer))

    def _row(self, key: str) -> widgets.HBox:
        """Return the line for the offer of a run, or for a text without a button."""
        if key not in {offer.run_id for offer in self._state.offers}:
            return _line(key)
        button = widgets.Button(description="Watch", tooltip="Show this simulation here")
        button.on_click(lambda _button: self._work.attach(key))
        return _line("", button)


def _watching(shown: Simulation) -> str:
    if shown.read_only:
        return "Watching a simulation opened from a link; it cannot be stopped here."
    return (
        f"Watching a simulation that was started {words.origin(shown)}; it cannot be stopped here."
    )


def _text(offer: Offer) -> str:
    system = words.describe(offer.system)
    if offer.state == RunState.QUEUED:
        return f"Simulation waiting to start: {system}"
    return f"Simulation in progress: {system}, {100 * offer.fraction:.0f} % done"


def _line(text: str, *buttons: widgets.Button) -> widgets.HBox:
    return widgets.HBox([widgets.HTML(escape(text)), *buttons]).add_class("nc-row")
