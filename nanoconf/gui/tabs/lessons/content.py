"""The lessons, in order.

`tests/nanoconf/gui/tabs/lessons/test_content.py` recomputes every number that an answer cites.
"""

from __future__ import annotations

from nanoconf.gui.tabs.lessons.lesson_task import SIMULATED_NS
from nanoconf.gui.tabs.lessons.lessons_four_to_six import SCREENING, SIZE, TRUST
from nanoconf.gui.tabs.lessons.lessons_one_to_three import CONFINEMENT, CROWDING, VALENCY

INTRODUCTION = (
    "Six short lessons on ions between two walls. In each, predict first, then set the inputs, "
    "look at the figure, and answer a question."
)

STORED = "Your answers are stored in this browser."

TASKS = (CROWDING, VALENCY, CONFINEMENT, SCREENING, SIZE, TRUST)
"""All lessons, in order."""

TYPICAL_ERRORS = {
    ("confinement", 2): 0.11,
    ("screening", 0): 0.28,
    ("screening", 1): 0.25,
    ("screening", 2): 0.42,
    ("size", 2): 0.18,
    ("trust", 1): 0.59,
}
"""Median standard errors (%) of the profiles of the simulations that the answers cite."""


def cited_runs() -> list[str]:
    """Describe the simulations that the answers cite."""
    tasks = {task.key: (number, task) for number, task in enumerate(TASKS, 1)}
    return [
        f"Lesson {tasks[key][0]}, {tasks[key][1].setups[setup].label}: "
        f"{SIMULATED_NS:g} ns, seed 1, median standard error of the profiles {error:g} %"
        for (key, setup), error in TYPICAL_ERRORS.items()
    ]
