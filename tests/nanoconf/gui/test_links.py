"""Links: every input, tab and run can be linked, and a bad link says what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from backend.inputs import SYSTEM, Input
from nanoconf.gui import links
from nanoconf.gui.entered_inputs import Inputs
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.links import Link, inputs_link, parse
from nanoconf.gui.tabs.registry import CHARGE, POTENTIAL, PREDICTION, TABS, TRENDS

DOCS = Path(__file__).parents[3] / "docs" / "page.md"
KEYS = {each.link_key: name for name, each in FIELDS.items()}


def typed(**texts: str) -> Inputs:
    inputs = Inputs()
    inputs.restore(texts)
    assert inputs.valid, inputs.problems
    return inputs


def values(link: Link) -> dict:
    return typed(**link.texts).values


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.link_key)
def test_every_input_survives_a_round_trip_through_a_link(field):
    numbers = [field.low, field.high, *np.linspace(field.low, field.high, 7), 1 / 3, 0.1 + 0.2]
    for number in numbers:
        inputs = Inputs()
        inputs.type(field.name, str(int(number)) if field.whole else repr(float(number)))
        if not inputs.valid:  # too dense with the other defaults
            continue
        link = parse(inputs_link(inputs, TRENDS))
        assert link.problems == () and values(link) == inputs.values
        assert link.given and link.tab == TRENDS


def test_all_inputs_together_survive_a_round_trip_through_a_link():
    inputs = typed(
        confinement_length="3,4",
        positive_valency="2",
        negative_valency="−2",
        salt_concentration=".25",
        positive_diameter="0.6",
        negative_diameter="0.5",
        surface_charge_density="−0.01",
        duration_ns="2e0",
        target_error="0.5",
    )
    inputs.hold(("salt_concentration",), ("surface_charge_density", "negative_diameter"))
    text = inputs_link(inputs, PREDICTION)
    assert text == (
        "?h=3.4&zp=2&zn=-2&c=0.25&d=0.6&dn=0.5&sigma=-0.01&ns=2&error=0.5"
        "&tab=prediction-graph&fix=c&hide=sigma,dn"
    )
    link = parse(text)
    assert link.problems == () and values(link) == inputs.values
    assert (link.fixed, link.hidden) == (inputs.fixed, inputs.hidden)


def test_the_link_for_the_defaults_has_only_the_tab():
    assert inputs_link(Inputs(), "3D") == "?tab=3d"


def test_every_tab_and_figure_can_be_linked_and_keys_are_unique(state):
    for tab in TABS:
        for title in (tab.title, *tab.figures):
            link = parse(inputs_link(Inputs(), title))
            assert (link.tab, link.problems) == (title, ())
    assert len({tab.slug for tab in TABS}) == len(TABS)
    reserved = {links.TAB, links.RUN, links.FIX, links.HIDE, *links.NOT_OURS}
    assert len(KEYS) == len(FIELDS) and not reserved & KEYS.keys()
    state.open_tab(POTENTIAL)
    assert (state.tab, state.linked_view) == (CHARGE, POTENTIAL)


def test_an_input_added_to_the_table_can_be_linked_by_its_name(monkeypatch):
    added = Input(name="dipole", term="Dipole", help="", default=1.0, low=0.0, high=2.0)
    monkeypatch.setitem(SYSTEM, "dipole", added)
    monkeypatch.setattr("nanoconf.gui.entered_inputs.SlitSystem", lambda **_inputs: None)
    monkeypatch.setattr("nanoconf.gui.entered_inputs._settings", lambda _values: None)
    link = parse("?dipole=1.5&fix=dipole")
    assert (link.texts, link.fixed, link.problems) == ({"dipole": "1.5"}, ("dipole",), ())


BAD = {
    "?h=99": "Confinement length h = 99: must be a number between 0.6 and 30 nm",
    "?c=abc": "Salt concentration c = “abc”: must be a number",
    "?h=": "Confinement length h is empty",
    "?h": "Confinement length h is empty",
    "?zp=1.5": "Positive ion valency z₊ = 1.5: must be 1, 2 or 3",
    "?h=3&h=4": "h = 4: h is given more than once",
    "?wall=plane": "“wall” is not a key; it must be h, zp, zn, c, d, dn, sigma, ns, error, tab,",
    "?=1": "“” is not a key",
    "?<b>=1": "“<b>” is not a key",
    "?tab=nothing": "tab = nothing: must be positive-ion-density, negative-ion-density, charge,",
    "?fix=c,x": "fix = x: must be h, zp, zn, c, d, dn, sigma, ns or error",
    "?hide=": "hide is empty: must be h, zp,",
    "?run=": "run is empty: must be a run ID",
    "?tab=": "tab is empty: must be positive-ion-density,",
    "?run=../..": "run = ../..: must be a run ID",
    "?h=<script>alert(1)</script>": "h = “<script>alert(1)</scrip…”: must be a number",
    "?h=NaN": "Confinement length h = “NaN”: must be a number",
    "?h=1e999": "Confinement length h = 1e999: must be a number",
    "?H=3.4": "“H” is not a key; it must be h, zp,",
    "?fix=C": "fix = C: must be h, zp,",
    "?h=%ff%fe": "Confinement length h = “��”: must be a number",
    "?%ff=1": "“�” is not a key",
    "?too-long=": "it has more than 2000 characters",
    "?run=1234567": "run = 1234567: must be a run ID, or at least its first 8 digits",
    "?run=../../etc/passwd": "run = ../../etc/passwd: must be a run ID",
    f"?run={33 * 'a'}": "must be a run ID",
    "?h=3%0A4": "Confinement length h = “3�4”: must be a number",
    "?h=\ud800": "Confinement length h = “�”: must be a number",
    "?c=5&d=2": "; all inputs of the link are ignored",
    "?h=" + 3000 * "3": "it has more than 2000 characters",
    "?c=" + 500 * "x": "Salt concentration c = “xxxxxxxxxxxxxxxxxxxxxxx…”: must be",
}


@pytest.mark.parametrize("search", BAD, ids=lambda search: search[:24])
def test_each_bad_part_gives_one_line(search):
    link = parse(search)
    (problem,) = link.problems
    assert problem.startswith("Ignored in the link: ") and BAD[search] in problem
    assert problem.endswith(".") and problem.isprintable() and len(problem) < 260
    assert not link.texts.keys() - {"confinement_length"} and not link.run and not link.tab


def test_the_rest_of_a_bad_link_applies():
    link = parse("?h=99&c=0.2&nonsense=1&tab=TRENDS&fix=c,x&run=zz")
    assert link.texts == {"salt_concentration": "0.2"}
    assert (link.tab, link.fixed, link.run) == (TRENDS, ("salt_concentration",), "")
    assert len(link.problems) == 4


def test_a_link_reports_a_limited_number_of_problems():
    problems = parse("?" + "&".join(f"k{i}=1" for i in range(100))).problems
    assert len(problems) == links.MAXIMUM_PROBLEMS + 1
    assert problems[-1] == "Ignored in the link: 92 more."


@pytest.mark.parametrize("search", ["", "?", None, 7, ["?h=3"], {"h": 3}])
def test_an_empty_or_non_text_query_is_not_a_link(search):
    assert parse(search) == Link()


def test_keys_of_the_server_are_ignored_and_their_values_never_repeated():
    assert parse("?token=secret&ticket=other&redirects=1") == Link()
    assert parse("?teacher") == Link() == parse("?teacher=")
    assert parse("?token=secret&h=3.4").problems == ()


def test_the_documentation_lists_every_key():
    table = re.findall(r"^\| `(\w+)=` \| (.+?) \| (.*?) \|$", DOCS.read_text("utf-8"), re.M)
    expected = [
        (each.link_key, each.label, each.allowed.removeprefix("must be "))
        for each in FIELDS.values()
    ]
    assert table[: len(expected)] == expected
    assert [key for key, *_ in table[len(expected) :]] == ["tab", "run", "fix", "hide"]
