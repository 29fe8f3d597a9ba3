"""Lessons: a list of the lessons, the current lesson, and documents to download."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui import words
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.lessons.content import INTRODUCTION, STORED, TASKS
from nanoconf.gui.tabs.lessons.document import bullets, paragraphs
from nanoconf.gui.tabs.lessons.lesson_task import Setup, Task
from nanoconf.gui.tabs.lessons.model import Lessons, address
from nanoconf.gui.widgets.controls import small_button

HTML_FILE = "text/html"


class LessonsPanel(widgets.VBox):
    """List of the lessons with their progress, the current lesson, and the downloads."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        self.lessons = Lessons(state)
        self._tasks: dict[int, TaskPanel] = {}
        self.list = widgets.HTML()
        self.place = widgets.VBox().add_class("nc-lesson-place")
        self.steps = widgets.HTML()
        introduction = widgets.HTML(paragraphs(f"{INTRODUCTION} {STORED}"))
        super().__init__(
            [introduction, self.list, self.place, self.steps, DocumentsPanel(state, work)]
        )
        self.add_class("nc-lessons")
        state.observe(self._show, "lessons")
        self._show()

    def _show(self, _change: Any = None) -> None:
        self.list.value = progress_list(self.lessons)
        self.steps.value = neighbours(self.lessons.number)
        shown = (self._task(self.lessons.number),)
        if self.place.children != shown:
            self.place.children = shown

    def _task(self, number: int) -> TaskPanel:
        if number not in self._tasks:
            self._tasks[number] = TaskPanel(self._state, self._work, number)
        return self._tasks[number]


def progress_list(lessons: Lessons) -> str:
    """Return links to all lessons as HTML, with the progress of each."""
    rows = []
    for number, task in enumerate(TASKS, 1):
        answers = lessons.answers(task)
        done = "done" if answers.revealed else "started" if answers.begun else ""
        mark = f" <small>{done}</small>" if done else ""
        current = " aria-current='step'" if number == lessons.number else ""
        title = f"{number}. {escape(task.title)}{mark}"
        rows.append(f"<li><a href='{address(number)}'{current}>{title}</a></li>")
    return f"<nav aria-label='Lessons'><ul>{''.join(rows)}</ul></nav>"


def neighbours(number: int) -> str:
    """Return links to the previous and the next lesson, and to the current one, as HTML."""
    links = []
    if number > 1:
        links.append(f"<a href='{address(number - 1)}'>← Previous lesson</a>")
    if number < len(TASKS):
        links.append(f"<a href='{address(number + 1)}'>Next lesson →</a>")
    links.append(f"<a href='{address(number)}'>Link to this lesson</a>")
    return f"<nav aria-label='Lesson links'>{' '.join(links)}</nav>"


