"""Colours of the page: contrast of text and controls in both themes (WCAG 2.2, AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nanoconf.gui

STYLE = Path(nanoconf.gui.__file__).with_name("style.css").read_text(encoding="utf-8")
THEMES = {"light": ":root", "dark": ".nc-dark"}
TEXT, CONTROL = 4.5, 3.0

PAIRS = (
    *(("ink", ground, TEXT) for ground in ("paper", "ground", "tint", "warn", "wrong", "hover")),
    *(("quiet", ground, TEXT) for ground in ("paper", "ground", "hover")),
    *(("blue-dark", ground, TEXT) for ground in ("paper", "ground", "tint", "warn")),
    *(("orange-dark", ground, TEXT) for ground in ("ground", "warn")),
    *(("red", ground, TEXT) for ground in ("paper", "wrong")),
    ("warn-ink", "warn", TEXT),
    ("green", "paper", TEXT),
    *(("paper", ion, TEXT) for ion in ("positive", "negative")),
    *(("white", button, TEXT) for button in ("orange", "orange-hover", "run", "run-hover")),
    *(("edge", ground, CONTROL) for ground in ("paper", "ground")),
    *(("blue", ground, CONTROL) for ground in ("paper", "ground", "track", "tint")),
)


def colours(theme: str) -> dict[str, str]:
    """Return the variables of a theme; those that the dark theme leaves out are the light ones."""
    found = {"white": "#ffffff"}
    for name in ("light", theme):
        block = re.search(rf"^{re.escape(THEMES[name])} {{(.*?)^}}", STYLE, re.M | re.S)
        found.update(re.findall(r"--nc-([\w-]+): (#[0-9a-f]{6});", block[1]))
    return found


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour as WCAG defines it."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    dark, light = sorted(map(luminance, (a, b)))
    return (light + 0.05) / (dark + 0.05)


def test_the_arrow_of_a_list_is_visible_on_the_dark_theme():
    (arrow,) = re.findall(r"--jp-widgets-dropdown-arrow: .*?fill='%23([0-9a-f]{6})'", STYLE)
    assert contrast(f"#{arrow}", colours("dark")["paper"]) >= CONTROL


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_colours_have_enough_contrast(theme, front, back, least):
    found = colours(theme)
    assert contrast(found[front], found[back]) >= least
