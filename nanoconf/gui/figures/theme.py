"""Colours and line styles of figures, from the colour-blind-safe palette of Okabe and Ito."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nanoconf.gui.figures.plots import MD, ML, PB, Curve


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes
    ----------
    paper, ink, faint, wall, stale : str
        Colours of the background, of lines and text, of the grid, of the walls, and of stale
        curves.
    of : dict of (str, str) to str
        Colour of each source and species; an empty species stands for both.
    family : str
        Name of the colour map for families of curves.
    """

    paper: str
    ink: str
    faint: str
    wall: str
    stale: str
    of: dict[tuple[str, str], str]
    family: str = "viridis"

    def colour(self, curve: Curve) -> Any:
        """Return the colour of a curve."""
        if curve.shade is not None:
            import matplotlib

            return matplotlib.colormaps[self.family](0.05 + 0.8 * curve.shade)
        if curve.stale and curve.source == MD:
            return self.stale
        return self.of[curve.source, curve.species]


LIGHT = Theme(
    paper="#ffffff",
    ink="#23262d",
    faint="#e6e8ec",
    wall="#d9dce2",
    stale="#8a8f98",
    of={
        (MD, "positive"): "#0072B2",
        (MD, "negative"): "#0072B2",
        (MD, ""): "#0072B2",
        (ML, "positive"): "#D55E00",
        (ML, "negative"): "#009E73",
        (ML, ""): "#D55E00",
        (PB, "positive"): "#8f4a74",
        (PB, "negative"): "#8f4a74",
        (PB, ""): "#8f4a74",
    },
)

DARK = Theme(
    paper="#1c1f25",
    ink="#e4e7ec",
    faint="#343943",
    wall="#3a404b",
    stale="#868d99",
    of={
        (MD, "positive"): "#56B4E9",
        (MD, "negative"): "#56B4E9",
        (MD, ""): "#56B4E9",
        (ML, "positive"): "#F0A030",
        (ML, "negative"): "#2CC79A",
        (ML, ""): "#F0A030",
        (PB, "positive"): "#E5A3C9",
        (PB, "negative"): "#E5A3C9",
        (PB, ""): "#E5A3C9",
    },
    family="cool",
)

LINES: dict[tuple[str, str], Any] = {
    (ML, "positive"): "-",
    (ML, "negative"): (0, (6, 2)),
    (ML, ""): "-",
    (PB, "positive"): (0, (1, 1.5)),
    (PB, "negative"): (0, (8, 2, 1, 2)),
    (PB, ""): (0, (1, 1.5)),
}
POINTS = {"positive": "s", "negative": "o", "": "D"}

FAMILY_LINES: tuple[Any, ...] = (
    *("-", (0, (6, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2))),
    *((0, (3, 1.5)), (0, (8, 2, 1, 2, 1, 2)), (0, (12, 3))),
)
FAMILY_POINTS = ("o", "s", "^", "D", "v", "P", "X")
"""Line styles and markers of a family, which distinguish its curves without colours."""
