"""The drawing of the slit above the fields."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from backend.system import SlitSystem
from nanoconf.gui.widgets.slit_drawing import (
    HEIGHT,
    WIDTH,
    SlitDrawing,
    in_words,
    placed_ions,
    sizes,
    slit_svg,
)

SYSTEMS = {
    "default": SlitSystem(),
    "unequal": SlitSystem(3.0, 2, -1, 0.5, 0.8, 0.4),
    "wide, small ions": SlitSystem(30.0, 1, -1, 0.001, 0.1),
    "narrow, large ions": SlitSystem(2.4, 3, -1, 0.05, 2.0),
    "charged": SlitSystem(surface_charge_density=-0.2),
}


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_ions_lie_between_the_walls_and_inside_the_drawing(system):
    gap, diameters = sizes(system)
    ions = placed_ions(system, gap, diameters)
    assert {ion.species for ion in ions} <= {"positive", "negative"}
    middle = sum(ion.x for ion in ions) / len(ions)
    for ion in ions:
        assert abs(ion.x - middle) + ion.diameter / 2 <= gap / 2 + 1e-9
        assert ion.y - ion.diameter / 2 >= 0 and ion.y + ion.diameter / 2 <= HEIGHT
    drawing = ET.fromstring(slit_svg(system))
    assert drawing.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    for element in drawing.iter():
        assert 0 <= float(element.get("x", 0)) <= WIDTH


@pytest.mark.parametrize("name", ["default", "unequal"])
def test_width_and_diameters_have_the_same_scale(name):
    system = SYSTEMS[name]
    gap, (positive, negative) = sizes(system)
    scale = gap / system.confinement_length
    assert positive == pytest.approx(scale * system.diameters[0])
    assert negative == pytest.approx(scale * system.diameters[1])


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_ions_do_not_overlap(system):
    ions = placed_ions(system, *sizes(system))
    for a, b in combinations(ions, 2):
        assert math.hypot(a.x - b.x, a.y - b.y) >= (a.diameter + b.diameter) / 2


def test_the_drawn_ions_are_neutral_overall_if_there_is_room():
    for valency in (1, 2, 3):
        system = SlitSystem(4.0, valency, -1, 0.5, 0.5)
        signs = [ion.sign for ion in placed_ions(system, *sizes(system))]
        assert signs.count("−") == valency * (len(signs) - signs.count("−")) > 0


def test_small_ions_remain_visible():
    _gap, diameters = sizes(SYSTEMS["wide, small ions"])
    assert min(diameters) >= 6


def test_a_charged_wall_has_minus_signs_and_a_neutral_one_has_none():
    def count(charge: float) -> int:
        return slit_svg(SlitSystem(surface_charge_density=charge)).count("nc-wall-charge")

    assert count(0.0) == 0 < count(-0.01) < count(-0.2)


def test_the_drawing_is_described_in_words():
    system = SlitSystem(3.0, 2, -1, 0.5, 0.8, 0.4)
    assert in_words(system) == (
        "Slit of width h = 3.00 nm between two walls with a surface charge σ = 0.000 C/m². "
        "Between them are positive ions of valency 2 and diameter d₊ = 0.800 nm, "
        "and negative ions of valency −1 and diameter d₋ = 0.400 nm."
    )
    drawing = ET.fromstring(slit_svg(system))
    assert drawing.get("role") == "img" and drawing.get("aria-label") == in_words(system)


def test_the_labels_show_the_values(state):
    texts = ET.fromstring(slit_svg(SlitSystem())).itertext()
    assert {"h", "3.00 nm", "d₊", "d₋", "0.714 nm", "σ", "0.000 C/m²"} <= set(texts)


def test_the_drawing_follows_valid_inputs(state):
    drawing = SlitDrawing(state)
    first = drawing.value
    state.type("positive_diameter", "0.5")
    assert drawing.value != first and re.search(r">0\.500 nm<", drawing.value)
    second = drawing.value
    state.type("positive_diameter", "x")
    assert drawing.value == second
