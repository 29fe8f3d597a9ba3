"""Output of the studies: JSON files and figures in ``docs/studies``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from backend.files import write_json

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "studies"

STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "x")


def log(message: str) -> None:
    """Report progress on stderr."""
    print(message, file=sys.stderr, flush=True)


def save_results(name: str, values: Any) -> None:
    """Write the results of a study as JSON."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_json(FOLDER / f"{name.replace(' ', '-')}.json", values)


def figure(rows: int, columns: int, **options: Any):
    """Create an off-screen figure and its axes, shape (rows, columns)."""
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
    log(f"written: {path}")
