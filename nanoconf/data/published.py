"""Systems shown in the published paper. They are used for evaluation, not for training.

JCS Kadupitiya, Fanbo Sun, Geoffrey Fox and Vikram Jadhao, "Machine learning surrogates for
molecular dynamics simulations of soft materials", J. Comput. Sci. 42, 101107 (2020).
"""

from __future__ import annotations

from backend.system import SlitSystem


def _system(h: float, z: int, c: float, d: float) -> SlitSystem:
    return SlitSystem(
        confinement_length=h,
        positive_valency=z,
        negative_valency=-1,
        salt_concentration=c,
        positive_diameter=d,
    )


SYSTEMS = {
    "I": _system(3.2, 1, 0.6, 0.65),
    "II": _system(3.6, 3, 0.9, 0.75),
    "III": _system(3.3, 3, 0.35, 0.714),
    "IV": _system(3.6, 1, 0.9, 0.6),
}
"""Systems of Fig. 5."""

TRENDS = {f"c = {c}, z₊ = {z}": _system(3.0, z, c, 0.7) for c in (0.5, 0.9) for z in (1, 2, 3)}
"""Systems of Fig. 6."""

KEPT_OUT = (*SYSTEMS.values(), *TRENDS.values())
"""All systems that are excluded from training."""
