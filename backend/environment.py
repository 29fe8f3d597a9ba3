"""Environment variables: their validation, and a fingerprint of the environment of a process."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from backend import __version__
from backend.inputs import InvalidInput, check_text

MAX_LENGTH, MAX_RUNS = "NANOCONF_MAX_LENGTH", "NANOCONF_MAX_RUNS"
"""Limits of the page: the length of a simulation (ns) and the unfinished runs of one browser."""

WHOLE_NUMBERS = {
    "NANOCONF_CORES": (1, "must be a whole number of cores, 1 or more"),
    "NANOCONF_RETRAIN_AFTER": (0, "must be a whole number of runs; 0 means never"),
    MAX_RUNS: (1, "must be a whole number of runs, 1 or more"),
}
"""Variables that hold whole numbers: the least one, and what is allowed in words."""

MAXIMUM_DIGITS = 9

FOLDERS = ("NANOCONF_HOME", "NANOCONF_MODELS", "NANOCONF_CLUSTER_CONFIG")
"""Variables that hold paths."""

SECONDS, COMMAND = "NANOCONF_CHECKPOINT_SECONDS", "NANOCONF_MPI"

UNRELATED = ("NANOCONF_HOME", MAX_LENGTH, MAX_RUNS)
"""Variables of `CHECKS` that do not affect the keeper of a home."""


def whole_number(name: str) -> int | None:
    """Return the value of one of `WHOLE_NUMBERS`; None if the variable is not set.

    Raises
    ------
    InvalidInput
        The value is not such a number.
    """
    text = os.environ.get(name)
    return None if text is None else _whole_number(name, text)


def _whole_number(name: str, text: str) -> int:
    least, allowed = WHOLE_NUMBERS[name]
    usual = text.isascii() and text.isdigit() and len(text) <= MAXIMUM_DIGITS
    if not (usual and int(text) >= least):
        raise InvalidInput(name, text, allowed)
    return int(text)


def maximum_length() -> float | None:
    """Return ``NANOCONF_MAX_LENGTH``, the maximum length of the page's simulations (ns).

    Raises
    ------
    InvalidInput
        The value is not a length that a simulation may have.
    """
    text = os.environ.get(MAX_LENGTH)
    return None if text is None else _length(MAX_LENGTH, text)


def _length(name: str, text: str) -> float:
    from backend.settings import SETTINGS

    allowed = SETTINGS["duration_ns"].range
    try:
        length = float(text)
    except ValueError:
        length = math.nan
    if length not in allowed:
        raise InvalidInput(name, text, str(allowed))
    return length


def user_path(name: str, text: str | Path) -> Path:
    """Return a path that a user has given; ``~`` is the home folder.

    Raises
    ------
    InvalidInput
        The text is empty or not valid, or there is no such home folder.
    """
    if not str(text):
        raise InvalidInput(name, "", "must not be empty; without it, the default is used")
    check_text(name, str(text))
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InvalidInput(name, str(text), "the home folder ~ is not known") from error


def default_folder(kind: str, variable: str) -> Path:
    """Return the user's folder for the data, the settings or the cache of this program.

    Parameters
    ----------
    kind : {"data", "config", "cache"}
        What the folder is for.
    variable : str
        Environment variable that names another folder.

    Raises
    ------
    InvalidInput
        The user has no home folder.
    """
    import platformdirs

    try:
        folder = Path(getattr(platformdirs, f"user_{kind}_dir")("nanoconf"))
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise InvalidInput(variable, "", "is missing: this user has no home folder, so set it")
    return folder


def check_environment() -> None:
    """Check all variables of this program, before anything is started.

    Raises
    ------
    InvalidInput
        The value of a variable is not allowed.
    """
    for name in CHECKS:
        text = os.environ.get(name)
        if text is not None:
            check_variable(name, text)


def check_variable(name: str, text: str) -> None:
    """Check a value of one of the variables of this program.

    Raises
    ------
    InvalidInput
        The value is not allowed.
    """
    CHECKS[name](name, text)


def _check_seconds(name: str, text: str) -> None:
    try:
        valid = 0 <= float(text) < float("inf")
    except ValueError:
        valid = False
    if not valid:
        raise InvalidInput(name, text, "must be a time in seconds, 0 or more")


def _check_command(name: str, text: str) -> None:
    check_text(name, text)
    try:
        shlex.split(text)
    except ValueError as error:
        raise InvalidInput(name, text, "must be a command with matching quotes") from error


CHECKS: dict[str, Callable[[str, str], object]] = {
    **dict.fromkeys(WHOLE_NUMBERS, _whole_number),
    **dict.fromkeys(FOLDERS, user_path),
    MAX_LENGTH: _length,
    SECONDS: _check_seconds,
    COMMAND: _check_command,
}
"""Functions that check the variables of this program, by name."""


def fingerprint() -> str:
    """Return a hash of what decides how a keeper started here would work.

    It covers the version and the location of this package, the Python installation, ``PYTHONPATH``
    and the variables of `CHECKS` that affect a keeper.
    """
    relevant = {"PYTHONPATH", "NUMBA_CACHE_DIR", *CHECKS}.difference(UNRELATED)
    chosen = {name: value for name, value in os.environ.items() if value and name in relevant}
    about = [__version__, str(Path(__file__).resolve().parent), sys.prefix, sys.version, chosen]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
