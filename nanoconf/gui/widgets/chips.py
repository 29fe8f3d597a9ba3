"""Chips: small labels that name the system of a curve or a picture."""

from __future__ import annotations

from html import escape

from nanoconf.gui import words
from nanoconf.gui.figures.plots import ML
from nanoconf.gui.state import AppState, MachineLearning, Simulation

DIFFERENT = "different inputs"


def simulation_chip(state: AppState, simulation: Simulation) -> str:
    """Return a label with the simulated system and time, and any warnings."""
    text = f"{words.describe(simulation.system)}, {words.shown_length(simulation)}"
    marks = _marks(state.is_stale(simulation))
    if words.not_converged(simulation):
        marks.append(words.NOT_CONVERGED)
    return _chip("MD, stored" if simulation.stored else "MD", "md", text, marks)


def prediction_chip(state: AppState, prediction: MachineLearning) -> str:
    """Return a label with the predicted system, marked if the inputs differ."""
    return _chip(ML, "ml", words.describe(prediction.system), _marks(state.is_stale(prediction)))


def _marks(stale: bool) -> list[str]:
    return [DIFFERENT] if stale else []


def refusal_chip(reason: str) -> str:
    """Return a label with the reason for a missing prediction."""
    parts = " ".join(_whole(word) for word in reason.split())
    return f"<span class='nc-chip nc-stale' role='note' title='{escape(reason)}'>{parts}</span>"


def _chip(name: str, kind: str, text: str, marks: list[str]) -> str:
    """Return a label as HTML.

    A label that is too long ends with an ellipsis between two parts, so the marks come first.
    """
    title = ", ".join([name, *marks])
    classes = f"nc-chip nc-{kind}" + (" nc-stale" if DIFFERENT in marks else "")
    noted = "".join(f" <em>{mark}</em>" for mark in marks)
    parts = " ".join(_whole(part) for part in text.replace(", ", ",\n").splitlines())
    return (
        f"<span class='{classes}' title='{escape(f'{title}: {text}')}'>"
        f"<b>{name}</b>{noted} {parts}</span>"
    )


def _whole(part: str) -> str:
    """Return a part that is shown either whole or not at all."""
    return f"<span>{escape(part)}</span>"
