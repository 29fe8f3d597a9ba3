"""Printable worksheet with all lessons, for students or, with answers, for their teacher."""

from __future__ import annotations

from nanoconf.gui import words
from nanoconf.gui.tabs.lessons.content import INTRODUCTION, TASKS, cited_runs
from nanoconf.gui.tabs.lessons.document import bullets, document, heading, paragraphs
from nanoconf.gui.tabs.lessons.lesson_task import Setup, Task

LINES, LONG_LINES = 2, 6
"""Numbers of empty lines for a prediction and for an answer."""


def worksheet(*, answers: bool) -> str:
    """Return the worksheet as HTML.

    Parameters
    ----------
    answers : bool
        Print the answers and the criteria for good answers instead of empty lines.
    """
    title = "Ions in nanoconfinement: worksheet" + (" with answers" if answers else "")
    fields = "" if answers else "<p>Name: ______________________ Date: ______________</p>"
    tasks = (_task(i, task, answers) for i, task in enumerate(TASKS, 1))
    body = [heading(1, title), fields, paragraphs(INTRODUCTION), *tasks]
    if answers:
        body.append(heading(2, "Simulations cited") + bullets(cited_runs()))
    return document(title, "\n".join(body))


def _task(number: int, task: Task, answers: bool) -> str:
    parts = [
        heading(2, f"Lesson {number}: {task.title}"),
        paragraphs(task.goal),
        heading(3, "Predict first"),
        paragraphs(task.ask),
        bullets(task.options, "options"),
        "" if answers else _space(LINES),
        heading(3, "Set the inputs"),
        bullets(map(setup_line, task.setups)),
        heading(3, "What to look for"),
        bullets(task.look),
        heading(3, "Question"),
        paragraphs(task.question),
    ]
    if answers:
        parts += [
            f'<div class="answer">{heading(3, "Answer")}{paragraphs(task.answer)}'
            f"{heading(3, 'A good answer')}{bullets(task.criteria)}</div>"
        ]
    else:
        parts.append(_space(LONG_LINES))
    page = ' class="page"' if number > 1 else ""
    return f"<section{page}>{''.join(parts)}</section>"


def setup_line(setup: Setup) -> str:
    """Describe a setup by its inputs and its tab."""
    theory = ", with Poisson-Boltzmann theory" if setup.mean_field else ""
    run = f"; simulate for {setup.duration_ns:g} ns" if setup.simulation_only else ""
    return f"{setup.label}: {words.describe(setup.system)} ({setup.tab}{theory}{run})"


def _space(lines: int) -> str:
    return '<div class="space"></div>' * lines
