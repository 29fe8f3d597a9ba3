"""Physical system: units, numbers of ions, validation."""

import math

import pytest

from backend.system import MOLAR, InvalidInput, SlitSystem


def test_default_system_has_the_published_size():
    system = SlitSystem()
    assert system.counts == (212, 212)
    assert system.bjerrum_length == pytest.approx(0.714, abs=5e-4)
    assert system.time_unit_ns * 1000 == pytest.approx(2.2, abs=0.03)


def test_time_unit_is_that_of_the_smaller_ion():
    small, large = 0.245, 0.744
    expected = SlitSystem(positive_diameter=small).time_unit_ns
    assert SlitSystem(positive_diameter=large, negative_diameter=small).time_unit_ns == expected
    assert SlitSystem(positive_diameter=small, negative_diameter=large).time_unit_ns == expected
    assert expected * 1000 == pytest.approx(0.746, abs=0.001)


@pytest.mark.parametrize("valencies", [(1, -1), (2, -1), (3, -1), (3, -2), (2, -2), (1, -2)])
@pytest.mark.parametrize("width, concentration", [(3.0, 0.3), (4.0, 0.9), (8.0, 0.05)])
def test_box_is_neutral_and_large_enough_and_has_the_exact_concentration(
    valencies, width, concentration
):
    system = SlitSystem(width, *valencies, concentration, 0.5)
    positive, negative = system.counts
    assert positive * valencies[0] + negative * valencies[1] == 0
    volume = system.box_length**2 * width
    assert negative / volume / MOLAR == pytest.approx(concentration, rel=1e-12)
    assert negative >= 212
    assert system.box_length >= 2.4 * width * (1 - 1e-9)
    assert system.box_length >= 20 * system.debye_length * (1 - 1e-9)


def test_charged_walls_add_counterions_and_report_the_charge_they_balance():
    system = SlitSystem(surface_charge_density=-0.01)
    positive, negative = system.counts
    assert positive - negative == round(2 * 0.01 * system.box_length**2 / 0.1602176634)
    assert system.actual_surface_charge_density == pytest.approx(-0.01, rel=0.02)


@pytest.mark.parametrize(
    "changes, parameter",
    [
        ({"confinement_length": math.nan}, "confinement_length"),
        ({"salt_concentration": 9}, "salt_concentration"),
        ({"salt_concentration": "0.5"}, "salt_concentration"),
        ({"salt_concentration": 4.0}, "salt_concentration"),
        ({"positive_valency": 1.5}, "positive_valency"),
        ({"positive_valency": True}, "positive_valency"),
        ({"negative_valency": 1}, "negative_valency"),
        ({"positive_diameter": math.inf}, "positive_diameter"),
        ({"confinement_length": 0.7}, "confinement_length"),
        ({"wall": "brick"}, "wall"),
        ({"surface_charge_density": 0.1}, "surface_charge_density"),
        ({"confinement_length": 30.0, "salt_concentration": 1.0}, "confinement_length"),
    ],
)
def test_bad_input_raises_a_one_line_error_with_parameter_and_value(changes, parameter):
    with pytest.raises(InvalidInput) as refusal:
        SlitSystem(**changes)
    assert refusal.value.parameter == parameter
    assert str(refusal.value).startswith(f"{parameter} = {changes[parameter]!r}: ")
    assert "\n" not in str(refusal.value)


def test_a_system_can_be_written_to_json_and_read_back():
    system = SlitSystem(3.2, 3, -1, 0.9, 0.6, wall="plane")
    assert SlitSystem.from_dict(system.to_dict()) == system
    with pytest.raises(InvalidInput, match="confinement_lenght"):
        SlitSystem.from_dict({"confinement_lenght": 3.0})


def test_more_ions_enlarge_the_box_at_the_same_concentration():
    usual, more = SlitSystem(), SlitSystem(negative_ions=424)
    assert more.counts == (424, 424)
    assert more.box_length == pytest.approx(usual.box_length * 2**0.5)
    assert SlitSystem(negative_ions=212) == usual
    assert SlitSystem.from_dict(more.to_dict()) == more
    assert "negative_ions" not in usual.to_dict()


@pytest.mark.parametrize("changes", [{"negative_ions": 20}, {"negative_ions": 301}])
def test_too_small_a_box_and_noninteger_ion_numbers_are_rejected(changes):
    with pytest.raises(
        InvalidInput, match=r"negative_ions = .*: must lie between .* multiple of 3"
    ):
        SlitSystem(positive_valency=3, **changes)
