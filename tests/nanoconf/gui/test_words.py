"""Texts about systems, runs and times."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from types import SimpleNamespace

import pytest

from backend.runs.run_state import RunState
from backend.sampling.result import Progress
from backend.sampling.summary import Convergence, Summary
from backend.settings import RunSettings
from backend.system import InvalidInput, Range, SlitSystem
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.state import Simulation
from nanoconf.gui.widgets.chips import refusal_chip, simulation_chip
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
    rest = "wall model: plane, 310 K, relative permittivity 80, 424 negative ions"
    assert words.describe(other) == f"h 3 nm, 1:−1, 0.5 M, d 0.714 nm, {rest}"
    full = words.describe(SlitSystem(), full=True)
    rest = "wall model: ion, 298 K, relative permittivity 78.5"
    assert full == f"h 3 nm, 1:−1, 0.5 M, d 0.714 nm, {rest}"
    assert {each.name for each in fields(SlitSystem)} <= {*FIELDS, *words.WITHOUT_FIELD}


@pytest.mark.parametrize("converged", [True, False, None])
def test_a_result_that_has_not_converged_is_marked_everywhere(state, converged):
    verdict = None if converged is None else Convergence(converged, 0.01, 0.005, [], 4.0, {})
    result = SimpleNamespace(summary=Summary(median_relative_error=0.01, convergence=verdict))
    run = Simulation("1", SlitSystem(), RunSettings(), RunState.DONE, result=result)
    texts = [
        words.status(run),
        words.status(run, stale=True),
        words.milestone(run),
        words.milestone(replace(run, stored=True, joined=True)),
        simulation_chip(state, run),
        words.result_length(run),
    ]
    assert [words.NOT_CONVERGED in text for text in texts] == [converged is False] * len(texts)


def test_a_partial_profile_is_labelled_with_the_time_so_far(state):
    run = Simulation("1", SlitSystem(), RunSettings(duration_ns=5.0), RunState.RUNNING)
    run = replace(run, progress=Progress("sampling", 0.3, simulated_ns=1.234))
    assert words.shown_length(run) == "1.23 ns so far"
    assert words.shown_length(replace(run, state=RunState.CANCELLED)) == "1.23 ns"


def test_a_label_contains_its_whole_text_and_its_marks_come_first(state):
    other = SlitSystem(salt_concentration=0.7)
    label = simulation_chip(state, Simulation("1", other, RunSettings()))
    text = re.sub("<[^>]*>", "", label)
    whole = f"{words.describe(other)}, 5 ns"
    assert text == f"MD different inputs {whole}"
    assert f"title='MD, different inputs: {whole}'" in label
    assert "title='No model &amp; no sum'" in refusal_chip("No model & no sum")


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
