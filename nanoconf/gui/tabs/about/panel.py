"""What this is, what it is worth, and how to cite it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from backend import __version__
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState

if TYPE_CHECKING:
    from nanoconf.surrogate.card import Card

SURROGATE = "<!-- the surrogate -->"
"""Where in ``about.html`` the model's card is told."""


class AboutPanel(widgets.VBox):
    """The physics in words a student follows; the model with its accuracy; how to cite."""

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
    """What a model's card says of it, as HTML."""
    rows = [("Name", card.name), *_learnt(card), *_accuracy(card)]
    cells = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in rows)
    return f"<h3>The surrogate</h3><table>{cells}</table>"


def _learnt(card: Card) -> list[tuple[str, str]]:
    rows = [("Learnt from", f"{card.data.training.simulations} simulations")]
    for name, learnt in card.domain.ranges.items():
        field = FIELDS[name]
        low, high = field.text(learnt.low), field.text(learnt.high)
        text = low if low == high else f"{low} – {high}"
        rows.append((field.title, f"{text} {field.unit}".rstrip()))
    return rows


def _accuracy(card: Card) -> list[tuple[str, str]]:
    metrics = card.metrics
    if metrics is None:
        return []
    error = words.percent(metrics.typical_error)
    rows = [("Typical error", f"{error} (median relative L2 error on unseen simulations)")]
    for ion, scores in (("positive", metrics.positive), ("negative", metrics.negative)):
        found = scores["all"]
        text = (
            f"profile {words.percent(found.observed.median)}, "
            f"worst {words.percent(found.observed.worst)}, "
            f"of which the simulations' own noise is {words.percent(found.noise)}; "
            f"contact density {words.percent(found.contact.median)}; "
            f"{found.coverage['all']:.0%} of points lie within the 90 % band"
        )
        rows.append((f"{ion.capitalize()} ions", text))
    return rows
