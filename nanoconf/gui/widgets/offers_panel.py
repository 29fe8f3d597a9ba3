"""Running simulations that this page can watch."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui import words
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState, Offer
from nanoconf.gui.widgets.rows import Rows


class OffersPanel(Rows):
    """One line with a button for each offer; empty without offers."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        super().__init__(self._row)
        self.add_class("nc-offers")
        state.observe(self._show, ["offers", "simulation", "phase"])

    def _show(self, _change: Any = None) -> None:
        state = self._state
        if state.simulating:
            shown = state.simulation
            self.show([None] if shown is not None and not shown.mine else [])
        else:
            self.show(state.offers)

    def _row(self, offer: Offer | None) -> widgets.HBox:
        """Return the line for an offer, or for the watched simulation if there is none."""
        if offer is None:
            return _line("Watching a simulation that was started in another browser.")
        system, percent = words.describe(offer.system), 100 * offer.fraction
        text = f"Simulation in progress: {system}, {percent:.0f} % done"
        button = widgets.Button(description="Watch", tooltip="Show this simulation here")
        button.on_click(lambda _button: self._work.attach(offer.run_id))
        return _line(text, button)


def _line(text: str, *buttons: widgets.Button) -> widgets.HBox:
    return widgets.HBox([widgets.HTML(escape(text)), *buttons]).add_class("nc-row")
