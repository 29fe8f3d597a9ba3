"""Damaged files of a model: each is named on one line, and the next best model answers."""

from __future__ import annotations

import json
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.system import InvalidInput, SlitSystem
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.card import KIND
from nanoconf.surrogate.lifecycle import registry
from nanoconf.surrogate.lifecycle.registry import (
    ModelNotFound,
    ModelWarning,
    models,
    package_models,
)
from tests.support.damage import damaged, flips, whole_file, wrong_json
from tests.support.models import put, put_three

OLD = Path(__file__).parents[3] / "fixtures" / "home" / "models" / "model-4"
NETWORKS = ("profiles.tflite", "profiles.keras")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NANOCONF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NANOCONF_MODELS", raising=False)
    put_three(tmp_path / "home" / "models")
    return tmp_path / "home" / "models"


def loaded(*path: Path) -> tuple[Surrogate, list[str]]:
    """Load a model, predict with it, and list all models; return it and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        surrogate = Surrogate.load(*path)
    with suppress(InvalidInput):  # the domain in a damaged card may be smaller
        assert np.isfinite(surrogate.predict(SlitSystem()).positive.density).all()
    lines = messages(caught)
    assert lines == list(surrogate.problems)
    assert all("\n" not in line and len(line) < 500 for line in lines)
    return surrogate, lines


def listed() -> tuple[list[str], list[str]]:
    """Return the names of the listed models, the current one first, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = sorted(models(), key=lambda model: not model.current)
    return [model.name for model in found], messages(caught)


def messages(caught: list[warnings.WarningMessage]) -> list[str]:
    """Return the warnings about models; others may come from objects that earlier tests left."""
    return [str(each.message) for each in caught if issubclass(each.category, ModelWarning)]


def test_a_damaged_network_is_named_and_the_previous_model_is_used(place):
    for name in damaged(place / "model-5" / "profiles.tflite", whole_file() | flips(100)):
        surrogate, (line,) = loaded()
        assert surrogate.name == "model-4", name
        assert "model-5 holds no usable model: profiles.tflite" in line, name
        assert line.endswith("; model-4 is used")
    assert loaded()[0].name == "model-5"


def test_a_damaged_keras_file_is_named_and_does_not_affect_the_other_runtime(place):
    for name in damaged(place / "model-5" / "profiles.keras", whole_file() | flips(60)):
        assert loaded()[0].name == "model-5", name
        (current, *others), (line,) = listed()
        assert current == "model-5" and "model-5" not in others, name
        assert "model-5" in line and "profiles.keras" in line, name
    (place / "model-5" / "profiles.keras").write_bytes(b"PK")
    with pytest.warns(UserWarning, match=r"model-5 holds no usable model: profiles\.keras"):
        assert Surrogate.load(runtime="tensorflow").name == "model-4"


def test_a_damaged_card_is_named_and_the_previous_model_is_used(place):
    unreadable = whole_file() | wrong_json()
    for name in damaged(place / "model-5" / "card.json", unreadable):
        surrogate, lines = loaded()
        assert surrogate.name == "model-4", name
        assert "model-5 holds no usable model: " in lines[0] and "card" in lines[0], name
        names, lines = listed()
        assert names[0] == "model-4" and "model-5" not in names, name
        assert any("model-5" in line for line in lines), name


def test_a_flipped_bit_in_a_card_is_not_an_error(place):
    for name in damaged(place / "model-5" / "card.json", flips(50)):
        surrogate, lines = loaded()
        assert surrogate.folder.name == "model-5" or "model-5" in lines[0], name
        listed()


WRONG = [None, True, 3, -1.5, float("nan"), "text", [], [1], {}, {"a": 1}, [[[]]], 10**400]


