"""Lessons without widgets: the open lesson, and a student's predictions and answers.

Everything is stored as plain JSON values in `AppState.lessons`, which the browser keeps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from nanoconf.gui import words
from nanoconf.gui.entered_inputs import texts_of
from nanoconf.gui.status import Status
from nanoconf.gui.tabs.lessons.content import TASKS
from nanoconf.gui.tabs.lessons.lesson_task import Setup, Task
from nanoconf.gui.tabs.registry import LESSONS

if TYPE_CHECKING:
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState

ADDRESS = re.compile(r"#lesson-(\d+)")
"""Fragment of a page's address that opens a lesson."""

LONGEST = 10_000
"""Maximum number of characters stored for each text."""


@dataclass(frozen=True)
class Answers:
    """A student's work on one lesson.

    Attributes
    ----------
    choice : str
        The chosen prediction, one of `Task.options`.
    reasons : str
        Reasons for the prediction.
    skipped : bool
        True if the prediction was skipped.
    answer : str
        Answer to the question.
    revealed : bool
        True if the answer of the lesson has been revealed.
    """

    choice: str = ""
    reasons: str = ""
    skipped: bool = False
    answer: str = ""
    revealed: bool = False

    @property
    def predicted(self) -> bool:
        """True if there is a prediction."""
        return bool(self.choice or self.reasons.strip())

    @property
    def may_set_inputs(self) -> bool:
        """True once the student has predicted, or skipped the prediction."""
        return self.predicted or self.skipped

    @property
    def answered(self) -> bool:
        """True if there is an answer to the question."""
        return bool(self.answer.strip())

    @property
    def begun(self) -> bool:
        """True if the student has entered or skipped anything."""
        return self != Answers()

    @classmethod
    def from_dict(cls, values: Any) -> Answers:
        """Read the values that the browser stored; ignore unknown names and wrong types."""
        values = values if isinstance(values, Mapping) else {}
        kept: dict[str, Any] = {}
        for each in fields(cls):
            value = values.get(each.name, each.default)
            if isinstance(value, type(each.default)):
                kept[each.name] = value[:LONGEST] if isinstance(value, str) else value
        return cls(**kept)


class Lessons:
    """The lessons of a page.

    Parameters
    ----------
    state : AppState
        State of the page, which holds all data.
    """

    def __init__(self, state: AppState):
        self._state = state

    # --- the open lesson --------------------------------------------------------------------

    @property
    def number(self) -> int:
        """Number of the current lesson, from 1."""
        number: Any = self._state.lessons.get("number")
        valid = isinstance(number, int) and 1 <= number <= len(TASKS)
        return number if valid else 1

    @property
    def task(self) -> Task:
        """The current lesson."""
        return TASKS[self.number - 1]

    @property
    def is_open(self) -> bool:
        """True from the moment a lesson is opened until it is closed."""
        return self._state.lessons.get("open") is True

    @property
    def address(self) -> str:
        """Fragment of the page's address that opens the current lesson, if one is open."""
        return address(self.number) if self.is_open else ""

    @property
    def setup(self) -> Setup | None:
        """The last setup that was requested in the current lesson; None if there is none."""
        index: Any = self._state.lessons.get("setup")
        valid = isinstance(index, int) and 0 <= index < len(self.task.setups)
        return self.task.setups[index] if valid else None

    def open(self, number: int) -> None:
        """Display a lesson."""
        kept = {"setup": self._state.lessons.get("setup")} if number == self.number else {}
        self._put(number=number, open=True, **{"setup": None, **kept})
        self._state.tab = LESSONS

    def follow(self, fragment: str) -> None:
        """Open the lesson that the fragment of an address names; ignore other fragments."""
        found = ADDRESS.fullmatch(fragment)
        if found and 1 <= int(found[1]) <= len(TASKS):
            self.open(int(found[1]))

    def back(self) -> None:
        """Return to the current lesson."""
        self._state.tab = LESSONS

    def close(self) -> None:
        """Close the lesson; the answers are kept."""
        self._put(open=False)

    # --- the student's work -----------------------------------------------------------------

    @property
    def name(self) -> str:
        """The student's name; may be empty."""
        name = self._state.lessons.get("name")
        return name[:LONGEST] if isinstance(name, str) else ""

    @name.setter
    def name(self, name: str) -> None:
        self._put(name=name)

    def answers(self, task: Task) -> Answers:
        """Return the student's work on a lesson."""
        stored = self._state.lessons.get("answers")
        return Answers.from_dict(stored.get(task.key) if isinstance(stored, Mapping) else None)

    def write(self, task: Task, **changes: str | bool) -> None:
        """Change the student's work on a lesson; see `Answers` for the names."""
        changed = {**asdict(self.answers(task)), **changes}
        stored = self._state.lessons.get("answers")
        others = stored if isinstance(stored, Mapping) else {}
        self._put(answers={**others, task.key: changed})

    def clear(self) -> None:
        """Delete the name and all answers."""
        self._put(answers={}, name="")

    def _put(self, **changes: Any) -> None:
        changed = {**self._state.lessons, **changes}
        if changed != self._state.lessons:
            self._state.lessons = changed

    # --- the figures ------------------------------------------------------------------------

    def covers(self, setup: Setup) -> bool:
        """Return True if the surrogate predicts a setup, or if it is not loaded yet."""
        card = self._state.model
        return card is None or not card.domain.problems(setup.system)

    def set_up(self, task: Task, index: int, work: Work) -> None:
        """Set the inputs to those of a setup, select its tab, and predict if possible."""
        state, setup = self._state, task.setups[index]
        number = TASKS.index(task) + 1
        state.restore(
            {
                **texts_of(setup.system),
                "duration_ns": f"{setup.duration_ns:g}",
                "target_error": "",
            }
        )
        state.mean_field_wanted = setup.mean_field
        self._put(number=number, open=True, setup=index)
        state.open_tab(setup.tab)
        if not self.covers(setup):
            if not state.simulating:
                state.notice = Status(f"Lesson {number}: {self.run_first()}")
        elif state.shown_tab.with_prediction:
            work.answers.predict()

    def run_first(self) -> str:
        """Return the instruction shown where there is no prediction."""
        time = words.estimate(self._state.estimate)
        press_run = f"Press Run ({time})." if time else "Press Run."
        return f"there is no ML prediction for these inputs. {press_run}"


def address(number: int) -> str:
    """Return the fragment of the page's address that opens a lesson."""
    return f"#lesson-{number}"
