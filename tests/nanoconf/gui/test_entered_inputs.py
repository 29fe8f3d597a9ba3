"""Typed numbers: parsing, error messages and restoring."""

from __future__ import annotations

import numpy as np
import pytest

from backend import inputs
from backend.system import InvalidInput, SlitSystem
from nanoconf.data.plans import PAPER_GRID
from nanoconf.gui.fields import DURATION, FIELDS, system_fields
from nanoconf.gui.fields import _short as short
from nanoconf.gui.presets import presets
from nanoconf.gui.state import AppState
from nanoconf.gui.widgets.number import NumberInput


def test_the_page_opens_with_the_papers_defaults(state):
    assert state.valid and not state.problems
    assert state.system == SlitSystem()
    assert state.settings.duration_ns == 5.0
    assert state.texts["confinement_length"] == "3.00"
    assert state.texts["positive_diameter"] == "0.714"
    assert state.tab == "Prediction Graph"


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("typed", ["abc", "", "  ", "1e999", "nan", "inf", "1_0", "0x1", "1,000.5"])
def test_invalid_numbers_are_refused_and_kept_as_typed(state, name, typed):
    state.type(name, typed)
    assert state.texts[name] == typed
    if not typed.strip() and FIELDS[name].default is None:
        assert state.valid and state.values[name] is None
        return
    assert not state.valid
    message = state.problems[name]
    assert "\n" not in message
    assert FIELDS[name].title in message and FIELDS[name].allowed in message
    assert typed.strip() in message


@pytest.mark.parametrize("field", system_fields(), ids=lambda field: field.name)
def test_a_number_out_of_range_is_refused_with_the_allowed_values(state, field):
    state.type(field.name, "90")
    assert state.problems == {field.name: f"{field.title} = 90: {field.allowed}"}


def test_every_range_matches_the_engine_and_is_shown_with_its_bounds_and_unit():
    for field in system_fields():
        each = inputs.SYSTEM[field.name]
        assert (field.low, field.high) == (each.low, each.high)
    assert FIELDS["confinement_length"].allowed == "must be a number between 0.6 and 30 nm"
    assert FIELDS["positive_valency"].allowed == "must be 1, 2 or 3"
    assert FIELDS["negative_valency"].allowed == "must be −3, −2 or −1"
    assert FIELDS["positive_diameter"].allowed == "must be a number between 0.1 and 2.0 nm"
    assert FIELDS["negative_diameter"].allowed.endswith(", or empty")


@pytest.mark.parametrize("field", system_fields(), ids=lambda field: field.name)
def test_a_slider_spans_the_range_and_stops_at_every_step_of_the_papers_grid(field):
    positions = field.positions
    assert (positions[0], positions[-1]) == (field.low, field.high)
    assert list(positions) == sorted(set(positions))
    for value in PAPER_GRID.get(field.name, ()):
        assert positions[field.position(value)] == pytest.approx(value)
    for value in positions:
        assert field.parse(field.text(value)) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("salt_concentration", "0,5", 0.5),
        ("salt_concentration", " .5 ", 0.5),
        ("confinement_length", "3.", 3.0),
        ("confinement_length", "3,25e0", 3.25),
        ("positive_valency", "2.0", 2),
        ("negative_valency", "−1", -1),
        ("negative_valency", "-1", -1),
        ("duration_ns", "0.01", 0.01),
    ],
)
def test_common_number_formats_are_accepted(state, name, typed, value):
    state.type(name, typed)
    assert state.valid, state.problems
    assert state.values[name] == value
    assert state.texts[name] == typed


def test_a_valency_is_a_whole_number(state):
    state.type("positive_valency", "1,5")
    assert "must be 1, 2 or 3" in state.problems["positive_valency"]


def test_both_ends_of_every_range_are_allowed(state):
    for name, field in FIELDS.items():
        for value in (field.low, field.high):
            state.type(name, field.text(value))
            assert state.values[name] == value


def test_numbers_the_page_writes_are_read_back_exactly():
    for field in (field for field in FIELDS.values() if not field.whole):
        for value in np.linspace(field.low, field.high, 7):
            assert field.parse(field.text(value)) == pytest.approx(value, rel=1e-5)
    assert DURATION.text(0.02) == "0.02" and DURATION.text(5.0) == "5.0"


@pytest.mark.parametrize("maximum", ["20", "2", "0.005"])
def test_the_maximum_length_of_the_page_applies_to_the_field_and_its_slider(monkeypatch, maximum):
    monkeypatch.setenv("NANOCONF_MAX_LENGTH", maximum)
    state = AppState()
    assert state.valid and state.settings.duration_ns == min(5.0, float(maximum))
    state.restore({"duration_ns": "60"})
    low = min(0.01, float(maximum))
    allowed = f"must be a number between {low:g} and {short(float(maximum))} ns"
    assert state.problems["duration_ns"] == f"Simulation length = 60: {allowed}"
    field = NumberInput(state, FIELDS["duration_ns"])
    assert field.text.tooltip == f"Simulation length {allowed}"
    assert max(field.slider.options) == float(maximum)
    state.type("duration_ns", maximum)
    assert state.valid and state.settings.duration_ns == float(maximum)


@pytest.mark.parametrize("maximum", ["500", "many"])
def test_a_maximum_length_that_does_not_restrict_or_is_invalid_leaves_the_field(
    monkeypatch, maximum
):
    monkeypatch.setenv("NANOCONF_MAX_LENGTH", maximum)
    assert FIELDS["duration_ns"] is DURATION


def test_long_text_is_truncated_in_the_message_but_not_in_the_field(state):
    state.type("salt_concentration", "x" * 500)
    assert len(state.problems["salt_concentration"]) < 120
    assert len(state.texts["salt_concentration"]) == 500


def test_engine_errors_appear_next_to_the_field(state, monkeypatch):
    def refuse(**_inputs):
        raise InvalidInput("salt_concentration", 0.9, "the ions would fill the slit")

    monkeypatch.setattr("nanoconf.gui.entered_inputs.SlitSystem", refuse)
    state.type("salt_concentration", "0.9")
    assert state.problems == {
        "salt_concentration": "Salt concentration c = 0.90: the ions would fill the slit"
    }


def test_stored_field_values_are_restored_and_unknown_fields_ignored(state):
    state.restore({"salt_concentration": "0.6", "confinement_length": "oops", "evil": 1})
    assert state.values["salt_concentration"] == 0.6
    assert "confinement_length" in state.problems
    assert "evil" not in state.texts


def test_every_preset_can_be_simulated_and_sets_the_inputs(state):
    for preset in presets():
        state.choose(preset.system)
        assert state.valid and state.system == preset.system
    state.choose(SlitSystem())
    assert state.texts["negative_diameter"] == ""
