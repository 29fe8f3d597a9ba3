"""The page in one file: its parts and the command that writes it, without a browser."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from backend.system import InvalidInput
from nanoconf.cli.main import main
from nanoconf.data.published import SYSTEMS
from nanoconf.gui.static_page.contents import page_data
from nanoconf.gui.static_page.page import SCRIPTS, as_script_data, policy, static_page
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.lifecycle.registry import package_models
from tests.support.models import put

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def surrogate():
    return Surrogate.load(package_models())


@pytest.fixture(scope="module")
def page(surrogate):
    return static_page(surrogate)


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="model">(.*?)</script>', page, re.S)
    return json.loads(text)


def test_the_policy_names_the_style_and_the_scripts_and_forbids_connections(page):
    (found,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (style,), (script,) = (
        re.findall(f"<{tag}>(.*?)</{tag}>", page, re.S) for tag in ("style", "script")
    )
    assert found == policy(style, script)
    for text in (style, script):
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in found
    assert found.startswith("default-src 'none'; ") and "unsafe" not in found


def test_nothing_comes_from_elsewhere_and_no_attribute_contains_a_script(page):
    markup = re.sub(r"<(style|script)[^>]*>.*?</\1>|<a href=[^>]*>", "", page, flags=re.S)
    assert not re.findall(r'\b(?:src|href|srcset|action)="(?!data:,")[^"]*"', markup)
    assert not re.findall(r"\son\w+=", markup)
    assert not re.findall(r"javascript:|@import|url\((?!#)", page)
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}


def test_the_scripts_are_readable_and_have_no_overlong_lines(page):
    lines = page.partition('"use strict";')[2].splitlines()
    assert len(SCRIPTS) == 8 and max(map(len, lines)) <= 120


def test_the_page_holds_the_weights_of_the_model(page, surrogate):
    data = data_of(page)
    file = (surrogate.folder / "profiles.tflite").read_bytes()
    kernels = [b64decode(step["data"]) for step in data["steps"] if step["kind"] == "dense"]
    assert len(kernels) == 3 and all(kernel in file for kernel in kernels)
    assert data["band"]["positive"] == surrogate.card.band["positive"]


def test_fields_come_from_the_table_of_inputs(page):
    fields = {field["key"]: field for field in data_of(page)["fields"]}
    assert list(fields) == ["h", "zp", "zn", "c", "d"]
    assert fields["h"]["label"] == "Confinement length h (nm)"
    assert [fields["c"][name] for name in ("low", "high", "default")] == [0.001, 5.0, 0.5]
    low, high = fields["c"]["trained"]
    assert np.take(fields["c"]["positions"], [low, high]) == pytest.approx([0.3, 0.9])


def test_presets_are_those_that_the_model_predicts(page):
    presets = {each["name"]: each["inputs"] for each in data_of(page)["presets"]}
    system = SYSTEMS["I"]
    shown = {"h": system.confinement_length, "zp": 1, "zn": -1, "c": system.salt_concentration}
    assert presets["Paper, system I"] == {**shown, "d": system.positive_diameter}
    assert not any(name.startswith("NaCl") for name in presets)


def test_about_identifies_the_model(page, surrogate):
    file = (surrogate.folder / "profiles.tflite").read_bytes()
    for text in (surrogate.name, sha256(file).hexdigest(), "BSD-3-Clause", "10.1016/j.jocs"):
        assert f"{text}" in page.partition('id="about"')[2]


def test_a_hostile_card_cannot_inject_markup(surrogate):
    card = replace(surrogate.card, name=HOSTILE, created=HOSTILE)
    found = static_page(Surrogate(surrogate.folder, card, None))
    assert HOSTILE not in found and found.count("<script") == 2
    assert data_of(found)["name"] == HOSTILE


def test_script_data_is_json_without_markup():
    text = as_script_data({"a": "</script><!--", "b": ["σ", 1.5]})
    assert "<" not in text and json.loads(text) == {"a": "</script><!--", "b": ["σ", 1.5]}


def test_models_for_charged_walls_are_refused(surrogate):
    domain = replace(
        surrogate.domain, fixed={**surrogate.domain.fixed, "surface_charge_density": -0.01}
    )
    charged = Surrogate(surrogate.folder, replace(surrogate.card, domain=domain), None)
    with pytest.raises(InvalidInput, match="uncharged walls"):
        page_data(charged)


# --- the command ----------------------------------------------------------------------------


def export(*arguments):
    return main(["export-page", *map(str, arguments)])


def test_the_command_writes_the_page_of_the_current_model(home, tmp_path, capsys, page):
    file = tmp_path / "ions.html"
    assert export(file) == 0
    assert capsys.readouterr().out == f"{file}: 0.3 MB, with model-3\n"
    assert file.read_text(encoding="utf-8") == page


def test_the_command_takes_a_model_by_its_name_or_folder(home, tmp_path, capsys):
    folder = put(home / "models", "model-9", "2026-01-09")
    named, by_folder = tmp_path / "named.html", tmp_path / "folder.htm"
    assert export(named, "--model", "model-9") == export(by_folder, "--model", folder) == 0
    assert data_of(named.read_text(encoding="utf-8"))["name"] == "model-9"
    assert named.read_bytes() == by_folder.read_bytes()


@pytest.mark.parametrize(
    ("file", "more", "message"),
    [
        ("ions.txt", [], "file = ions.txt: must end in .html or .htm"),
        ("folder.html", [], "file = folder.html: is a folder: name a file in it"),
        (
            "none/ions.html",
            [],
            "file = none/ions.html: cannot be written (No such file or directory)",
        ),
        ("ions.html", ["--model", "model-99"], "model = model-99: is neither a model nor a folder"),
    ],
)
def test_the_command_refuses_bad_input_in_one_line(
    home, tmp_path, capsys, monkeypatch, file, more, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    assert export(file, *more) == 2
    said = capsys.readouterr()
    assert (
        said.out == "" and said.err.startswith(f"nanoconf: {message}") and said.err.count("\n") == 1
    )
    assert [each.name for each in tmp_path.iterdir()] == ["folder.html"]
