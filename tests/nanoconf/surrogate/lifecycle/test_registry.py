"""Search for models on disk, and choice of the current one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.lifecycle import registry as registry_module
from nanoconf.surrogate.lifecycle.registry import ModelNotFound, models


@pytest.fixture
def places(tmp_path, monkeypatch, trained):
    """Empty folders that are searched for models, and a function that adds a model."""
    home, package = tmp_path / "home", tmp_path / "package"
    monkeypatch.setenv("NANOCONF_HOME", str(home))
    monkeypatch.delenv("NANOCONF_MODELS", raising=False)
    monkeypatch.setattr(registry_module, "package_models", lambda: package)

    def put(place: Path, name: str, created: str = "2026-01-01T00:00:00+00:00") -> Path:
        folder = place / name
        folder.mkdir(parents=True)
        for source in trained.iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps(card | {"name": name, "created": created}))
        return folder

    put.home, put.package, put.other = home / "models", package, tmp_path / "other"
    return put


def test_without_a_model_the_error_explains_how_to_train_one(places):
    assert models() == []
    with pytest.raises(ModelNotFound, match="nanoconf train"):
        Surrogate.load()


def test_a_user_without_a_home_folder_has_the_models_of_the_package(places, monkeypatch):
    places(places.package, "shipped")
    monkeypatch.delenv("NANOCONF_HOME")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "none")
    assert Surrogate.load().name == "shipped"
    assert [model.name for model in models()] == ["shipped"]


def test_folders_are_searched_in_order(places, monkeypatch):
    places(places.package, "shipped", created="2027-01-01T00:00:00+00:00")
    assert Surrogate.load().name == "shipped"
    places(places.home, "retrained")
    assert Surrogate.load().name == "retrained"
    places(places.other, "chosen")
    monkeypatch.setenv("NANOCONF_MODELS", str(places.other))
    assert Surrogate.load().name == "chosen"
    assert Surrogate.load(places.package).name == "shipped"
    assert Surrogate.load(places.package / "shipped").name == "shipped"
    assert [(model.name, model.source, model.current) for model in models()] == [
        ("chosen", "NANOCONF_MODELS", True),
        ("retrained", "home", False),
        ("shipped", "package", False),
    ]


def test_the_newest_model_is_current_unless_another_is_chosen(places):
    places(places.home, "old")
    places(places.home, "new", created="2026-01-02T00:00:00+00:00")
    places(places.home, ".half-written", created="2026-01-03T00:00:00+00:00")
    assert [model.name for model in models()] == ["new", "old"]
    assert Surrogate.load().name == "new"
    (places.home / "current.json").write_text('{"model": "old"}')
    assert Surrogate.load().name == "old"


def test_an_empty_folder_named_explicitly_is_an_error(places, monkeypatch):
    places(places.package, "shipped")
    monkeypatch.setenv("NANOCONF_MODELS", str(places.other))
    with pytest.raises(ModelNotFound, match="other"):
        Surrogate.load()
    with pytest.raises(ModelNotFound, match="other"):
        Surrogate.load(places.other)


@pytest.mark.parametrize("card", ["{", "[]", '{"name": "broken"}'])
def test_a_damaged_model_does_not_hide_the_others(places, card):
    places(places.home, "good")
    damaged = places(places.home, "damaged", created="2027-01-01T00:00:00+00:00")
    (damaged / "card.json").write_text(card)
    with pytest.warns(UserWarning, match="damaged holds no usable model"):
        assert Surrogate.load().name == "good"


def test_a_model_of_another_kind_is_refused(places):
    folder = places(places.home, "strange")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"kind": "splines"}))
    with pytest.raises(ModelNotFound, match="splines"):
        Surrogate.load()
