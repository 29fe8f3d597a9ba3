"""Parts of a lesson, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from backend.system import SlitSystem
from nanoconf.gui.figures.plots import ML

SIMULATED_NS = 2.0
"""Length (ns) of the simulations of the lessons."""


@dataclass(frozen=True)
class Setup:
    """Inputs that a button of a lesson sets.

    Attributes
    ----------
    label : str
        Name of the setup.
    system : SlitSystem
        The system.
    tab : str
        Title of the tab or figure that is selected.
    look : str
        What to look at, in one sentence.
    mean_field : bool
        Show Poisson-Boltzmann theory.
    simulation_only : bool
        True if the surrogate is not trained for the system.
    duration_ns : float
        Length of a simulation (ns).
    """

    label: str
    system: SlitSystem
    tab: str
    look: str
    mean_field: bool = False
    simulation_only: bool = False
    duration_ns: float = SIMULATED_NS


@dataclass(frozen=True)
class Cited:
    """A number in an answer, and how to compute it.

    Attributes
    ----------
    text : str
        The number as it appears in the answer, without its unit.
    setup : int
        Index of the setup in the lesson.
    quantity : str
        Name of the quantity, defined in ``test_content.py``.
    source : {"ML", "PB", "MD"}
        The surrogate, Poisson-Boltzmann theory, or a simulation.
    species : {"positive", "negative"}
        The ions.
    over : int, optional
        Index of a setup; the number is the ratio to the same quantity there.
    error : float
        Standard error of a simulated number.
    """

    text: str
    setup: int
    quantity: str
    source: str = ML
    species: str = "positive"
    over: int | None = None
    error: float = 0.0


@dataclass(frozen=True)
class Task:
    """A lesson.

    Attributes
    ----------
    key : str
        Name under which the answers are stored.
    title : str
        Title.
    goal : str
        What the student learns.
    ask : str
        Question that is answered before anything is shown.
    options : tuple of str
        Predictions to choose from.
    setups : tuple of Setup
        Inputs to set, in order.
    look : tuple of str
        What to look at.
    question : str
        Question that is answered at the end.
    answer : str
        The answer; blank lines separate paragraphs.
    criteria : tuple of str
        What a good answer says.
    cited : tuple of Cited
        The computed numbers in the answer.
    """

    key: str
    title: str
    goal: str
    ask: str
    options: tuple[str, ...]
    setups: tuple[Setup, ...]
    look: tuple[str, ...]
    question: str
    answer: str
    criteria: tuple[str, ...]
    cited: tuple[Cited, ...]
