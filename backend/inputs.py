"""Table of inputs: the source of their names, symbols, units, ranges, defaults, flags and keys.

`SYSTEM` lists the inputs of a physical system, in the order of the fields of
`backend.system.SlitSystem`. Validation, the command line, the page, datasets and the surrogate
read the table when they are called, so a new input needs one entry here and one field there.
`backend.settings.SETTINGS` is the same kind of table for the settings of a run. This module
imports only the standard library.
"""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

MAXIMUM_IONS = 16384
"""Largest number of ions, of both species together, in a simulation."""


LONGEST_VALUE, LONGEST_MESSAGE = 120, 1000
"""Number of characters of a value, and of a message, that errors show."""


def shortened(text: str, limit: int) -> str:
    """Return text without its middle if it is longer than the limit."""
    tail = limit // 3
    return text if len(text) <= limit else f"{text[: limit - tail - 1]}…{text[-tail:]}"


def escaped(text: str) -> str:
    """Return text with line breaks and other invisible characters escaped."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def shown(value: object, *, quoted: bool = False) -> str:
    """Return a value as errors show it: shortened, in one line, text in quotes where needed."""
    if not isinstance(value, str):
        return escaped(shortened(_representation(value), LONGEST_VALUE))
    text = shortened(value, LONGEST_VALUE)
    plain = bool(text) and text.isprintable() and text == text.strip()
    return text if plain and not quoted else repr(text)


def _representation(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python does not print integers of more than 4300 digits
        return f"a {type(value).__name__} that is too long to print"


def check_text(name: str, text: str) -> str:
    """Return a text; raise `InvalidInput` if it is not one line of valid Unicode."""
    if any("\ud800" <= each <= "\udfff" for each in text):
        advice = "" if sys.getfilesystemencoding() == "utf-8" else ": set PYTHONUTF8=1"
        raise InvalidInput(name, text, f"must be valid UTF-8 text{advice}")
    if any(each < " " or "\x7f" <= each <= "\x9f" or each in "\u2028\u2029" for each in text):
        raise InvalidInput(name, text, "must not contain line breaks or control characters")
    return text


class InvalidInput(ValueError):
    """Raised when an input is invalid, so that no simulation can start.

    Parameters
    ----------
    parameter : str
        Name of the invalid input, e.g. ``salt_concentration``.
    value : object
        The invalid value.
    allowed : str
        Allowed values, in words and with units.
    """

    def __init__(self, parameter: str, value: object, allowed: str):
        self.parameter, self.value, self.allowed = parameter, value, allowed
        line = f"{parameter} = {shown(value, quoted=True)}: {allowed}"
        super().__init__(escaped(shortened(line, LONGEST_MESSAGE)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.parameter, self.value, self.allowed)


@dataclass(frozen=True)
class Range:
    """Closed interval of allowed values, with a unit."""

    low: float
    high: float
    unit: str

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"must lie between {self.low:g} and {self.high:g} {self.unit}".rstrip()


def checked(name: str, value: object, allowed: Range, whole: bool = False) -> float | int:
    """Return a number as a float, or as an int if `whole`; raise `InvalidInput` if out of range."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidInput(name, value, f"is not a number; it {allowed}")
    try:
        # converting a large integer to float would lose digits
        number = int(value) if isinstance(value, numbers.Integral) else float(value)
        valid = number in allowed and math.isfinite(number)
    except OverflowError:
        valid = False
    if not valid:
        raise InvalidInput(name, value, str(allowed))
    if not whole:
        return float(number)
    if number != int(number):
        raise InvalidInput(name, value, f"is not a whole number; it {allowed}")
    return int(number)


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input: a number in a range, or one of several words.

    Parameters
    ----------
    name : str
        Name in Python, on disk and in table columns.
    term : str
        Name in running text, without symbol and unit.
    help : str
        One-line explanation.
    default : float, int, str or None
        Default value; None for an optional input.
    unset : str
        Meaning of None, in words.
    symbol, unit : str
        Symbol and unit; may be empty.
    low, high : float
        Range of a number. Combinations of inputs may restrict it further.
    whole : bool
        Allow only whole numbers.
    choices : collection of str
        Allowed words; empty for numbers. Pass the keys of a dict to include later additions.
    key : str
        Short name in links to the page; by default `name`.
    flags : tuple of str
        Command-line options; by default ``--name``, with hyphens.
    metavar : str
        Placeholder for the value in ``--help``; by default the choices.
    """

    name: str
    term: str
    help: str
    default: float | int | str | None = None
    unset: str = ""
    symbol: str = ""
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    choices: Collection[str] = ()
    key: str = ""
    flags: tuple[str, ...] = ()
    metavar: str = ""

    @property
    def range(self) -> Range:
        """Range of a number, with its unit."""
        return Range(self.low, self.high, self.unit)

    @property
    def title(self) -> str:
        """Term and symbol."""
        return f"{self.term} {self.symbol}".rstrip()

    @property
    def label(self) -> str:
        """Term and symbol, followed by the unit unless the number is whole."""
        return f"{self.title} ({self.unit})" if self.unit and not self.whole else self.title

    @property
    def default_text(self) -> str:
        """Default value in words."""
        if self.default is None:
            return self.unset
        return self.default if isinstance(self.default, str) else f"{self.default:g}"

    @property
    def link_key(self) -> str:
        """Short name in links to the page."""
        return self.key or self.name

    @property
    def options(self) -> tuple[str, ...]:
        """Command-line options."""
        return self.flags or (f"--{self.name.replace('_', '-')}",)

    @property
    def placeholder(self) -> str:
        """Placeholder for the value in ``--help``."""
        return self.metavar or f"{{{','.join(self.choices)}}}"

    def check(self, value: Any) -> Any:
        """Return the value as a float, an int or a word; raise `InvalidInput` if not allowed."""
        if value is None and self.default is None:
            return None
        if not self.choices:
            return checked(self.name, value, self.range, self.whole)
        if not isinstance(value, str) or value not in self.choices:
            raise InvalidInput(self.name, value, f"must be one of {', '.join(self.choices)}")
        return value


def by_name(*inputs: Input) -> dict[str, Input]:
    """Return the inputs by name, in the given order."""
    return {each.name: each for each in inputs}


SYSTEM = by_name(
    Input(
        name="confinement_length",
        term="Confinement length",
        help="slit width h",
        default=3.0,
        symbol="h",
        unit="nm",
        low=0.6,
        high=30.0,
        key="h",
        flags=("-Z", "--confinement-length"),
        metavar="NM",
    ),
    Input(
        name="positive_valency",
        term="Positive ion valency",
        help="valency z+ of the positive ions",
        default=1,
        symbol="z₊",
        unit="e",
        low=1,
        high=3,
        whole=True,
        key="zp",
        flags=("-p", "--positive-valency"),
        metavar="N",
    ),
    Input(
        name="negative_valency",
        term="Negative ion valency",
        help="valency z- of the negative ions",
        default=-1,
        symbol="z₋",
        unit="e",
        low=-3,
        high=-1,
        whole=True,
        key="zn",
        flags=("-n", "--negative-valency"),
        metavar="N",
    ),
    Input(
        name="salt_concentration",
        term="Salt concentration",
        help="concentration of the negative ions",
        default=0.5,
        symbol="c",
        unit="M",
        low=0.001,
        high=5.0,
        key="c",
        flags=("-c", "--salt-concentration"),
        metavar="M",
    ),
    Input(
        name="positive_diameter",
        term="Ion diameter",
        help="diameter of the positive ions",
        default=0.714,
        symbol="d",
        unit="nm",
        low=0.1,
        high=2.0,
        key="d",
        flags=("-d", "--positive-diameter", "--ion-diameter"),
        metavar="NM",
    ),
    Input(
        name="negative_diameter",
        term="Negative diameter",
        help="diameter of the negative ions",
        unset="same as the positive ions",
        symbol="d₋",
        unit="nm",
        low=0.1,
        high=2.0,
        key="dn",
        flags=("-a", "--negative-diameter"),
        metavar="NM",
    ),
    Input(
        name="wall",
        term="Wall",
        help="origin of the wall repulsion: a dummy ion behind the wall, or the wall plane",
        default="ion",
        choices=("ion", "plane"),
    ),
    Input(
        name="surface_charge_density",
        term="Surface charge",
        help="surface charge density of each wall, zero or negative",
        default=0.0,
        symbol="σ",
        unit="C/m²",
        low=-0.2,
        high=0.0,
        key="sigma",
        flags=("-i", "--surface-charge", "--surface-charge-density"),
        metavar="C/m^2",
    ),
    Input(
        name="temperature",
        term="Temperature",
        help="temperature",
        default=298.0,
        symbol="T",
        unit="K",
        low=200.0,
        high=500.0,
        metavar="K",
    ),
    Input(
        name="relative_permittivity",
        term="Relative permittivity",
        help="relative permittivity",
        default=78.5,
        symbol="ε_r",
        low=2.0,
        high=200.0,
        flags=("--permittivity",),
        metavar="EPS",
    ),
    Input(
        name="negative_ions",
        term="Negative ions in the box",
        help="number of negative ions in the box",
        unset="chosen for the system, at least 212",
        symbol="N₋",
        low=1,
        high=MAXIMUM_IONS,
        whole=True,
        metavar="N",
    ),
)
"""Inputs of a physical system."""
