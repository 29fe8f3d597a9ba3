"""Worksheet and lab record: complete, self-contained, and with all entered text escaped."""

from __future__ import annotations

import base64
import re
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from backend import __version__
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf.gui.state import Simulation
from nanoconf.gui.tabs.lessons.content import TASKS, cited_runs
from nanoconf.gui.tabs.lessons.model import Lessons
from nanoconf.gui.tabs.lessons.record import lab_record
from nanoconf.gui.tabs.lessons.worksheet import worksheet
from nanoconf.gui.tabs.profiles.model import prediction_plot
from nanoconf.gui.tabs.registry import PREDICTION
from tests.support import homes
from tests.support.event_loop import on_a_page
from tests.support.homes import QUICK
from tests.support.profiles import prediction

ATTACK = '<script>alert("1")</script><img src=x onerror=alert(2)>&\'"'
LOADING = {"src", "href", "srcset", "action", "data", "background", "poster", "xlink:href"}


class Reader(HTMLParser):
    """Elements, attributes and text of a document."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loaded, self.handlers, self.words = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loaded += [value for name, value in attrs if name in LOADING]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)


def assert_self_contained(text):
    document = Reader(text)
    assert not {"script", "iframe", "link", "object", "embed", "form"} & set(document.tags)
    assert document.handlers == []
    assert all(value.startswith("data:image/svg+xml;base64,") for value in document.loaded)
    assert "default-src 'none'" in text and "@import" not in text and "url(" not in text


@pytest.mark.parametrize("answers", [False, True])
def test_a_worksheet_has_all_lessons_and_shows_answers_only_on_request(answers):
    text = worksheet(answers=answers)
    assert_self_contained(text)
    for task in TASKS:
        for part in (task.title, task.ask, task.question, *task.options, *task.look):
            assert escape(part) in text
        for part in (*task.answer.split("\n\n"), *task.criteria):
            assert (escape(part) in text) == answers
    assert ('class="space"' in text) != answers
    assert all((escape(run) in text) == answers for run in cited_runs())


def test_headings_of_the_documents_are_in_order(state, work):
    lessons = Lessons(state)
    lessons.write(TASKS[0], answer="x")
    for text in (worksheet(answers=True), worksheet(answers=False), lab_record(state, work)):
        levels = [int(tag[1]) for tag in Reader(text).tags if re.fullmatch(r"h\d", tag)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(b - a <= 1 for a, b in pairwise(levels))


def test_everything_that_a_student_types_is_escaped_in_the_record(state, work):
    lessons = Lessons(state)
    lessons.name = ATTACK
    for task in TASKS:
        lessons.write(task, choice=ATTACK, reasons=ATTACK, answer=ATTACK, revealed=True)
    state.type("salt_concentration", ATTACK)
    text = lab_record(state, work)
    assert_self_contained(text)
    # The inputs keep the problem beside the typed text, which may be shortened there.
    assert Reader(text).text.count(ATTACK) >= 3 * len(TASKS) + 1 + 1


def test_the_record_has_answers_inputs_runs_versions_and_figures(state, work):
    run = homes.simulated(work.archive.home, QUICK)
    state.stage, state.tab = (600, 400), PREDICTION
    state.choose(run.system)
    state.show(
        Simulation(
            run.id,
            run.system,
            run.settings,
            RunState.DONE,
            result=SimpleNamespace(summary=run.result().summary),
        )
    )
    state.predicted(prediction(run.system))
    state.drawn = {PREDICTION: lambda: prediction_plot(state)}
    state.model = SimpleNamespace(name="model-9")
    lessons = Lessons(state)
    lessons.name = "Ada"
    lessons.write(TASKS[1], choice=TASKS[1].options[2], answer="They avoid the wall.")
    lessons.write(TASKS[2], skipped=True)
    text = lab_record(state, work)
    assert_self_contained(text)
    words = Reader(text).text
    for part in ("Ada", "model-9", run.id, f"nanoconf {__version__}", "They avoid the wall."):
        assert part in words
    assert "simulated" in words and "See Downloads" not in words
    assert TASKS[1].options[2] in words and TASKS[1].question in words
    assert "Skipped." in words and TASKS[0].title not in words
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d [+-]\d{4}", words)
    assert "Salt concentration c (M)" in words and state.texts["salt_concentration"] in words
    (image,) = Reader(text).loaded
    svg = base64.b64decode(image.partition("base64,")[2])
    assert ElementTree.fromstring(svg).tag.endswith("svg")


def test_runs_of_lessons_are_listed_if_this_browser_started_them(state, work):
    system = TASKS[0].setups[0].system
    mine = work.archive.submit(system, RunSettings(duration_ns=0.01, seed=77), owner="me")
    theirs = work.archive.submit(system, RunSettings(duration_ns=0.02), owner="you")
    other = work.archive.submit(SlitSystem(confinement_length=3.123), QUICK, owner="me")
    text = lab_record(state, work)
    assert mine.id in text and "; seed 77, engine " in text
    assert theirs.id not in text and other.id not in text


def test_a_record_without_any_work_says_so(state, work):
    words = Reader(lab_record(state, work)).text
    assert "No lesson has been started." in words and "No figure has been drawn." in words


def test_the_record_is_made_in_the_event_loop_of_a_kernel(state, work):
    async def page():
        return lab_record(state, work)

    assert on_a_page(page).startswith("<!doctype html>")