def entries(values: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths to the values of nested objects."""
    if not isinstance(values, dict) or path == ("training",):
        return [path]
    return [path, *(found for key in values for found in entries(values[key], (*path, key)))]


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_a_value_of_the_wrong_type_in_a_card_is_not_an_error(place, every):
    """Each entry of a card in turn is missing or replaced by values of other types.

    Unless `every` is 1, the entries take turns at the values.
    """
    file = place / "model-5" / "card.json"
    card = json.loads(file.read_text())
    usable = unusable = 0
    for turn, path in enumerate(entries(card)[1:]):
        if path[0] == "metrics" and path[1:2] != ("positive",) and len(path) > 3:
            continue  # the same as those of the positive ions
        for wrong in [..., *WRONG][turn % every :: every]:
            file.write_text(json.dumps(changed(card, path, wrong)))
            surrogate, lines = loaded()
            usable += not lines
            unusable += bool(lines)
            assert surrogate.folder.name == ("model-4" if lines else "model-5"), (path, wrong)
    assert unusable > usable


def changed(values: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Replace or remove (if it is ...) an entry of nested objects."""
    key, *rest = path
    if rest:
        return values | {key: changed(values[key], tuple(rest), value)}
    return {k: v for k, v in (values | {key: value}).items() if v is not ...}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("name",), 3, "name = 3: must be text"),
        (("created",), None, "created = None: must be text"),
        (("band", "positive"), {}, "band.positive is missing"),
        (("band", "positive", "1:-1"), [[1, 2]], "must hold 3 pairs"),
        (("domain", "ranges", "salt_concentration", "low"), "0.3", "must be a number"),
        (("domain", "ranges", "salt_concentration", "low"), 0.95, "low must not exceed high"),
        (("domain", "ranges", "salt_concentration"), ..., "domain.ranges must hold"),
        (("metrics", "typical_error"), float("nan"), "metrics.typical_error = nan"),
        (("metrics", "positive", "all"), ..., "metrics.positive lacks the scores"),
        (("domain", "ranges", "salt_concentration", "high"), 0.8, "do not match the checksum"),
        (("band", "positive", "1:-1"), [[0.5, 0.1]] * 3, "do not match the checksum"),
        (("sha256",), ["abc"], "must be an object with keys"),
    ],
)
def test_the_wrong_value_in_a_card_is_named(place, path, value, named):
    file = place / "model-5" / "card.json"
    file.write_text(json.dumps(changed(json.loads(file.read_text()), path, value)))
    surrogate, lines = loaded()
    assert surrogate.name == "model-4" and named in lines[0]


def test_valencies_without_an_error_band_are_named(place):
    file = place / "model-5" / "card.json"
    card = changed(json.loads(file.read_text()), ("band", "negative", "3:-1"), ...)
    file.write_text(json.dumps(changed(card, ("checksum",), ...)))
    surrogate, lines = loaded()
    assert surrogate.name == "model-5" and not lines
    with pytest.raises(InvalidInput, match="valencies = '3:-1': the model has an error band for"):
        surrogate.predict(SlitSystem(positive_valency=3))


def test_a_damaged_choice_is_named_and_the_newest_model_is_used(place):
    put(place, "model-7", "2026-01-07")
    wrong = {
        str(value): lambda file, value=value: file.write_text(json.dumps(value)) and None
        for value in (
            {"model": 3},
            {"model": ["model-5"]},
            {"before": []},
            {"model": "model-5", "before": "model-4"},
            {"model": "model-5", "before": [4]},
        )
    }
    damages = whole_file() | wrong_json() | wrong
    del damages["missing"], damages["a dangling link"]
    for name in damaged(place / "current.json", damages):
        surrogate, (line,) = loaded()
        assert surrogate.name == "model-7", name
        assert "current.json" in line and "nanoconf models promote" in line, name
        assert listed()[0][0] == "model-7", name
    for name in damaged(place / "current.json", flips(100)):
        assert loaded()[0].name in ("model-5", "model-4", "model-7"), name


def test_a_choice_of_a_missing_model_is_named(place):
    (place / "current.json").write_text(json.dumps({"model": "model\n9", "before": ["model-4"]}))
    surrogate, lines = loaded()
    assert surrogate.name == "model-4"
    assert lines == ["the chosen model, 'model\\n9', is missing or damaged; model-4 is used"]
    assert listed()[1] == ["the chosen model, 'model\\n9', is missing or damaged"]


def test_the_most_recently_promoted_usable_model_is_used(place):
    put(place, "model-7", "2026-01-07")
    for expected in ("model-5", "model-4", "model-3"):
        assert loaded()[0].name == expected
        if expected != "model-3":
            (place / expected / "profiles.tflite").write_bytes(b"")
    (place / "current.json").unlink()
    assert loaded()[0].name == "model-7"


