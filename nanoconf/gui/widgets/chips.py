"""Chips: small labels that name the system of a curve or a picture."""

from __future__ import annotations

from html import escape

from nanoconf.gui import words
from nanoconf.gui.figures.plots import ML
from nanoconf.gui.state import AppState, MachineLearning, Simulation


def simulation_chip(state: AppState, simulation: Simulation) -> str:
    """Return a label with the simulated system and time, marked if the inputs differ."""
    length = words.nanoseconds(words.simulated_ns(simulation))
    text = f"{words.describe(simulation.system)}, {length}"
    stale = not state.is_current(simulation.system)
    return _chip("MD, stored" if simulation.stored else "MD", "md", text, stale=stale)


def prediction_chip(state: AppState, prediction: MachineLearning) -> str:
    """Return a label with the predicted system, marked if the inputs differ."""
    text = words.describe(prediction.system)
    return _chip(ML, "ml", text, stale=not state.is_current(prediction.system))


def refusal_chip(reason: str) -> str:
    """Return a label with the reason for a missing prediction."""
    return f"<span class='nc-chip nc-stale' role='note'>{escape(reason)}</span>"


def _chip(name: str, kind: str, text: str, *, stale: bool) -> str:
    note = "<em>different inputs</em>" if stale else ""
    classes = f"nc-chip nc-{kind}" + (" nc-stale" if stale else "")
    return f"<span class='{classes}'><b>{name}</b>{escape(text)}{note}</span>"