class TaskPanel(widgets.VBox):
    """One lesson: predict, set the inputs, look, answer, compare.

    Parameters
    ----------
    state : AppState
        State of the page.
    work : Work
        Services of the page.
    number : int
        Number of the lesson, from 1.
    """

    def __init__(self, state: AppState, work: Work, number: int):
        self._state, self._work = state, work
        self.task, self.lessons = TASKS[number - 1], Lessons(state)
        task = self.task
        self.choice = widgets.RadioButtons(options=task.options, value=None)
        self.reasons = self._text("Your reasons (optional)", "reasons")
        self.skip = small_button(
            "Skip the prediction", "Set the inputs without predicting first", self._skip
        )
        self.setups = [
            small_button(f"Set the inputs: {setup.label}", self._about(setup), self._setter(i))
            for i, setup in enumerate(task.setups)
        ]
        self.notes = [widgets.HTML().add_class("nc-note") for _ in task.setups]
        self.answer = self._text("Your answer", "answer")
        self.reveal = small_button(
            "Show the answer", "Compare your answer with the model answer", self._reveal
        )
        self.skip_answer = small_button("Skip to the answer", "Skip the question", self._reveal)
        self.revealed = widgets.HTML().add_class("nc-revealed")
        super().__init__(self._parts(number))
        self.add_class("nc-lesson")
        self.choice.observe(self._chosen, "value")
        state.observe(self._show, ["lessons", "model"])
        self._show()

    def _parts(self, number: int) -> list[widgets.Widget]:
        task = self.task
        rows = [
            widgets.HBox(pair).add_class("nc-setup")
            for pair in zip(self.setups, self.notes, strict=True)
        ]
        return [
            widgets.HTML(f"<h3>Lesson {number}: {escape(task.title)}</h3>{paragraphs(task.goal)}"),
            widgets.HTML(f"<h4>Predict first</h4>{paragraphs(task.ask)}"),
            self.choice,
            self.reasons,
            self.skip,
            widgets.HTML("<h4>Set the inputs</h4>"),
            *rows,
            widgets.HTML(f"<h4>What to look for</h4>{bullets(task.look)}"),
            widgets.HTML(f"<h4>Question</h4>{paragraphs(task.question)}"),
            self.answer,
            widgets.HBox([self.reveal, self.skip_answer]).add_class("nc-setup"),
            self.revealed,
        ]

    def _text(self, label: str, name: str) -> widgets.Textarea:
        area = widgets.Textarea(description=label, rows=3)
        area.observe(lambda change: self.lessons.write(self.task, **{name: change["new"]}), "value")
        return area

    def _about(self, setup: Setup) -> str:
        return f"{words.describe(setup.system)}; opens {setup.tab}"

    def _setter(self, index: int) -> Callable[[], None]:
        return lambda: self.lessons.set_up(self.task, index, self._work)

    def _chosen(self, change: dict[str, Any]) -> None:
        self.lessons.write(self.task, choice=change["new"] or "")

    def _skip(self) -> None:
        self.lessons.write(self.task, skipped=True)

    def _reveal(self) -> None:
        self.lessons.write(self.task, revealed=True)

    def _show(self, _change: Any = None) -> None:
        answers = self.lessons.answers(self.task)
        self.choice.value = answers.choice if answers.choice in self.task.options else None
        self.reasons.value, self.answer.value = answers.reasons, answers.answer
        self.skip.disabled = answers.may_set_inputs
        for button, note, setup in zip(self.setups, self.notes, self.task.setups, strict=True):
            button.disabled = not answers.may_set_inputs
            note.value = escape(self._note(setup, ready=answers.may_set_inputs))
        self.reveal.disabled = answers.revealed or not answers.answered
        self.skip_answer.disabled = answers.revealed
        self.revealed.value = revealed(self.task) if answers.revealed else ""

    def _note(self, setup: Setup, *, ready: bool) -> str:
        if not ready:
            return "Predict first, or skip the prediction."
        how = "predicted at once" if self.lessons.covers(setup) else "simulation only: press Run"
        return f"{words.describe(setup.system)}: {how}"


def revealed(task: Task) -> str:
    """Return the answer and the criteria of a lesson as HTML."""
    return f"<h4>Answer</h4>{paragraphs(task.answer)}<h4>A good answer</h4>{bullets(task.criteria)}"


class DocumentsPanel(widgets.VBox):
    """Buttons for the lab record and the worksheets, with the student's name."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work, self._lessons = state, work, Lessons(state)
        self.name = widgets.Text(description="Your name (for the lab record)")
        self.record = small_button(
            "Lab record", "Your answers, inputs, runs and figures in one HTML file", self._record
        )
        self.sheets = [
            small_button(title, about, self._sender(answers))
            for answers, title, about in (
                (False, "Worksheet", "All lessons with space for answers, to print"),
                (True, "Worksheet with answers", "All lessons with answers, for teachers"),
            )
        ]
        self.clear = small_button("Delete my answers", "Delete all answers", self._clear)
        self._confirming = False
        buttons = widgets.HBox([self.record, *self.sheets, self.clear]).add_class("nc-setup")
        super().__init__([widgets.HTML("<h3>Documents</h3>"), self.name, buttons])
        self.add_class("nc-lesson")
        self.name.observe(self._named, "value")
        state.observe(self._show, "lessons")
        self._show()

    def _show(self, _change: Any = None) -> None:
        self.name.value = self._lessons.name
        self._confirm(False)

    def _named(self, change: dict[str, Any]) -> None:
        self._lessons.name = change["new"]

    def _clear(self) -> None:
        """Delete all answers when the button is pressed twice."""
        confirmed = self._confirming
        self._confirm(not confirmed)
        if confirmed:
            self._lessons.clear()

    def _confirm(self, wanted: bool) -> None:
        self._confirming = wanted
        self.clear.description = "Press again to delete" if wanted else "Delete my answers"

    def _record(self) -> None:
        from nanoconf.gui.tabs.lessons.record import lab_record

        self._deliver("lab_record.html", lambda: lab_record(self._state, self._work))

    def _sender(self, answers: bool) -> Callable[[], None]:
        from nanoconf.gui.tabs.lessons.worksheet import worksheet

        name = "worksheet_with_answers.html" if answers else "worksheet.html"
        return lambda: self._deliver(name, lambda: worksheet(answers=answers))

    def _deliver(self, name: str, make: Callable[[], str]) -> None:
        try:
            self._state.deliver(name, make().encode(), HTML_FILE)
        except (OSError, RuntimeError, ValueError) as error:
            message = f"{name} could not be created: {words.one_line(error)}"
            self._state.report_failure(message)
