"""Origin of a figure: its simulations, model and systems, for file names and metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.inputs import SYSTEM
from nanoconf.gui import words

if TYPE_CHECKING:
    from backend.system import SlitSystem

MD, ML, PB = "MD", "ML", "PB"
"""Source of a curve: a simulation, the surrogate, Poisson-Boltzmann theory."""

SOURCES = {MD: "MD simulation, run {}", ML: "ML prediction, {}", PB: "Poisson-Boltzmann theory"}
"""Description of each kind of source, from its id."""

SHORT_ID = 8
"""Number of characters of a run's id in a file name."""

NAMED_RUNS = 3
"""Largest number of runs that a file name lists."""

PARTS = {
    "positive_diameter": "d{}",
    "negative_diameter": "dneg{}",
    "surface_charge_density": "sigma{}",
    "wall": "{}-wall",
    "temperature": "{}K",
    "relative_permittivity": "eps{}",
    "negative_ions": "N{}",
}
"""Parts of a file name for inputs that differ from their defaults."""


@dataclass(frozen=True)
class Source:
    """Source of one or more curves.

    Attributes
    ----------
    kind : {"MD", "ML", "PB"}
    name : str
        ID of the run, or name of the model; empty for theory.
    system : SlitSystem
        Its system.
    """

    kind: str
    name: str
    system: SlitSystem

    def as_text(self) -> str:
        """Describe the source in words."""
        return SOURCES[self.kind].format(self.name or "unknown")


@dataclass(frozen=True)
class Varied:
    """Input that varies in a figure, with its range."""

    name: str
    low: float
    high: float

    def as_text(self) -> str:
        """Describe the range in words."""
        low, high = (f"{value:.6g}".replace("-", "−") for value in (self.low, self.high))
        each = SYSTEM[self.name]
        return f"{each.title} from {low} to {high} {'' if each.whole else each.unit}".rstrip()


@dataclass(frozen=True)
class Origin:
    """Sources of a figure.

    Attributes
    ----------
    sources : tuple of Source
        The most important one comes first.
    varied : Varied, optional
        The input that varies.
    """

    sources: tuple[Source, ...] = ()
    varied: Varied | None = None

    @property
    def systems(self) -> list[SlitSystem]:
        """The systems of the sources, without repetition."""
        return list(dict.fromkeys(source.system for source in self.sources))

    @property
    def names(self) -> list[str]:
        """IDs of the runs and name of the model."""
        return list(dict.fromkeys(source.name for source in self.sources if source.name))

    def lines(self) -> list[str]:
        """Describe the inputs, the varied input and the sources, one per line."""
        single = len(self.systems) == 1
        lines = [f"Inputs: {words.describe(self.systems[0], full=True)}"] if single else []
        if self.varied is not None:
            lines.append(f"Varied: {self.varied.as_text()}")
        for source in self.sources:
            of = "" if single else f": {words.describe(source.system, full=True)}"
            lines.append(f"Source: {source.as_text()}{of}")
        return lines

    def stem(self, title: str) -> str:
        """Return the file name of the figure with a given title, without its extension.

        It gives the inputs of the system, the run (or the model, if there is no run) and the
        figure: ``h3.0_1-1_0.5M_3c8277b7_positive``.
        """
        parts = [*self._system_parts(), *self._name_parts(), slug(title)]
        return "_".join(map(_safe, filter(None, parts)))

    def _system_parts(self) -> list[str]:
        if not self.sources:
            return []
        simulated = {each.system for each in self.sources if each.kind == MD}
        if self.varied is None and len(simulated) > 1:  # a comparison of runs
            return []
        return system_parts(self.sources[0].system, self.varied)

    def _name_parts(self) -> list[str]:
        if not self.sources:
            return []
        kind = self.sources[0].kind
        if kind != MD:
            return [self.sources[0].name or {ML: "model", PB: "theory"}[kind]]
        runs = [each.name[:SHORT_ID] for each in self.sources if each.kind == MD]
        more = len(runs) - NAMED_RUNS
        return ["-".join(runs[:NAMED_RUNS]) + (f"-and-{more}-more" if more > 0 else "")]


UNKNOWN = Origin()


def system_parts(system: SlitSystem, varied: Varied | None = None) -> list[str]:
    """Return the parts of a file name that describe a system.

    They are slit width, valencies and concentration, and every other input that is not the default:
    ``["h3.0", "1-1", "0.5M"]``. A varied input is given as a range: ``0.3to0.9M``.
    """

    def text(name: str) -> str:
        if varied is not None and varied.name == name:
            return f"{_number(name, varied.low)}to{_number(name, varied.high)}"
        return _number(name, getattr(system, name))

    valencies = f"{text('positive_valency')}{text('negative_valency')}"
    parts = [f"h{text('confinement_length')}", valencies, f"{text('salt_concentration')}M"]
    return parts + [
        PARTS.get(name, f"{name}{{}}").format(text(name))
        for name in SYSTEM
        if name not in FIRST and _is_special(system, name, varied)
    ]


FIRST = ("confinement_length", "positive_valency", "negative_valency", "salt_concentration")
"""Inputs that every file name contains."""


def _is_special(system: SlitSystem, name: str, varied: Varied | None) -> bool:
    """Return True if a file name must contain an input."""
    if varied is not None and varied.name == name:
        return True
    default = SYSTEM[name].default
    if name == "negative_diameter":
        default = system.positive_diameter
    return bool(getattr(system, name) != default)


def _number(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    text = f"{value:.6g}"
    decimal = SYSTEM[name].unit in ("nm", "M") and text.lstrip("-").isdigit()
    return f"{text}.0" if decimal else text


def slug(title: str) -> str:
    """Return the part of a file name for a title: ``Positive Ion Density`` gives ``positive``."""
    return title.replace(" Ion Density", "").replace(" Graph", "").lower().replace(" ", "-")


def _safe(part: str) -> str:
    """Replace the characters that a file name should not contain."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", part).strip("-.")
