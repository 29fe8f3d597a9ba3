"""Malformed arguments and environment variables, for all commands and options that there are."""

from __future__ import annotations

from argparse import Action, ArgumentParser, _SubParsersAction
from functools import cache
from pathlib import Path
from random import Random

from nanoconf.cli.main import parser
from tests.fuzz.cases import TEXTS, kind
from tests.fuzz.commands import Command

PLAUSIBLE = ("3", "-1", "0.5", "1e-3", "ion", "numba", "c", "result", "seed=2", "list", "show", "8")

UNWANTED = {"--help", "-h", "--version", "--again", "--no-browser"}
"""Options that would print a page of help, or have no value to be wrong."""

CERTAIN = {
    "simulate": ("-Z", "-c", "-d", "--temperature", "--seed", "--set", "--wall", "--replicas"),
    "sweep": ("--random", "--varied", "--seed", "--duration-ns", "--set"),
    "uncertainty": ("-c", "--samples", "--seed", "--at", "--model"),
    **dict.fromkeys(("app", "mcp", "warm-up", "export-page"), ("--no-such-option",)),
    **dict.fromkeys(("evaluate", "compare", "paper", "select-inputs"), ("--no-such-option",)),
    "train": ("--epochs", "--seed"),
}
"""Options whose value is refused whatever the other arguments are, of commands that would start
something; a command line ends with one of them."""


@cache
def commands() -> dict[tuple[str, ...], ArgumentParser]:
    """Return the parser of every command by the words of the command."""
    return dict(_commands((), parser()))


def _commands(words: tuple[str, ...], of: ArgumentParser) -> list:
    nested = [each for each in of._actions if isinstance(each, _SubParsersAction)]
    if not nested:
        return [(words, of)]
    choices = nested[0].choices.items()
    return [found for name, below in choices for found in _commands((*words, name), below)]


@kind("arguments", 0.6)
def arguments(random: Random, folder: Path) -> Command:
    """Make a command line with a few options, at least one of them malformed."""
    words = random.choice(list(commands()))
    options = [each for each in commands()[words]._actions if not UNWANTED & {*each.option_strings}]
    typed = list(words)
    for option in random.choices(options, k=random.randint(0, 3)) if options else ():
        typed += _typed(random, option)
    if random.random() < 0.2:
        typed.insert(random.randrange(len(typed) + 1), random.choice(TEXTS))
    if words[0] in CERTAIN:
        typed += _malformed(random, random.choice(CERTAIN[words[0]]))
    return Command(typed, folder)


def _typed(random: Random, option: Action) -> list[str]:
    """Return an option with the number of values that it takes, or almost."""
    number = {None: 1, "?": 1, "*": 2, "+": 2}.get(option.nargs, option.nargs)
    number = number if isinstance(number, int) else 1
    if random.random() < 0.1:
        number = max(0, number + random.choice((-1, 1)))
    choose = TEXTS if random.random() < 0.6 else PLAUSIBLE
    values = [random.choice(choose) for _ in range(number)]
    flags = list(option.option_strings)
    if not flags:
        return values
    flag = random.choice(flags)
    if values and random.random() < 0.2:
        return [f"{flag}={values[0]}" if flag.startswith("--") else flag + values[0], *values[1:]]
    return [flag, *values]


def _malformed(random: Random, flag: str) -> list[str]:
    """Return an option with a value that is no number and no word that it knows."""
    value = random.choice(TEXTS)
    return [f"{flag}={value}"] if flag.startswith("--") and random.random() < 0.3 else [flag, value]


VARIABLES = (
    *("NANOCONF_CORES", "NANOCONF_HOME", "NANOCONF_CLUSTER_CONFIG", "NANOCONF_MODELS"),
    *("NANOCONF_RETRAIN_AFTER", "NANOCONF_CHECKPOINT_SECONDS", "NANOCONF_MPI"),
)

HARMLESS = (["runs"], ["runs", "--json"], ["cluster", "list"], ["models"], ["predict", "-o", "out"])


@kind("variables", 0.1)
def variables(random: Random, folder: Path) -> Command:
    """Make a command with malformed environment variables."""
    possible = [text for text in TEXTS if "\0" not in text and len(text) < 100_000]
    chosen = {random.choice(VARIABLES): random.choice(possible) for _ in range(2)}
    return Command(list(random.choice(HARMLESS)), folder, chosen)
