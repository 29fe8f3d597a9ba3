"""The numbers in the answers, recomputed; the texts, complete."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from backend.poisson_boltzmann import poisson_boltzmann
from backend.profiles.charge import ChargeProfile
from backend.settings import RunSettings
from nanoconf import Surrogate, simulate
from nanoconf.gui.figures.plots import MD, PB
from nanoconf.gui.tabs.lessons.content import TASKS, TYPICAL_ERRORS, cited_runs
from nanoconf.gui.tabs.lessons.worksheet import setup_line
from nanoconf.gui.tabs.registry import TABS

CITED = [(task, each) for task in TASKS for each in task.cited]
COMPUTED = [(task, each) for task, each in CITED if each.source != MD]
SIMULATED = [(task, each) for task, each in CITED if each.source == MD]

SLACK = 0.005
"""Relative tolerance, in addition to the rounding of a cited number."""

DEVIATIONS = 4
"""Tolerance of a simulated number in standard errors of the difference of two simulations."""


def names(each):
    return each.key if hasattr(each, "key") else f"{each.quantity}, {each.source}, {each.text}"


@cache
def profiles(system, source):
    if source == MD:
        return simulate(system, duration_ns=2.0, seed=1).profiles
    if source == PB:
        return poisson_boltzmann(system)
    return Surrogate.load().predict(system).profiles


def peak(_system, _both, one):
    return one.peak_density


def midplane(_system, _both, one):
    return one.mid_density


def dip(_system, _both, one):
    """The lowest density between the peaks."""
    inside = np.abs(one.z) < np.abs(one.z[one.density.argmax()])
    return one.density[inside].min()


def near_the_wall(_system, _both, one):
    return np.interp(1.1, one.z, one.density) / one.mid_density


def distance_of_the_peaks(_system, _both, one):
    return 2 * abs(one.z[one.density.argmax()])


def charge(system, both):
    return ChargeProfile.of(system, both)


def overscreening(system, both, _one):
    """The charge in excess of the wall's, on its way from the left wall (% of the wall's)."""
    left = charge(system, both).integrated[: len(both.positive.z) // 2]
    return 100 * left.max() / abs(system.actual_surface_charge_density)


def contact_planes(system, _both, _one):
    positive, negative = system.contact_planes
    return negative - positive


def width_ratio(system, _both, _one):
    width = system.confinement_length
    return width / (width - system.positive_diameter)


QUANTITIES = {
    "peak": peak,
    "midplane": midplane,
    "dip": dip,
    "at 1.1 nm": near_the_wall,
    "peak over midplane": lambda system, both, one: one.peak_density / one.mid_density,
    "peak, ML over PB": lambda system, both, one: (
        one.peak_density / poisson_boltzmann(system).negative.peak_density
    ),
    "distance of the peaks": distance_of_the_peaks,
    "packing": lambda system, both, one: 100 * system.packing_fraction,
    "accessible width": lambda system, both, one: (
        system.confinement_length - system.positive_diameter
    ),
    "width over accessible width": width_ratio,
    "half a diameter": lambda system, both, one: system.positive_diameter / 2,
    "difference of contact planes": contact_planes,
    "potential drop": lambda system, both, one: -charge(system, both).wall_potential,
    "wall potential": lambda system, both, one: charge(system, both).wall_potential,
    "lowest charge density": lambda system, both, one: charge(system, both).density.min(),
    "screening length": lambda system, both, one: charge(system, both).screening_length,
    "overscreening": overscreening,
    "Debye length": lambda system, both, one: system.debye_length,
}


def number(text):
    return float(text.replace("−", "-"))


def computed(task, each):
    """Return the number that an answer cites."""

    def quantity(index):
        system = task.setups[index].system
        both = profiles(system, each.source)
        return QUANTITIES[each.quantity](system, both, both.by_species()[each.species])

    return quantity(each.setup) / (1 if each.over is None else quantity(each.over))


def rounding(text):
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


@pytest.mark.parametrize(("task", "each"), COMPUTED, ids=names)
def test_the_surrogate_or_the_theory_gives_the_cited_number(task, each):
    tolerance = rounding(each.text) + SLACK * abs(number(each.text))
    assert computed(task, each) == pytest.approx(number(each.text), abs=tolerance)


@pytest.mark.long
@pytest.mark.parametrize(("task", "each"), SIMULATED, ids=names)
def test_a_simulation_gives_the_cited_number(task, each, home):
    tolerance = rounding(each.text) + DEVIATIONS * 2**0.5 * each.error
    assert computed(task, each) == pytest.approx(number(each.text), abs=tolerance)


@pytest.mark.parametrize(("task", "each"), SIMULATED, ids=names)
def test_a_simulated_number_has_its_length_seed_and_error(task, each):
    assert each.error > 0 and (task.key, each.setup) in TYPICAL_ERRORS
    assert "seed 1" in task.answer and "2 ns" in task.answer
    assert task.setups[each.setup].duration_ns == 2.0 and RunSettings().seed == 1


@pytest.mark.parametrize("task", TASKS, ids=names)
def test_every_number_in_an_answer_is_cited_or_an_input(task):
    known = {each.text.lstrip("−") for each in task.cited}
    known |= {f"{each.error:g}" for each in task.cited if each.error}
    given = " ".join([task.ask, task.question, *map(setup_line, task.setups)])
    known |= set(re.findall(r"\d+(?:\.\d+)?", given))
    text = re.sub(r"lesson \d|seed 1|2 ns", "", task.answer)
    assert [each for each in re.findall(r"\d+\.\d+", text) if each not in known] == []
    for each in task.cited:
        assert re.search(rf"(?<![\d.]){re.escape(each.text)}(?![\d]|\.\d)", task.answer)


@pytest.mark.parametrize("task", TASKS, ids=names)
def test_setups_outside_the_training_range_are_marked_simulation_only(task):
    domain = Surrogate.load().card.domain
    figures = {title for tab in TABS for title in (tab.title, *tab.figures)}
    for setup in task.setups:
        assert bool(domain.problems(setup.system)) == setup.simulation_only
        assert setup.tab in figures
        RunSettings(duration_ns=setup.duration_ns)


def test_each_lesson_is_complete():
    assert len(TASKS) == len({task.key for task in TASKS}) == 6
    for task in TASKS:
        assert len(task.options) >= 3 and len(task.setups) >= 2 and len(task.criteria) >= 3
        assert all((task.title, task.goal, task.ask, task.look, task.question, task.answer))
        assert "{" not in task.answer
    assert len(cited_runs()) == len(TYPICAL_ERRORS)
