"""Lab record: one HTML file with a student's answers, the inputs, the runs and the figures."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from backend import __version__
from backend.runs.run import RUN_ERRORS
from backend.runs.run_state import RunState
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.figures.figure_files import figure_file
from nanoconf.gui.figures.plots import Plot
from nanoconf.gui.tabs.lessons.content import TASKS
from nanoconf.gui.tabs.lessons.document import document, heading, paragraphs, table
from nanoconf.gui.tabs.lessons.lesson_task import Task
from nanoconf.gui.tabs.lessons.model import Answers, Lessons

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState, Simulation

TITLE = "Lab record: ions in nanoconfinement"

MAXIMUM_RUNS = 50

RUN_HEAD = ("Run", "System", "Simulation")


def lab_record(state: AppState, work: Work) -> str:
    """Return the lab record as HTML. All entered text is escaped."""
    lessons = Lessons(state)
    body = [
        heading(1, TITLE),
        table((), _facts(state, lessons)),
        *_lessons(lessons),
        heading(2, "Inputs on the page"),
        table((), _inputs(state)),
        *_shown(state),
        heading(2, "Simulations"),
        _runs(state, work),
        heading(2, "Figures"),
        *_figures(state),
    ]
    return document(TITLE, "\n".join(body))


def _facts(state: AppState, lessons: Lessons) -> list[tuple[str, str]]:
    name = [("Name", lessons.name)] if lessons.name.strip() else []
    model = "not loaded" if state.model is None else state.model.name
    return [
        *name,
        ("Date", time.strftime("%Y-%m-%d %H:%M %z")),
        ("Program", f"nanoconf {__version__}"),
        ("Surrogate", model),
    ]


# --- the lessons ----------------------------------------------------------------------------


def _lessons(lessons: Lessons) -> Iterator[str]:
    begun = False
    for number, task in enumerate(TASKS, 1):
        answers = lessons.answers(task)
        if answers.begun:
            begun = True
            yield heading(2, f"Lesson {number}: {task.title}")
            yield _answers(task, answers)
    if not begun:
        yield heading(2, "Lessons") + "<p>No lesson has been started.</p>"


def _answers(task: Task, answers: Answers) -> str:
    guess = "\n".join(filter(None, (answers.choice, answers.reasons.strip())))
    missing = "Skipped." if answers.skipped else "No prediction."
    revealed = "was revealed" if answers.revealed else "was not revealed"
    return "".join(
        [
            heading(3, "Prediction"),
            paragraphs(task.ask),
            _written(guess, missing),
            heading(3, "Answer"),
            paragraphs(task.question),
            _written(answers.answer, "No answer."),
            f'<p class="quiet">The model answer {revealed}.</p>',
        ]
    )


def _written(text: str, missing: str) -> str:
    text = text.strip()
    return f'<div class="written">{escape(text)}</div>' if text else f"<p>{missing}</p>"


# --- the page -------------------------------------------------------------------------------


def _inputs(state: AppState) -> list[tuple[str, str]]:
    rows = []
    for name, field in FIELDS.items():
        text = state.texts[name].strip() or "empty"
        problem = state.problems.get(name)
        rows.append((field.label, f"{text} (invalid: {problem})" if problem else text))
    return rows


def _shown(state: AppState) -> Iterator[str]:
    """Return the status of the simulation and the prediction on screen."""
    run, prediction = state.simulation, state.prediction
    if run is not None:
        yield f"<p>Simulation {run.run_id}: {escape(_outcome(state, run))}</p>"
    if prediction is not None:
        yield f"<p>ML prediction of {escape(words.describe(prediction.system))}</p>"


def _outcome(state: AppState, run: Simulation) -> str:
    """Return the status of a run; for a finished run, omit the advice on what to do next."""
    text = words.status(run, stale=state.is_stale(run))
    return text.partition(". ")[0] + "." if run.state == RunState.DONE else text


def _runs(state: AppState, work: Work) -> str:
    rows = [_row(run) for run in _relevant(state, work)]
    return table(RUN_HEAD, rows) if rows else "<p>None.</p>"


def _relevant(state: AppState, work: Work) -> list[Run]:
    """Return the run on screen, and this browser's runs of the systems of the lessons."""
    systems = [setup.system for task in TASKS for setup in task.setups]
    shown = "" if state.simulation is None else state.simulation.run_id
    found = []
    for run in work.archive.runs():
        try:
            wanted = run.id == shown or (work.owns(run) and run.system in systems)
        except RUN_ERRORS:
            continue  # written by a version with different limits
        if wanted:
            found.append(run)
        if len(found) == MAXIMUM_RUNS:
            break
    return found


def _row(run: Run) -> tuple[str, ...]:
    settings = run.settings
    about = (
        f"{words.run_length(run)}, {run.state}",
        f"seed {settings.seed}, engine {settings.engine}, version {run.version or __version__}",
        f"created {run.created[:16].replace('T', ' ')} UTC",
    )
    return run.id, words.describe(run.system, full=True), "; ".join(about)


# --- figures --------------------------------------------------------------------------------


def _figures(state: AppState) -> Iterable[str]:
    plots = [plot for plot in (make() for make in state.drawn.values()) if plot.curves]
    if not plots:
        return ["<p>No figure has been drawn.</p>"]
    return [_figure(plot) for plot in plots]


def _figure(plot: Plot) -> str:
    data = base64.b64encode(figure_file(plot, "svg")).decode()
    caption = ". ".join([plot.title, *plot.origin.lines()])
    return (
        f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{escape(plot.as_text())}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
