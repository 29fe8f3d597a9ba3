"""Tables, JSON and plots of the studies, in ``docs/studies``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from backend.files import write_json

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "studies"

STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "x")


def say(what: str) -> None:
    """Tell whoever waits what has been done."""
    print(what, file=sys.stderr, flush=True)


def keep(name: str, values: Any) -> None:
    """Write the results of a study as JSON."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_json(FOLDER / f"{name.replace(' ', '-')}.json", values)


def figure(rows: int, columns: int, **options: Any):
    """A figure and its axes, without a display; shape (rows, columns)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    size = (4.6 * columns, 2.9 * rows)
    return pyplot.subplots(
        rows, columns, figsize=size, squeeze=False, layout="constrained", **options
    )


def save(picture, name: str) -> None:
    """Write a figure as PNG."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name.replace(' ', '-')}.png"
    picture.savefig(path, dpi=110)
    say(f"drawn: {path}")
