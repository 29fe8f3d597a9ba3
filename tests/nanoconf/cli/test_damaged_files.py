"""Commands with damaged models and data: one line says what is wrong, and no traceback is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nanoconf.cli.main import main
from nanoconf.data import dataset
from nanoconf.surrogate.lifecycle import registry
from tests.support.damage import damaged, whole_file, wrong_json
from tests.support.models import put_three
from tests.support.synthetic import synthetic_rows

DAMAGED = "model-5 holds no usable model: profiles.tflite is damaged"


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NANOCONF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NANOCONF_MODELS", raising=False)
    put_three(tmp_path / "home" / "models")
    return tmp_path / "home" / "models"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    dataset.save(folder, synthetic_rows(30), {})
    return folder


@pytest.mark.parametrize(
    "command",
    ["predict -o {out}", "evaluate --data {data}", "evaluate --json --data {data}"],
)
def test_a_damaged_model_is_named_and_the_previous_one_is_used(
    place, data, tmp_path, capsys, command
):
    (place / "model-5" / "profiles.tflite").write_bytes(b"")
    assert main(command.format(out=tmp_path / "out", data=data).split()) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ") and DAMAGED in line and line.endswith("; model-4 is used")


@pytest.mark.parametrize("options", [[], ["compare"], ["--json"]])
def test_the_list_of_models_names_damaged_ones(place, capsys, options):
    (place / "model-5" / "profiles.tflite").write_bytes(b"")
    (place / "model-6" / "card.json").write_text("{")
    assert main(["models", *options]) == 0
    out, err = capsys.readouterr()
    first, second = sorted(err.splitlines())
    assert DAMAGED in first and "model-6 holds no usable model: its card" in second
    if options == ["--json"]:
        found = {model["name"]: model for model in json.loads(out)}
        assert found["model-4"]["current"] and not found["model-4"]["damage"]
        assert found["model-5"]["damage"].startswith("profiles.tflite is damaged")


@pytest.mark.parametrize(
    "command", ["predict -o {out}", "evaluate --data {data}", "uncertainty --uniform c 0.4 0.5"]
)
def test_without_a_usable_model_one_line_names_all(
    place, data, tmp_path, capsys, monkeypatch, command
):
    monkeypatch.setattr(registry, "package_models", lambda: tmp_path / "none")
    for name in ("model-4", "model-5"):
        (place / name / "profiles.tflite").write_bytes(b"")
    assert main(command.format(out=tmp_path / "out", data=data).split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert DAMAGED in line and "model-4" in line and "nanoconf train" in line
    assert not (tmp_path / "out").exists()
    assert main(["models"]) == 0


def test_a_damaged_model_is_not_promoted(place, capsys):
    (place / "model-4" / "profiles.tflite").write_bytes(b"")
    assert main(["models", "promote", "model-4"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "model-4 holds no usable model" in line


def test_retraining_passes_over_a_damaged_model(place, capsys):
    (place / "model-5" / "profiles.tflite").write_bytes(b"")
    assert main(["train", "--if-due"]) == 0
    out, err = capsys.readouterr()
    assert out == "0 new runs for training; retraining starts at 100\n"
    assert DAMAGED in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["train -o {out} --data", "evaluate --data"])
def test_a_damaged_dataset_is_named_before_anything_starts(place, data, tmp_path, capsys, command):
    words = command.format(out=tmp_path / "out").split()
    damages = whole_file() | wrong_json()
    for file in (data / dataset.FILE, data / dataset.CARD):
        for name in damaged(file, damages):
            if file.name == dataset.CARD and (name in HARMLESS or "appended" in name):
                continue
            assert main([*words, str(data)]) == 2, (file.name, name)
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"nanoconf: data = {data}: ") and file.name in line, name
    assert not (tmp_path / "out").exists()


HARMLESS = ("missing", "a dangling link", "JSON {}", 'JSON {"model": NaN}')
"""Cards without a checksum, which a dataset may have."""
