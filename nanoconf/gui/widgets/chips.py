"""Chips: small labels that say which system a curve or a picture belongs to."""

from __future__ import annotations

from html import escape

from nanoconf.gui import words
from nanoconf.gui.figures.plots import ML
from nanoconf.gui.state import AppState, MachineLearning, Simulation


def simulation_chip(state: AppState, simulation: Simulation) -> str:
    """Which system was simulated, for how long, and whether the inputs are others by now."""
    length = words.nanoseconds(words.simulated_ns(simulation))
    text = f"{words.describe(simulation.system)}, {length}"
    stale = not state.is_current(simulation.system)
    return _chip("MD, stored" if simulation.stored else "MD", "md", text, stale=stale)


def prediction_chip(state: AppState, prediction: MachineLearning) -> str:
    """Which system was predicted, and whether the inputs are others by now."""
    text = words.describe(prediction.system)
    return _chip(ML, "ml", text, stale=not state.is_current(prediction.system))


def refusal_chip(reason: str) -> str:
    """Why there is no prediction."""
    return f"<span class='nc-chip nc-stale' role='note'>{escape(reason)}</span>"


def _chip(name: str, kind: str, text: str, *, stale: bool) -> str:
    note = "<em>not the inputs at the left</em>" if stale else ""
    classes = f"nc-chip nc-{kind}" + (" nc-stale" if stale else "")
    return f"<span class='{classes}'><b>{name}</b>{escape(text)}{note}</span>"
