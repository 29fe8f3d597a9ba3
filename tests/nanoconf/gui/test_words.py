"""Sentences about systems, runs and times."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest

from backend.runs.state import RunState
from backend.sampling.summary import Summary
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.state import Simulation


def test_only_earlier_results_are_called_stored(state):
    result = SimpleNamespace(summary=Summary())
    run = Simulation(
        "1", SlitSystem(), RunSettings(), state=RunState.DONE, joined=True, result=result
    )
    assert words.status(run).startswith("Done")  # joined while it ran
    assert "archive already" not in words.milestone(run)
    assert words.status(replace(run, stored=True)).startswith("Stored result")
    assert "archive already" in words.milestone(replace(run, stored=True))


def test_a_description_names_everything_that_differs_from_the_default():
    assert words.describe(SlitSystem()) == "h 3 nm, 1:−1, 0.5 M, d 0.714 nm"
    other = SlitSystem(wall="plane", temperature=310, relative_permittivity=80, negative_ions=424)
    said = "wall plane, 310 K, permittivity 80, 424 negative ions"
    assert words.describe(other) == f"h 3 nm, 1:−1, 0.5 M, d 0.714 nm, {said}"
    full = words.describe(SlitSystem(), full=True)
    assert full == "h 3 nm, 1:−1, 0.5 M, d 0.714 nm, wall ion, 298 K, permittivity 78.5"
    assert {each.name for each in fields(SlitSystem)} <= {*FIELDS, *words.WITHOUT_FIELD}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (13.7, "14 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_times_are_rounded_to_the_known_precision(seconds, text):
    assert words.duration(seconds) == text
