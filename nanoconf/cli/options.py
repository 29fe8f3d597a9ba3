"""Options shared by several commands."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace, _ArgumentGroup
from pathlib import Path
from typing import Any

from backend.inputs import SYSTEM, Input
from nanoconf.shipped import default_path, found

RESULTS = Path("docs/results")


def add_system(verb: ArgumentParser) -> None:
    """Declare the inputs of a system."""
    inputs = verb.add_argument_group("the system")
    for each in SYSTEM.values():
        add_input(inputs, each)


def add_input(group: Any, each: Input) -> None:
    """Declare the option of an input. Its value stays text, so that errors show it as typed."""
    text = f"{each.help} (default: {each.default_text})".replace("%", "%%")
    group.add_argument(*each.options, dest=each.name, metavar=each.placeholder, help=text)


def add_data(parser: ArgumentParser, default: str) -> None:
    """``--data``: the dataset to read; by default one that ships with nanoconf."""
    parser.add_argument(
        "--data",
        type=found,
        default=default_path(default),
        metavar="DIR",
        help=f"folder of the dataset (default: nanoconf's {default})",
    )


def add_model(parser: ArgumentParser | _ArgumentGroup) -> None:
    """``--model``: the surrogate to use."""
    parser.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help="folder of the model (default: the current model)",
    )


def add_output(parser: ArgumentParser, contents: str, required: bool = True) -> None:
    """``-o DIR``: the folder that receives the results."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        required=required,
        help=f"folder for {contents}",
    )


def add_results(parser: ArgumentParser, *flags: str) -> None:
    """The folder for figures and their numbers."""
    parser.add_argument(
        *flags,
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help=f"folder for figures and numerical results (default: {RESULTS})",
    )


def add_settings(parser: ArgumentParser | _ArgumentGroup) -> None:
    """``--set``: settings of a run that have no option of their own."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting of the simulation, e.g. time_step=0.004 (repeatable)",
    )


def add_cluster(parser: ArgumentParser | _ArgumentGroup, text: str) -> None:
    """``--cluster``: where to simulate."""
    parser.add_argument(
        "--cluster",
        nargs="?",
        const="",
        metavar="NAME",
        help=text,
    )


def add_json(parser: ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def print_json(value: Any) -> None:
    """Print a value as JSON, for ``--json``."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def add_seed(parser: ArgumentParser, use: str) -> None:
    """``--seed``."""
    parser.add_argument(
        "--seed", default="1", metavar="N", help=f"random seed for {use} (default: 1)"
    )


def seed(options: Namespace) -> int:
    """Return the seed given on the command line."""
    from nanoconf.data.parsing import whole_number

    return whole_number("seed", options.seed, 0, 2**31)


def add_epochs(parser: ArgumentParser, flag: str, default: int, use: str) -> None:
    """Declare an option for a number of epochs."""
    parser.add_argument(flag, default=str(default), metavar="N", help=f"{use} (default: {default})")


def epochs(options: Namespace, name: str = "epochs") -> int:
    """Return the number of epochs given on the command line."""
    from nanoconf.data.parsing import whole_number

    return whole_number(name, getattr(options, name), 1, 1_000_000)
