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


def draw_deviations(name: str, found: Any, panels: tuple[int, int], what: str) -> None:
    """Draw `what` in standard errors against z, one panel per system, and save it as `name`.

    Each item of `found` has the attributes ``system``, ``species``, ``z`` and ``deviations``.
    """
    picture, axes = figure(*panels, sharey=True)
    systems = dict.fromkeys(each.system for each in found)
    for axis, system in zip(axes.ravel(), systems, strict=True):
        axis.axhspan(-2, 2, color="0.92", zorder=0)
        for each, marker in zip([e for e in found if e.system == system], "os", strict=True):
            axis.plot(each.z, each.deviations, marker, markersize=3, label=each.species)
        axis.set_title(system, fontsize=9)
        axis.set_xlabel("z (nm)")
        axis.set_ylabel(f"{what} (standard errors)", fontsize=8)
    axes[0, 0].legend(fontsize=7)
    save(picture, name)
