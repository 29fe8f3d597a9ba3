"""Curves of the tabs with profiles."""

from __future__ import annotations

import json

from backend.profiles.charge import ChargeProfile
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf.gui.state import Simulation
from nanoconf.gui.tabs.profiles.model import (
    charge_plot,
    density_plot,
    integrated_plot,
    prediction_plot,
)
from tests.support.profiles import prediction, profiles


def test_density_tabs_show_both_sources_and_the_prediction_graph_shows_both_ions(state):
    system = SlitSystem()
    for plot in (density_plot(state, "positive"), prediction_plot(state)):
        assert not plot.curves and plot.hint
    state.show(Simulation("1", system, RunSettings(), profiles=profiles(system)))
    state.predicted(prediction(system))
    assert [curve.source for curve in density_plot(state, "negative").curves] == ["MD", "ML"]
    plot = prediction_plot(state)
    assert [curve.species for curve in plot.curves] == ["positive", "negative"]
    values = json.loads(plot.as_json())[0]
    assert len(values["z_nm"]) == len(values["density_M"]) == len(values["error_M"]) == 300
    assert "ML, positive ions: peak 1 M at" in plot.as_text()


def test_charge_has_errors_only_with_blocks(state):
    system = SlitSystem(surface_charge_density=-0.01)
    both = profiles(system)
    charge = ChargeProfile.of(system, both)
    state.show(Simulation("1", system, RunSettings(), profiles=both, charge=charge))
    (curve,) = charge_plot(state).curves
    assert curve.error is None and not charge_plot(state).charts[0].from_zero
    json.loads(integrated_plot(state).as_json())
