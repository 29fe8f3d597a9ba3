"""Options that several commands have."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace, _ArgumentGroup
from pathlib import Path
from typing import Any

RESULTS = Path("docs/results")


def add_system(verb: ArgumentParser) -> None:
    """The inputs of a system. They stay text, so that a refusal shows what was typed."""
    inputs = verb.add_argument_group("the system")
    for flags, name, metavar, text in (
        (("-Z", "--confinement-length"), "confinement_length", "NM", "slit width h (3.0)"),
        (("-p", "--positive-valency"), "positive_valency", "N", "positive valency z+ (1)"),
        (("-n", "--negative-valency"), "negative_valency", "N", "negative valency z- (-1)"),
        (
            ("-c", "--salt-concentration"),
            "salt_concentration",
            "M",
            "concentration of the negative ions (0.5)",
        ),
        (
            ("-d", "--positive-diameter", "--ion-diameter"),
            "positive_diameter",
            "NM",
            "diameter of the positive ions (0.714)",
        ),
        (
            ("-a", "--negative-diameter"),
            "negative_diameter",
            "NM",
            "diameter of the negative ions (that of the positive ones)",
        ),
        (
            ("-i", "--surface-charge", "--surface-charge-density"),
            "surface_charge_density",
            "C/M2",
            "charge of each wall, zero or negative (0)",
        ),
        (("--temperature",), "temperature", "K", "temperature (298)"),
        (("--permittivity",), "relative_permittivity", "EPS", "relative permittivity (78.5)"),
        (("--negative-ions",), "negative_ions", "N", "negative ions in the box (212 or more)"),
    ):
        inputs.add_argument(*flags, dest=name, metavar=metavar, help=text)
    inputs.add_argument(
        "--wall",
        metavar="{ion,plane}",
        help="what ions touch: a dummy ion behind the wall, or the wall plane (ion)",
    )


def add_data(parser: ArgumentParser, default: Path) -> None:
    """``--data``: the dataset to read."""
    parser.add_argument(
        "--data",
        type=Path,
        default=default,
        metavar="DIR",
        help=f"folder of the dataset (default: {default})",
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
        help=f"folder for figures and numbers (default: {RESULTS})",
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
    """Print what ``--json`` asks for."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def add_seed(parser: ArgumentParser, use: str) -> None:
    """``--seed``."""
    parser.add_argument(
        "--seed", default="1", metavar="N", help=f"random seed of {use} (default: 1)"
    )


def seed(options: Namespace) -> int:
    """The seed that was typed."""
    from nanoconf.data.parsing import whole_number

    return whole_number("seed", options.seed, 0, 2**31)


def add_epochs(parser: ArgumentParser, flag: str, default: int, use: str) -> None:
    """A number of epochs."""
    parser.add_argument(flag, default=str(default), metavar="N", help=f"{use} (default: {default})")


def epochs(options: Namespace, name: str = "epochs") -> int:
    """The number of epochs that was typed."""
    from nanoconf.data.parsing import whole_number

    return whole_number(name, getattr(options, name), 1, 1_000_000)
