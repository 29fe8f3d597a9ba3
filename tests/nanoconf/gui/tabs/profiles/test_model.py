"""Curves of the tabs with profiles."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from backend.poisson_boltzmann import poisson_boltzmann
from backend.profiles.charge import ChargeProfile
from backend.sampling.summary import Convergence, Summary
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


def test_density_tabs_show_both_sources_and_the_prediction_graph_shows_both_species(state):
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


@pytest.mark.parametrize(
    ("converged", "label"),
    [(True, "MD simulation"), (False, "MD simulation (not converged)"), (None, "MD simulation")],
)
def test_a_simulation_that_has_not_converged_is_marked(state, converged, label):
    verdict = None if converged is None else Convergence(converged, 0.01, 0.005, [], 4.0, {})
    result = SimpleNamespace(summary=Summary(convergence=verdict))
    both = profiles(SlitSystem())
    state.show(Simulation("1", SlitSystem(), RunSettings(), profiles=both, result=result))
    (curve,) = density_plot(state, "positive").curves
    assert curve.label == label


def test_a_charge_that_is_zero_within_its_error_does_not_fill_the_figure(state):
    system = SlitSystem()
    both = profiles(system)
    noise = 0.003 * np.sin(np.arange(300))
    charge = ChargeProfile.of(system, both)
    charge = replace(charge, density=noise, density_error=np.full(300, 0.003))
    state.show(Simulation("1", system, RunSettings(), profiles=both, charge=charge))
    (chart,) = charge_plot(state).charts
    assert chart.all_zero
    assert "zero within the error of ± 0.003 e·M" in charge_plot(state).as_text()


def test_a_screening_length_is_a_distance_from_the_left_wall(state):
    system = SlitSystem(confinement_length=4.0, surface_charge_density=-0.05)
    state.choose(system)
    both = poisson_boltzmann(system)
    charge = ChargeProfile.of(system, both)
    state.show(Simulation("1", system, RunSettings(), profiles=both, charge=charge))
    length, _share = integrated_plot(state).charts[0].markers
    assert length.label == f"z* = {charge.screening_length:.2f} nm from the left wall (MD)"
    assert length.start == -2.0 and length.x == charge.screening_length - 2.0


def test_a_figure_knows_its_run_its_model_and_their_systems(state):
    system, other = SlitSystem(), SlitSystem(salt_concentration=0.6)
    state.show(Simulation("3c8277b7d052", system, RunSettings(), profiles=profiles(system)))
    state.predicted(prediction(other))
    origin = density_plot(state, "negative").origin
    assert [(each.kind, each.name, each.system) for each in origin.sources] == [
        ("MD", "3c8277b7d052", system),
        ("ML", "", other),
    ]
    assert origin.stem("Negative Ion Density") == "h3.0_1-1_0.5M_3c8277b7_negative"
