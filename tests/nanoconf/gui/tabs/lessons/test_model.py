"""Lessons without a browser: progress, gates, setups and the stored answers."""

from __future__ import annotations

import json

import pytest

from nanoconf import Surrogate
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.lessons.content import TASKS
from nanoconf.gui.tabs.lessons.model import LONGEST, Answers, Lessons
from nanoconf.gui.tabs.registry import LESSONS, PREDICTION
from tests.support.homes import until

PREDICTED = [
    (task, i) for task in TASKS for i, setup in enumerate(task.setups) if not setup.simulation_only
]
SIMULATED = [
    (task, i) for task in TASKS for i, setup in enumerate(task.setups) if setup.simulation_only
]


@pytest.fixture
def lessons(state) -> Lessons:
    return Lessons(state)


def test_a_link_opens_its_lesson(state, lessons):
    assert not lessons.is_open and lessons.address == ""
    lessons.follow("#lesson-3")
    assert lessons.number == 3 and state.tab == LESSONS
    assert lessons.is_open and lessons.address == "#lesson-3"


@pytest.mark.parametrize("fragment", ["", "#lesson-0", "#lesson-7", "#lesson-x", "#elsewhere"])
def test_other_fragments_open_nothing(state, lessons, fragment):
    lessons.follow(fragment)
    assert state.tab == PREDICTION and not lessons.is_open


def test_the_inputs_are_set_only_after_a_prediction_or_a_skip(lessons):
    first, second = TASKS[:2]
    assert not lessons.answers(first).may_set_inputs
    lessons.write(first, reasons="   ")
    assert not lessons.answers(first).may_set_inputs
    lessons.write(first, choice=first.options[0])
    assert lessons.answers(first).may_set_inputs and lessons.answers(first).predicted
    assert not lessons.answers(second).begun
    lessons.write(second, skipped=True)
    assert lessons.answers(second).may_set_inputs and not lessons.answers(second).predicted


def test_answers_survive_a_reload_of_the_page(state, lessons):
    lessons.name = "Ada"
    lessons.follow("#lesson-2")
    lessons.write(TASKS[1], choice=TASKS[1].options[1], answer="<b>repelled</b>")
    stored = json.loads(json.dumps({"lessons": state.lessons}))
    reloaded = AppState()
    reloaded.restore_view(stored)
    again = Lessons(reloaded)
    assert again.name == "Ada" and again.number == 2 and again.is_open
    assert again.answers(TASKS[1]) == lessons.answers(TASKS[1])
    again.clear()
    assert not again.answers(TASKS[1]).begun and again.name == ""


@pytest.mark.parametrize(
    "stored",
    [
        *(None, [], "x", {"number": "two"}, {"number": 99}, {"answers": 3}, {"setup": 77}),
        {"name": 4, "answers": {TASKS[0].key: {"answer": 5, "revealed": "yes", "unknown": 1}}},
        {"number": [], "open": "true", "setup": {}, "answers": {TASKS[0].key: None}},
    ],
)
def test_damaged_stored_answers_are_ignored(stored):
    state = AppState()
    state.restore_view({"lessons": stored})
    lessons = Lessons(state)
    assert lessons.number == 1 and lessons.setup is None and lessons.name == ""
    assert not lessons.is_open and lessons.answers(TASKS[0]) == Answers()
    lessons.write(TASKS[0], answer="new")
    assert lessons.answers(TASKS[0]).answer == "new"


def test_text_that_is_too_long_is_truncated():
    assert len(Answers.from_dict({"answer": "a" * (LONGEST + 1)}).answer) == LONGEST


@pytest.mark.parametrize(("task", "index"), PREDICTED, ids=lambda each: getattr(each, "key", each))
def test_a_setup_in_the_training_range_is_predicted_at_once(state, work, lessons, task, index):
    setup = task.setups[index]
    state.model = Surrogate.load().card
    lessons.set_up(task, index, work)
    until(lambda: state.prediction and not state.prediction_stale)
    assert state.prediction.system == setup.system == state.system
    assert state.shown_figure == setup.tab and lessons.setup is setup
    assert state.settings.duration_ns == setup.duration_ns
    assert state.mean_field_wanted == setup.mean_field


def test_the_instruction_to_press_run_omits_an_unknown_time(state, lessons):
    assert state.estimate is None
    assert lessons.run_first() == "there is no ML prediction for these inputs. Press Run."
    state.estimate = 10.0
    assert lessons.run_first().endswith("Press Run (≈ 10 s on this computer).")


@pytest.mark.parametrize(("task", "index"), SIMULATED, ids=lambda each: getattr(each, "key", each))
def test_a_setup_outside_the_training_range_asks_for_a_run(state, work, lessons, task, index):
    setup = task.setups[index]
    state.model = Surrogate.load().card
    lessons.set_up(task, index, work)
    assert state.system == setup.system and state.shown_figure == setup.tab
    assert "Press Run (≈ " in state.status and state.runnable
    until(lambda: state.prediction_problem)
    assert state.prediction is None and "Press Run" in state.status


def test_closing_a_lesson_keeps_its_answers(state, lessons):
    lessons.open(4)
    lessons.write(TASKS[3], answer="screened")
    lessons.close()
    assert not lessons.is_open and lessons.address == ""
    assert lessons.answers(TASKS[3]).answer == "screened"
    state.tab = PREDICTION
    lessons.back()
    assert state.tab == LESSONS and lessons.number == 4
