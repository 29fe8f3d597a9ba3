"""About: the physics, the accuracy of the model, and the citation."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from backend import __version__
from backend.keeper.learning import obstacle
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState

if TYPE_CHECKING:
    from nanoconf.surrogate.card import Card

SURROGATE = "<!-- the surrogate -->"
"""Placeholder for the model's card in ``about.html``."""


class AboutPanel(widgets.VBox):
    """Introduction for students, the model with its accuracy, and the citation."""

    def __init__(self, state: AppState, _work: Work):
        self._state = state
        text = Path(__file__).with_name("about.html").read_text(encoding="utf-8")
        before, _, after = text.replace("VERSION", escape(__version__)).partition(SURROGATE)
        self.model = widgets.HTML()
        super().__init__([widgets.HTML(before), self.model, widgets.HTML(after)])
        self.add_class("nc-about")
        state.observe(self._show, "model")
        self._show()

    def _show(self, _change: Any = None) -> None:
        card = self._state.model
        self.model.value = "" if card is None else about_model(card)


def about_model(card: Card) -> str:
    """Return a model's card as an HTML table."""
    rows = [("Name", card.name), *_training(card), *_accuracy(card), *_retraining()]
    cells = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in rows)
    return f"<h3>The surrogate</h3><table>{cells}</table>"


def _training(card: Card) -> list[tuple[str, str]]:
    rows = [("Training set", f"{card.data.training.simulations} simulations")]
    for name, trained in card.domain.ranges.items():
        field = FIELDS[name]
        low, high = field.text(trained.low), field.text(trained.high)
        text = low if low == high else f"{low} – {high}"
        rows.append((field.title, f"{text} {field.unit}".rstrip()))
    return rows


def _accuracy(card: Card) -> list[tuple[str, str]]:
    metrics = card.metrics
    if metrics is None:
        return []
    error = words.percent(metrics.typical_error)
    rows = [("Typical error", f"{error} (median relative L2 error on the test set)")]
    for ion, scores in (("positive", metrics.positive), ("negative", metrics.negative)):
        found = scores["all"]
        inside = f"{found.coverage['all']:.0%}".replace("%", " %")
        text = (
            f"profile error: median {words.percent(found.observed.median)}, "
            f"largest {words.percent(found.observed.worst)}, "
            f"including simulation noise of {words.percent(found.noise)}; "
            f"contact density error: median {words.percent(found.contact.median)}; "
            f"{inside} of points lie within the 90 % band"
        )
        rows.append((f"{ion.capitalize()} ions", text))
    return rows


def _retraining() -> list[tuple[str, str]]:
    line = obstacle()
    return [("Retraining", f"Off: {line}")] if line else []
