"""Reading and writing of the card of a model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from backend.files import read_json
from nanoconf.surrogate.card import CARD, KIND, Card, Promotion
from nanoconf.surrogate.lifecycle.registry import package_models

RETRAINED = Path(__file__).parents[2] / "fixtures" / "home" / "models" / "model-4"
SHIPPED = package_models() / "model-3"


@pytest.mark.parametrize("folder", [SHIPPED, RETRAINED], ids=["shipped", "retrained"])
def test_a_card_is_written_unchanged_after_reading(folder: Path, tmp_path):
    card = Card.load(folder)
    card.save(tmp_path)
    assert (tmp_path / CARD).read_bytes() == (folder / CARD).read_bytes()
    assert card.other == {}


def test_a_card_is_read_into_typed_sections():
    card = Card.load(RETRAINED)
    assert (card.domain.ranges["salt_concentration"].low, card.domain.fixed["wall"]) == (0.3, "ion")
    assert (card.data.training.systems, card.data.archive_runs) == (3422, 3)
    assert card.promotion == Promotion(
        promoted=False,
        against="model-3",
        reason="worse than model-3 by 0.063% (relative L2 error)",
        difference=0.0006334856561433941,
        probability_worse=1.0,
        coverage=0.8990239367882873,
    )
    assert card.metrics is not None
    assert card.metrics.typical_error == 0.002844
    assert (
        card.metrics.negative["3:-1"].observed.worst
        == read_json(RETRAINED / CARD)["metrics"]["negative"]["3:-1"]["observed"]["worst"]
    )
    assert len(card.systems.validation) == 100


def test_a_card_from_an_earlier_version_lacks_the_metrics_of_both_ions():
    card = Card.load(SHIPPED)
    assert card.metrics is not None and card.metrics.both == {}
    assert card.promotion is None and card.data.archive_runs is None


def test_keys_from_a_later_version_are_kept():
    values = read_json(SHIPPED / CARD) | {"licence": "CC0"}
    card = Card.from_dict(values)
    assert card.other == {"licence": "CC0"}
    assert replace(card, name="other").to_dict() == values | {"name": "other"}


def test_a_card_of_another_kind_is_kept_unchanged():
    values = {"name": "model-1", "kind": "half-slit-bins", "created": "2026", "data": {"rows": 3}}
    card = Card.from_dict(values)
    assert (card.name, card.data.training.systems) == ("model-1", 0)
    assert card.to_dict() == values


@pytest.mark.parametrize(
    "values",
    [{"name": "1", "kind": KIND}, {"name": "1"}, [], {"name": "1", "kind": KIND, "data": 3}],
)
def test_an_incomplete_card_is_refused(values):
    with pytest.raises(ValueError, match="incomplete"):
        Card.from_dict(json.loads(json.dumps(values)))
