"""Texts about systems, runs and times."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest

from backend.runs.run_state import RunState
from backend.sampling.summary import Summary
from backend.settings import RunSettings
from backend.system import InvalidInput, Range, SlitSystem
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.state import Simulation
from nanoconf.surrogate.domain import Domain


def test_only_earlier_results_are_called_stored(state):
    result = SimpleNamespace(summary=Summary())
    run = Simulation(
        "1", SlitSystem(), RunSettings(), state=RunState.DONE, joined=True, result=result
    )
    assert words.status(run).startswith("Done")  # joined while it ran
    assert "reused" not in words.milestone(run)
    assert words.status(replace(run, stored=True)).startswith("Stored result")
    assert words.milestone(replace(run, stored=True)) == "Run 1: stored result reused"


def test_a_description_names_all_inputs_that_differ_from_the_default():
    assert words.describe(SlitSystem()) == "h 3 nm, 1:−1, 0.5 M, d 0.714 nm"
    other = SlitSystem(wall="plane", temperature=310, relative_permittivity=80, negative_ions=424)
    rest = "wall model: plane, 310 K, permittivity 80, 424 negative ions"
    assert words.describe(other) == f"h 3 nm, 1:−1, 0.5 M, d 0.714 nm, {rest}"
    full = words.describe(SlitSystem(), full=True)
    assert full == "h 3 nm, 1:−1, 0.5 M, d 0.714 nm, wall model: ion, 298 K, permittivity 78.5"
    assert {each.name for each in fields(SlitSystem)} <= {*FIELDS, *words.WITHOUT_FIELD}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (13.7, "14 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_times_are_rounded_to_their_accuracy(seconds, text):
    assert words.duration(seconds) == text


DOMAIN = Domain(
    {"confinement_length": Range(3, 4, "nm"), "negative_valency": Range(-1, -1, "e")},
    {"surface_charge_density": 0.0, "wall": "ion"},
)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (["negative_diameter", "confinement_length"], "it needs equal diameters and h of 3-4 nm"),
        (["negative_valency"], "z₋ must be −1"),
        (["surface_charge_density", "wall"], "σ must be 0 C/m², and wall must be ion"),
        (["negative_valency", "confinement_length"], "it needs h of 3-4 nm, and z₋ must be −1"),
    ],
)
def test_a_missing_prediction_is_explained_by_the_training_range(changed, text):
    problems = [InvalidInput(name, "", "") for name in changed]
    sentence = f"No ML prediction here: {text}. Press Run to simulate."
    assert words.outside_domain(problems, DOMAIN) == sentence
