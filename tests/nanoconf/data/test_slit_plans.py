"""Plans of the data of every slit."""

import itertools
import math

import numpy as np
import pytest

from backend.system import SlitSystem
from nanoconf.data import slit_plans
from nanoconf.data.plans import VARIED_VALENCIES, read_plan
from nanoconf.data.slit_plans import (
    FOLDER,
    MAXIMUM_COUPLING,
    MAXIMUM_PACKING,
    PLANS,
    RANGES,
    SHARES,
    coulomb_split,
    table,
)

ERRORS = {"validation": 0.003, "test": 0.002, "training": 0.005}


@pytest.fixture(scope="module")
def plans():
    """Return the plans in the repository."""
    return {name: read_plan(FOLDER / f"{name}.csv") for name in PLANS}


@pytest.mark.parametrize("name", ["validation", "test"])
def test_the_plans_in_the_repository_are_those_of_the_command(name):
    assert (FOLDER / f"{name}.csv").read_text() == table(PLANS[name])


def test_plans_have_the_planned_numbers_and_target_errors(plans):
    assert {name: len(plan) for name, plan in plans.items()} == {
        "validation": 300,
        "test": 200,
        "training": 4000,
    }
    for name, plan in plans.items():
        assert {item.settings.target_error for item in plan} == {ERRORS[name]}
        assert {item.settings.replicas for item in plan} == {1}


def test_no_system_and_no_seed_is_in_two_plans(plans):
    for one, other in itertools.combinations(plans.values(), 2):
        assert not {item.system for item in one} & {item.system for item in other}
    seeds = [item.settings.seed for plan in plans.values() for item in plan]
    assert len(set(seeds)) == len(seeds)


def test_all_systems_are_inside_the_domain(plans):
    for system in (item.system for plan in plans.values() for item in plan):
        assert system.coupling <= MAXIMUM_COUPLING
        assert system.packing_fraction <= MAXIMUM_PACKING
        assert system.negative_ions is None
        for name, value in inputs(system).items():
            low, high = RANGES[name]
            assert low - 1e-3 <= value <= high + 1e-3, name


def inputs(system):
    return {
        "log_concentration": math.log(system.salt_concentration),
        "bjerrum_length": system.bjerrum_length,
    } | {name: getattr(system, name) for name in RANGES if hasattr(system, name)}


def shares(systems):
    """Return the shares of the systems to which each of `SHARES` applies."""
    water = SlitSystem().relative_permittivity
    return {
        "equal diameters": np.mean([s.diameter_ratio == 1 for s in systems]),
        "uncharged walls": np.mean([s.surface_charge_density == 0 for s in systems]),
        "water": np.mean([s.relative_permittivity == water for s in systems]),
        "plane walls": np.mean([s.wall == "plane" for s in systems]),
    }


@pytest.mark.parametrize("name", PLANS)
def test_plans_have_the_planned_shares(plans, name):
    found = shares([item.system for item in plans[name]])
    assert set(found) == set(SHARES)
    for what, share in SHARES.items():
        assert found[what] == pytest.approx(share, abs=0.04), what


def test_every_tenth_of_the_training_plan_is_spread_over_the_domain(plans):
    systems = [item.system for item in plans["training"]]
    tenths = [systems[i : i + 400] for i in range(0, 4000, 400)]
    whole = {name: np.array([inputs(s)[name] for s in systems]) for name in RANGES}
    edges = {name: np.quantile(values, np.linspace(0, 1, 6)) for name, values in whole.items()}
    for tenth in tenths:
        valencies = [system.valencies for system in tenth]
        assert all(66 <= valencies.count(pair) <= 67 for pair in VARIED_VALENCIES)
        for what, share in shares(tenth).items():
            assert share == pytest.approx(SHARES[what], abs=0.05), what
        for name in RANGES:
            if name in ("surface_charge_density", "bjerrum_length"):
                continue  # one value has a share of its own
            counts, _ = np.histogram([inputs(s)[name] for s in tenth], edges[name])
            assert counts.min() >= 65 and counts.max() <= 95, name


def test_the_beginning_of_a_plan_does_not_depend_on_its_length():
    assert slit_plans.systems(20, seed=3) == slit_plans.systems(60, seed=3)[:20]
    assert slit_plans.systems(20, seed=4) != slit_plans.systems(20, seed=3)


def test_strong_coulomb_forces_are_evaluated_more_often():
    assert coulomb_split(SlitSystem()) == 5
    assert coulomb_split(SlitSystem(positive_valency=3)) == 3
    assert coulomb_split(SlitSystem(positive_valency=3, negative_valency=-2)) == 1
    assert coulomb_split(SlitSystem(surface_charge_density=-0.05, positive_diameter=0.75)) == 1