def test_a_named_folder_is_never_passed_over(place, monkeypatch):
    (place / "model-5" / "profiles.tflite").write_bytes(b"")
    with pytest.raises(ModelNotFound, match=r"model-5 holds no usable model: profiles\.tflite"):
        Surrogate.load(place / "model-5")
    shutil.rmtree(place / "model-4")
    shutil.rmtree(place / "model-6")
    monkeypatch.setenv("NANOCONF_MODELS", str(place))
    with pytest.raises(ModelNotFound) as raised:
        Surrogate.load()
    assert "\n" not in str(raised.value) and "profiles.tflite is damaged" in str(raised.value)
    with pytest.warns(UserWarning, match="model-5"):
        assert not any(model.current for model in models())


# --- models of version 0.1.0, whose cards have no checksums ---------------------------------


@pytest.fixture
def old(place) -> Path:
    folder = put(place, "old", "2026-01-01", OLD, promotion={"promoted": True})
    assert "sha256" not in json.loads((folder / "card.json").read_text())
    (place / "current.json").write_text(json.dumps({"model": "old", "before": ["model-4"]}))
    shutil.rmtree(place / "model-5")
    shutil.rmtree(place / "model-6")
    return folder


def test_a_model_without_checksums_is_used(old):
    surrogate, lines = loaded()
    assert (surrogate.name, lines) == ("old", [])
    assert listed()[1] == []


def test_the_weights_of_a_model_without_checksums_are_compared_with_its_keras_file(old):
    file = old / "profiles.tflite"
    for name in damaged(file, whole_file()):
        surrogate, lines = loaded()
        if name != "appended to":
            assert surrogate.name == "model-4" and "profiles.tflite" in lines[0], name
    expected = Surrogate.load(old).predict(SlitSystem()).positive.density
    wrong = 0
    for _ in damaged(file, flips(100)):
        surrogate, lines = loaded()
        if surrogate.name == "old":
            density = surrogate.predict(SlitSystem()).positive.density
            wrong += not np.allclose(density, expected, rtol=1e-3)
    assert wrong <= 2
    file.write_bytes(file.read_bytes()[:1000])
    (old / "profiles.keras").unlink()
    assert loaded()[0].name == "model-4"


def test_a_damaged_keras_file_without_a_checksum_is_refused(old):
    for name in damaged(old / "profiles.keras", whole_file()):
        if name != "appended to":
            with pytest.raises(ModelNotFound, match=r"profiles\.keras"):
                registry.load_current(old, "tensorflow")
        assert loaded()[0].name == "old", name


def test_a_network_with_unexpected_shapes_is_refused(old, monkeypatch):
    monkeypatch.setattr("nanoconf.surrogate.runtime.TERMS", 15)
    with pytest.raises(ModelNotFound, match=r"it maps \[1, 5\] to"):
        Surrogate.load(old)


# --- promotion ------------------------------------------------------------------------------


def test_a_damaged_model_is_not_promoted(place):
    (place / "model-4" / "profiles.tflite").write_bytes(b"")
    with pytest.raises(ModelNotFound, match=r"model-4 holds no usable model: profiles\.tflite"):
        registry.promote("model-4")
    assert loaded()[0].name == "model-5"


def test_rolling_back_skips_damaged_models(place):
    (place / "model-4" / "card.json").write_text("{")
    with pytest.warns(UserWarning, match="model-4 holds no usable model"):
        assert registry.roll_back().name == "model-3"
    assert loaded()[0].name == "model-3"
    with pytest.raises(ModelNotFound, match="no previous model"):
        registry.roll_back()


def test_promotion_replaces_a_damaged_choice(place):
    (place / "current.json").write_text("{")
    registry.promote("model-4")
    surrogate, lines = loaded()
    assert (surrogate.name, lines) == ("model-4", [])


def test_shipped_cards_hold_the_checksums_of_their_networks():
    for folder in registry.model_folders(package_models()):
        card = registry.Card.load(folder)
        assert card.kind == KIND and set(card.sha256) == set(NETWORKS)
        assert card == card.with_checksums(folder)
