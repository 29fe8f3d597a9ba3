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
