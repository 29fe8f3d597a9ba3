"""Options that several verbs have."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from backend.inputs import SYSTEM, Input

RESULTS = Path("docs/results")


def add_data(verb: ArgumentParser, default: Path) -> None:
    """``--data``: the dataset to learn from, or to be judged by."""
    verb.add_argument(
        "--data", type=Path, default=default, metavar="DIR", help=f"the dataset ({default})"
    )


def add_results(verb: ArgumentParser, *names: str) -> None:
    """Where tables and figures go, by the option's names."""
    verb.add_argument(
        *names,
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help=f"folder for figures and numbers ({RESULTS})",
    )


def add_seed(verb: ArgumentParser, what: str) -> None:
    """``--seed``."""
    verb.add_argument("--seed", default="1", metavar="N", help=f"seed of {what} (1)")


def add_system(verb: ArgumentParser) -> None:
    """The inputs of a system."""
    inputs = verb.add_argument_group("the system")
    for each in SYSTEM.values():
        add_input(inputs, each)


def add_input(group: Any, each: Input) -> None:
    """The option of an input. Its value stays text, so that a refusal shows what was typed."""
    text = f"{each.help} ({each.default_text})".replace("%", "%%")
    group.add_argument(*each.options, dest=each.name, metavar=each.placeholder, help=text)


def add_output(verb: ArgumentParser, text: str, required: bool = True) -> None:
    """``-o DIR``: the folder that receives the results."""
    verb.add_argument(
        "-o", "--output", type=Path, metavar="DIR", required=required, help=f"folder for {text}"
    )
