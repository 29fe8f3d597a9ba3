"""Panels of the profiles: a caption, the Poisson-Boltzmann button, and a figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from nanoconf.gui.figures.plots import Plot
from nanoconf.gui.services.debounce import Debounced
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.profiles import model
from nanoconf.gui.tabs.registry import (
    CHARGE,
    INTEGRATED,
    NEGATIVE,
    POSITIVE,
    POTENTIAL,
    PREDICTION,
    Tab,
)
from nanoconf.gui.widgets.chips import prediction_chip, refusal_chip, simulation_chip
from nanoconf.gui.widgets.figure import AROUND, Canvas, is_urgent

CAPTION_HEIGHT = 34

SYSTEM = (
    *("values", "simulation", "simulation_stale", "phase", "prediction", "prediction_stale"),
    *("prediction_problem", "mean_field", "mean_field_wanted"),
)
"""Traits of the state that the figures of the slit depend on."""


class SlitPanel(widgets.VBox):
    """A tab with one figure of profiles across the slit.

    Parameters
    ----------
    state : AppState
        State of the page.
    tab : str
        Title of the tab.
    plot : callable
        Makes the `Plot` from the state.
    """

    def __init__(self, state: AppState, tab: str, plot: Callable[[AppState], Plot]):
        self._state, self._tab = state, tab
        self.caption = widgets.HTML().add_class("nc-caption")
        self.theory = widgets.ToggleButton(
            description="Poisson-Boltzmann",
            tooltip="Overlay Poisson-Boltzmann theory: point ions in their mean field",
        ).add_class("nc-theory")
        self.canvas = Canvas(state, tab, lambda: plot(state), CAPTION_HEIGHT, SYSTEM)
        top = widgets.HBox([self.caption, self.theory]).add_class("nc-top")
        super().__init__([top, self.canvas])
        self.add_class("nc-panel")
        self.theory.observe(self._toggled, "value")
        self._debounced = Debounced(self._show)
        state.observe(self._refresh, (*AROUND, *SYSTEM))
        self._show()

    def _toggled(self, change: dict[str, Any]) -> None:
        self._state.mean_field_wanted = change["new"]

    def _refresh(self, change: Any) -> None:
        if self._state.tab == self._tab:
            self._debounced.request(immediately=is_urgent(change))

    def _show(self) -> None:
        self.theory.value = self._state.mean_field_wanted
        self.caption.value = _caption(self._state, self._state.tabs[self._tab])


def _caption(state: AppState, tab: Tab) -> str:
    """Return the chips that name the systems of the curves."""
    parts = []
    simulation, prediction = state.simulation, state.prediction
    if tab.with_simulation and simulation is not None and simulation.profiles is not None:
        parts.append(simulation_chip(state, simulation))
    if prediction is not None:
        parts.append(prediction_chip(state, prediction))
    elif state.prediction_problem:
        parts.append(refusal_chip(state.prediction_problem))
    return "".join(parts)


def _panel(tab: str, plot: Callable[[AppState], Plot]) -> Callable[[AppState, Work], SlitPanel]:
    return lambda state, _work: SlitPanel(state, tab, plot)


positive = _panel(POSITIVE, lambda state: model.density_plot(state, "positive"))
negative = _panel(NEGATIVE, lambda state: model.density_plot(state, "negative"))
charge = _panel(CHARGE, model.charge_plot)
integrated = _panel(INTEGRATED, model.integrated_plot)
potential = _panel(POTENTIAL, model.potential_plot)
prediction = _panel(PREDICTION, model.prediction_plot)
