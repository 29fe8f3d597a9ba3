"""Training of a surrogate: its data, its accuracy and its files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backend.profiles.bins import HALF
from backend.system import SPECIES, InvalidInput
from nanoconf.data import dataset
from nanoconf.data.published import KEPT_OUT
from nanoconf.surrogate.simulations import system_key
from nanoconf.surrogate.training import split, train
from tests.support.synthetic import EPOCHS, profile, random_systems, synthetic_rows


def test_the_validation_set_has_systems_of_every_valency_with_all_their_simulations(data):
    held = split(data, seed=5)
    assert len(data) == 65 and len(set(data.keys)) == 60
    assert len(held) == 6
    assert {key.split()[1] for key in held} == {"1", "2", "3"}
    assert held == split(data, seed=5) != split(data, seed=6)


def test_a_model_folder_is_complete_and_describes_itself(trained, data):
    assert {path.name for path in trained.iterdir()} == {
        "profiles.keras",
        "profiles.tflite",
        "card.json",
    }
    assert [path.name for path in trained.parent.iterdir()] == ["first"]
    card = json.loads((trained / "card.json").read_text())
    assert card["name"] == "first"
    assert {card["data"][part]["sha256"] for part in ("training", "validation")} == {data.sha256}
    assert sum(card["data"][part]["systems"] for part in ("training", "validation")) == 60
    assert card["training"]["seed"] == 3
    assert set(card["systems"]["validation"]).isdisjoint(card["systems"]["training"])
    assert {"tensorflow", "keras", "ai-edge-litert"} < set(card["packages"])


def test_training_lowers_the_loss(model):
    for name in ("training_loss", "validation_loss"):
        curve = model.card.training[name]
        assert curve["epoch"][0] == 1
        assert curve["epoch"][-1] == EPOCHS
        assert curve["loss"][-1] < 0.2 * curve["loss"][0]  # 0.05 and 0.14


def test_training_averages_out_the_noise_of_the_data(model):
    """The noise is 1 % of the mean density in every bin."""
    for system in random_systems(20):
        prediction = model.predict(system)
        for species in SPECIES:
            true = profile(system, species)
            found = getattr(prediction, species).density[:HALF]
            # 0.4 % at most
            assert np.linalg.norm(found - true) < 0.008 * np.linalg.norm(true)


def test_published_systems_and_the_validation_set_are_not_trained_on(tmp_path, data_folder):
    rows = synthetic_rows(60)
    for row in rows[:2]:
        row |= KEPT_OUT[0].to_dict()
    dataset.save(tmp_path / "data", rows, {})
    dataset.save(tmp_path / "validation", rows[2:8], {})
    card = train(
        tmp_path / "data",
        tmp_path / "model",
        validation_folder=tmp_path / "validation",
        epochs=1,
        progress=False,
        background=False,
    )
    assert card.data.training.systems == 56
    assert card.data.validation.systems == 3
    assert system_key(KEPT_OUT[0]) not in card.systems.training


def test_interrupted_training_leaves_the_old_model_in_place(trained, data_folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nanoconf.surrogate.training.save", fail)
    with pytest.raises(KeyboardInterrupt):
        train(data_folder, trained, epochs=1, progress=False, background=False)
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before
    assert [path.name for path in trained.parent.iterdir()] == [trained.name]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"wall": "plane"}, "wall"),
        ({"temperature": 300.0}, "temperature"),
        ({"negative_diameter": 0.4}, "ions of equal diameter"),
    ],
)
def test_data_in_which_other_inputs_vary_are_refused(tmp_path, change, named):
    rows = synthetic_rows(30)
    rows[0] |= change
    rows[1] |= change
    dataset.save(tmp_path / "data", rows, {})
    with pytest.raises(InvalidInput, match=named):
        train(tmp_path / "data", tmp_path / "model", epochs=1, progress=False, background=False)
    assert not (tmp_path / "model").exists()


def test_data_with_too_few_systems_are_refused(tmp_path):
    dataset.save(tmp_path / "data", synthetic_rows(6), {})
    with pytest.raises(InvalidInput, match="too few"):
        train(tmp_path / "data", tmp_path / "model", epochs=1, progress=False, background=False)


def test_zero_epochs_are_refused(data_folder, tmp_path):
    with pytest.raises(InvalidInput, match="epochs = 0: must be 1 or more"):
        train(data_folder, tmp_path / "model", epochs=0, progress=False, background=False)
