"""Evaluation of a surrogate on simulations."""

from __future__ import annotations

import json

import pytest

from backend.system import SPECIES, InvalidInput, SlitSystem
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.evaluation import evaluate, format_report, unseen
from nanoconf.surrogate.simulations import Simulations


def as_simulated(model: Surrogate, data: Simulations, standard_errors: float) -> Simulations:
    """Data that differ from the prediction by a number of standard errors."""
    halves = model.predict_halves(data.systems)
    density = {
        species: halves.density[:, ion] + standard_errors * data.error[species]
        for ion, species in enumerate(SPECIES)
    }
    return Simulations(data.systems, density, data.error, data.sha256)


def test_an_exact_prediction_has_no_error(model, data):
    metrics = evaluate(model, as_simulated(model, data, 0.0), include_seen=True)
    assert metrics["typical_error"] == metrics["worst_error"] == 0.0
    for species in SPECIES:
        found = metrics[species]["all"]
        assert found["coverage"] == {"tail": 1.0, "contact": 1.0, "middle": 1.0, "all": 1.0}
        for name in ("contact", "mid", "peak"):
            assert found[name]["worst"] == 0.0


def test_noise_is_separated_from_error(model, data):
    metrics = evaluate(model, as_simulated(model, data, 2.0), include_seen=True)
    for species in SPECIES:
        found = metrics[species]["all"]
        assert found["observed"]["median"] == pytest.approx(2 * found["noise"], rel=0.02)
        assert found["beyond"]["median"] == pytest.approx(3**0.5 * found["noise"], rel=0.02)


def test_a_model_is_evaluated_on_systems_outside_its_training_set(model, data):
    assert unseen(model, data) == []
    with pytest.raises(InvalidInput, match="was trained on or calibrated with"):
        evaluate(model, data)
    others = Simulations(
        [SlitSystem(3.1, 1, -1, 0.41, 0.6), *data.systems[1:]],
        data.density,
        data.error,
        data.sha256,
    )
    metrics = evaluate(model, others)
    assert metrics["systems"] == 1
    assert set(metrics["positive"]) == {"all", "1:-1"}


def test_the_card_holds_the_metrics_of_the_validation_set(trained, data):
    card = json.loads((trained / "card.json").read_text())
    held = data[[row for row, key in enumerate(data.keys) if key in card["systems"]["validation"]]]
    assert evaluate(trained, held, include_seen=True) == card["metrics"]
    json.dumps(card["metrics"], allow_nan=False)


def test_the_report_names_its_columns(model, data):
    report = format_report(evaluate(model, data, include_seen=True))
    assert "on 60 systems" in report
    assert "positive  3:-1" in report
    assert "inside the predicted 90 % band" in report
    assert max(map(len, report.splitlines())) <= 120
