"""The card of a model as a table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from backend.keeper.learning import obstacle
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS

if TYPE_CHECKING:
    from nanoconf.surrogate.card import Card


def about_model(card: Card) -> str:
    """Return a model's card as an HTML table."""
    return as_table([*model_rows(card), *_retraining()])


def as_table(rows: list[tuple[str, str]]) -> str:
    """Return rows of `model_rows` as an HTML table."""
    cells = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in rows)
    return f"<h3>The surrogate</h3><table>{cells}</table>"


def model_rows(card: Card) -> list[tuple[str, str]]:
    """Return the rows of the table: a term and its explanation; the first is the name."""
    return [("Name", card.name), *_training(card), *_accuracy(card)]


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
