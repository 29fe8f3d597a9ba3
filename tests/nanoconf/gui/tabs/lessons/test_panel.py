"""The Lessons tab and the strip without a browser."""

from __future__ import annotations

import pytest

from nanoconf.gui.tabs.lessons.content import TASKS
from nanoconf.gui.tabs.lessons.model import Lessons
from nanoconf.gui.tabs.lessons.panel import LessonsPanel
from nanoconf.gui.tabs.lessons.strip import LessonStrip
from nanoconf.gui.tabs.registry import LESSONS, POSITIVE

FIRST = TASKS[0]


@pytest.fixture
def panel(state, work) -> LessonsPanel:
    state.tab = LESSONS
    return LessonsPanel(state, work)


def shown(panel):
    (task,) = panel.place.children
    return task


def test_the_model_answer_is_revealed_only_after_the_student_answers_or_skips(panel):
    task = shown(panel)
    assert all(button.disabled for button in (*task.setups, task.reveal))
    assert FIRST.answer[:40] not in task.revealed.value
    task.choice.value = FIRST.options[1]
    assert not any(button.disabled for button in task.setups)
    task.answer.value = "Because of their size."
    assert not task.reveal.disabled
    task.reveal.click()
    assert (
        FIRST.answer[:40] in task.revealed.value and FIRST.criteria[0][:20] in task.revealed.value
    )
    assert task.reveal.disabled and task.skip_answer.disabled
    assert "<small>done</small>" in panel.list.value


def test_prediction_and_question_can_be_skipped(panel):
    task = shown(panel)
    task.skip.click()
    assert not any(button.disabled for button in task.setups)
    task.skip_answer.click()
    assert FIRST.answer[:40] in task.revealed.value


def test_each_lesson_keeps_its_own_answers(state, panel):
    shown(panel).answer.value = "first"
    panel.lessons.open(2)
    second = shown(panel)
    assert second.answer.value == "" and second.task is TASKS[1]
    second.answer.value = "second"
    panel.lessons.open(1)
    assert shown(panel).answer.value == "first"
    stored = state.lessons["answers"]
    assert [stored[task.key]["answer"] for task in TASKS[:2]] == ["first", "second"]


def test_the_list_links_to_all_lessons_and_marks_the_current_one(panel):
    panel.lessons.open(3)
    for number in range(1, len(TASKS) + 1):
        assert f"href='#lesson-{number}'" in panel.list.value
    assert panel.list.value.count("aria-current") == 1
    assert "href='#lesson-3' aria-current='step'" in panel.list.value
    assert "'#lesson-2'>← Previous" in panel.steps.value
    assert "'#lesson-4'>Next" in panel.steps.value


def test_answers_are_deleted_when_the_button_is_pressed_twice(panel):
    documents = panel.children[-1]
    shown(panel).answer.value = "mine"
    documents.name.value = "Ada"
    documents.clear.click()
    assert shown(panel).answer.value == "mine"
    assert documents.clear.description == "Press again to delete"
    documents.clear.click()
    assert shown(panel).answer.value == "" and documents.name.value == ""
    assert documents.clear.description == "Delete my answers"


def test_documents_are_delivered_to_the_browser(panel, state):
    handed = {}
    state.deliver = lambda name, content, kind: handed.update({name: (content.decode(), kind)})
    documents = panel.children[-1]
    for button in (documents.record, *documents.sheets):
        button.click()
    assert list(handed) == ["lab_record.html", "worksheet.html", "worksheet_with_answers.html"]
    assert all(kind == "text/html" for _, kind in handed.values())
    assert FIRST.criteria[0] not in handed["worksheet.html"][0]
    assert FIRST.criteria[0] in handed["worksheet_with_answers.html"][0]


def test_the_strip_is_shown_beside_a_figure_until_the_lesson_is_closed(state, work):
    strip, lessons = LessonStrip(state), Lessons(state)
    assert strip.layout.display == "none"
    state.tab = POSITIVE
    assert strip.layout.display == "none"  # no lesson is open
    lessons.set_up(FIRST, 0, work)
    assert strip.layout.display is None and "Lesson 1" in strip.text.value
    assert FIRST.setups[0].look[:20] in strip.text.value
    strip.back.click()
    assert state.tab == LESSONS and strip.layout.display == "none"
    state.tab = POSITIVE
    state.type("salt_concentration", "0.77")
    assert "the inputs have been changed" in strip.text.value
    strip.end.click()
    assert strip.layout.display == "none" and not lessons.is_open
