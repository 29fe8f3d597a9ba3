"""Panels of the profiles: a caption, the Poisson-Boltzmann button, and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ipywidgets as widgets

from nanoconf.gui.figures.plots import Plot
from nanoconf.gui.links import run_link
from nanoconf.gui.services.debounce import Debounced
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.profiles import model
from nanoconf.gui.tabs.registry import (
    CHARGE,
    CHARGE_DENSITY,
    INTEGRATED,
    NEGATIVE,
    POSITIVE,
    POTENTIAL,
    PREDICTION,
    Tab,
)
from nanoconf.gui.widgets.chips import prediction_chip, refusal_chip, simulation_chip
from nanoconf.gui.widgets.choice import Choice
from nanoconf.gui.widgets.copyable import CopyLink
from nanoconf.gui.widgets.figure import AROUND, Canvas, is_urgent

Plots = Mapping[str, Callable[[AppState], Plot]]

CAPTION_HEIGHT, SWITCH_HEIGHT = 34, 34

SYSTEM = (
    *("values", "simulation", "simulation_stale", "phase", "prediction", "prediction_stale"),
    *("prediction_problem", "mean_field", "mean_field_wanted"),
)
"""Traits of the state that the figures of the slit depend on."""


class SlitPanel(widgets.VBox):
    """A tab with profiles across the slit; a switch chooses one of several figures.

    Parameters
    ----------
    state : AppState
        State of the page.
    tab : str
        Title of the tab.
    plots : dict of str to callable
        Makes each `Plot` from the state, by the title of the figure.
    """

    def __init__(self, state: AppState, tab: str, plots: Plots):
        self._state, self._tab = state, tab
        self.caption = widgets.HTML().add_class("nc-caption")
        self.theory = widgets.ToggleButton(
            description="Poisson-Boltzmann",
            tooltip="Overlay Poisson-Boltzmann theory: point ions in their mean field",
        ).add_class("nc-theory")
        self.link = CopyLink(label="Copy a link to this simulation", hides=True)
        top = widgets.HBox([self.caption, self.link, self.theory]).add_class("nc-top")
        switches = [self._make_switch()] if tab in state.figures else []
        reserved = CAPTION_HEIGHT + SWITCH_HEIGHT * len(switches)
        self.canvases = {
            title: Canvas(state, title, partial(plot, state), lambda _width: reserved, SYSTEM)
            for title, plot in plots.items()
        }
        super().__init__([top, *switches, *self.canvases.values()])
        self.add_class("nc-panel")
        self.theory.observe(self._toggled, "value")
        self._debounced = Debounced(self._show)
        state.observe(self._refresh, (*AROUND, *SYSTEM))
        self._show()

    def _make_switch(self) -> Choice:
        """Return the switch between the figures of the tab."""
        state = self._state
        titles = list(state.tabs[self._tab].figures)
        switch = Choice(groups=[titles], value=state.figures[self._tab], label="Figure")
        switch.observe(lambda change: state.choose_figure(change["new"]), "value")
        state.observe(lambda _change: setattr(switch, "value", state.figures[self._tab]), "figures")
        return switch.add_class("nc-switch")

    def _toggled(self, change: dict[str, Any]) -> None:
        self._state.mean_field_wanted = change["new"]

    def _refresh(self, change: Any) -> None:
        if self._state.tab == self._tab:
            self._debounced.request(immediately=is_urgent(change))

    def _show(self) -> None:
        self.theory.value = self._state.mean_field_wanted
        tab, simulation = self._state.tabs[self._tab], self._state.simulation
        self.caption.value = _caption(self._state, tab)
        self.link.text = run_link(simulation.run_id) if tab.with_simulation and simulation else ""
        chosen = self._state.figures.get(self._tab, self._tab)
        for title, canvas in self.canvases.items():
            canvas.layout.display = None if title == chosen else "none"


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


def _panel(tab: str, plots: Plots) -> Callable[[AppState, Work], SlitPanel]:
    return lambda state, _work: SlitPanel(state, tab, plots)


positive = _panel(POSITIVE, {POSITIVE: partial(model.density_plot, species="positive")})
negative = _panel(NEGATIVE, {NEGATIVE: partial(model.density_plot, species="negative")})
charge = _panel(
    CHARGE,
    {
        CHARGE_DENSITY: model.charge_plot,
        INTEGRATED: model.integrated_plot,
        POTENTIAL: model.potential_plot,
    },
)
prediction = _panel(PREDICTION, {PREDICTION: model.prediction_plot})
