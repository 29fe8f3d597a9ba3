"""A drawing of the slit: two walls with ions between them, to scale unless too small to see."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from nanoconf.gui.fields import FIELDS
from nanoconf.gui.state import AppState

if TYPE_CHECKING:
    from backend.system import SlitSystem

WIDTH, HEIGHT = 282, 64
ROOM, MIDDLE = 140.0, 82.0
"""Width for the gap between the walls, and its centre (px)."""

IONS_HEIGHT, WALL = 48.0, 9.0
"""Height of the walls, and their thickness (px)."""

NARROWEST, SMALLEST, LARGEST = 24.0, 6.0, 30.0
"""Smallest gap, and smallest and largest diameters of ions in the drawing (px)."""

READABLE = 10.0
"""Smallest diameter of ions that show their sign (px)."""

MOST_IONS, MOST_CHARGES = 12, 6
SPECIES = ("positive", "negative")

LEGEND = 175
"""Left edge of the legend (px)."""


class SlitDrawing(widgets.HTML):
    """The slit that the inputs describe; invalid inputs leave the last drawing unchanged."""

    def __init__(self, state: AppState):
        self._state = state
        super().__init__()
        self.add_class("nc-drawing")
        state.observe(self._show, "values")
        self._show()

    def _show(self, _change: Any = None) -> None:
        system = self._state.chosen_system
        if system is not None:
            self.value = slit_svg(system)


@dataclass(frozen=True)
class Ion:
    """A circle of the drawing: species, sign, centre and diameter (px)."""

    species: str
    sign: str
    x: float
    y: float
    diameter: float


def slit_svg(system: SlitSystem) -> str:
    """Return the drawing of a system as an SVG element with a description in words."""
    gap, diameters = sizes(system)
    left, right = MIDDLE - gap / 2, MIDDLE + gap / 2
    parts = [
        _wall(left - WALL),
        _wall(right),
        *_wall_charges(system, left - WALL / 2),
        *_wall_charges(system, right + WALL / 2),
        *map(_circle, placed_ions(system, gap, diameters)),
        *_width_arrow(left, right),
        *_legend(system),
    ]
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(in_words(system))}'>"
        f"{''.join(parts)}</svg>"
    )


def sizes(system: SlitSystem) -> tuple[float, tuple[float, float]]:
    """Return the gap between the walls and the diameters of both ion species (px).

    All have the same scale, unless the ions or the gap would be too small to see.
    """
    scale = min(ROOM / system.confinement_length, LARGEST / max(system.diameters))
    positive, negative = (max(SMALLEST, scale * each) for each in system.diameters)
    gap = max(NARROWEST, positive, negative, scale * system.confinement_length)
    return gap, (positive, negative)


def placed_ions(system: SlitSystem, gap: float, diameters: tuple[float, float]) -> list[Ion]:
    """Return ions in two rows across the gap, neutral overall if there is room."""
    positive, negative = system.valencies
    signs = _sign(positive), _sign(negative)
    largest = max(diameters)
    span = gap - largest
    count = _count(span, largest, positive - negative)
    ions = []
    for i in range(count):
        kind = _kind(i, positive, -negative)
        x = MIDDLE + (span * (i / (count - 1) - 0.5) if count > 1 else 0.0)
        y = IONS_HEIGHT / 2 + (-1) ** i * _offset(diameters[kind])
        ions.append(Ion(SPECIES[kind], signs[kind], x, y, diameters[kind]))
    return ions


def _offset(diameter: float) -> float:
    """Return the distance of a row of ions from the centre line (px)."""
    return 0.45 * (IONS_HEIGHT - diameter)


def _count(span: float, diameter: float, neutral: int) -> int:
    """Return how many ions fit side by side: a multiple of `neutral`, if that many fit.

    Parameters
    ----------
    span : float
        Distance between the first and the last ion (px).
    diameter : float
        Diameter of the larger ions (px).
    neutral : int
        Number of ions in the smallest neutral group.
    """
    apart = 2 * _offset(diameter)  # of the two rows, which alternate
    step = 1.04 * max(diameter / 2, max(0.0, diameter**2 - apart**2) ** 0.5)
    count = min(MOST_IONS, int(span / step) + 1)
    return count - count % neutral if count >= neutral else count


def _kind(i: int, positive: int, negative: int) -> int:
    """Return 0 for a positive ion and 1 for a negative one, in the ratio of their numbers."""
    total = positive + negative
    # Positive ions make up a fraction negative/total, as evenly spread as whole numbers allow.
    before, after = (k * negative // total for k in (i, i + 1))
    return 0 if after > before else 1


def in_words(system: SlitSystem) -> str:
    """Describe the drawing."""
    positive, negative = system.valencies
    width, first, second, charge = (_value(name, system) for name in LABELLED)
    return (
        f"Slit of width h = {width} between two walls with a surface charge σ = {charge}. "
        f"Between them are positive ions of valency {_number(positive)} and diameter d₊ = {first}, "
        f"and negative ions of valency {_number(negative)} and diameter d₋ = {second}."
    )


LABELLED = {
    "confinement_length": "h",
    "positive_diameter": "d₊",
    "negative_diameter": "d₋",
    "surface_charge_density": "σ",
}
"""Inputs of the legend with their symbols."""


def _legend(system: SlitSystem) -> list[str]:
    """Return the symbols and values of the labelled inputs, one line each."""
    lines = []
    for i, (name, symbol) in enumerate(LABELLED.items()):
        y = 11 + 15.5 * i
        species = name.removesuffix("_diameter")
        if species != name:
            lines.append(f"<circle class='nc-{species}' cx='{LEGEND + 4}' cy='{y - 4}' r='4'/>")
        lines.append(f"<text x='{LEGEND + 14}' y='{y}'>{symbol}</text>")
        lines.append(f"<text x='{LEGEND + 32}' y='{y}'>{escape(_value(name, system))}</text>")
    return lines


def _value(name: str, system: SlitSystem) -> str:
    field = FIELDS[name]
    return f"{field.text(getattr(system, name))} {field.unit}".rstrip()


def _number(valency: int) -> str:
    return f"{valency}".replace("-", "−")


def _sign(valency: int) -> str:
    """Return the charge as printed beside a chemical formula: ``+``, ``2+``, ``−``."""
    sign = "+" if valency > 0 else "−"
    return sign if abs(valency) == 1 else f"{abs(valency)}{sign}"


def _wall(x: float) -> str:
    return f"<rect class='nc-wall' x='{x:.1f}' y='0' width='{WALL}' height='{IONS_HEIGHT}'/>"


def _wall_charges(system: SlitSystem, x: float) -> list[str]:
    """Return minus signs on a wall, more of them for a higher charge."""
    lowest = FIELDS["surface_charge_density"].low
    share = system.surface_charge_density / lowest if lowest else 0.0
    count = 0 if share <= 0 else max(1, round(MOST_CHARGES * share**0.5))
    places = (IONS_HEIGHT * (i + 0.5) / count for i in range(count))
    return [f"<path class='nc-wall-charge' d='M{x - 2.5:.1f} {y:.1f}h5'/>" for y in places]


def _circle(ion: Ion) -> str:
    size = min(13.0, ion.diameter * 0.7)
    circle = (
        f"<circle class='nc-{ion.species}' cx='{ion.x:.1f}' cy='{ion.y:.1f}' "
        f"r='{ion.diameter / 2:.1f}'/>"
    )
    if ion.diameter < READABLE:
        return circle
    text = (
        f"<text class='nc-sign' x='{ion.x:.1f}' y='{ion.y + size * 0.35:.1f}' "
        f"style='font-size: {size:.1f}px'>{ion.sign}</text>"
    )
    return circle + text


def _width_arrow(left: float, right: float) -> list[str]:
    """Return the double arrow below the ions that marks the width h."""
    y = IONS_HEIGHT + 8
    return [
        f"<path class='nc-width-arrow' d='M{left:.1f} {y - 3}v6M{right:.1f} {y - 3}v6"
        f"M{left:.1f} {y}H{MIDDLE - 8}M{MIDDLE + 8} {y}H{right:.1f}'/>",
        f"<text class='nc-middle' x='{MIDDLE}' y='{y + 4}'>h</text>",
    ]
