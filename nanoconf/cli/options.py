"""Options that several verbs have."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

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


def add_output(verb: ArgumentParser, text: str, required: bool = True) -> None:
    """``-o DIR``: the folder that receives the results."""
    verb.add_argument(
        "-o", "--output", type=Path, metavar="DIR", required=required, help=f"folder for {text}"
    )
