"""Error over the size of the training set: ``python -m benchmarks.learning_curve``.

Every point uses the same number of optimiser steps. The first systems of the grid are spread over
the whole grid, so each subset is a coarser grid with gaps.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from backend.files import read_json, write_json
from backend.system import SPECIES
from benchmarks.scoring import EXPLANATION, HEADER, cells, ensemble_prediction, scores
from nanoconf.surrogate.fitting import BATCH_SIZE
from nanoconf.surrogate.training import load_sets
from nanoconf.tables import aligned

RESULTS = Path("docs/results")
SIZES = (50, 100, 200, 400, 800, 1600)
STEPS = 16_000


def sizes(systems: int) -> list[int]:
    """Return the sizes of the training sets; the last is the whole grid."""
    return [size for size in SIZES if size < systems] + [systems]


def table(results: dict[str, Any]) -> str:
    """Table of the errors by number of training systems."""
    head = ["systems", *(f"{species[:3]}. {name}" for species in SPECIES for name in HEADER)]
    return aligned([head, *([size, *cells(found)] for size, found in results.items())])


def draw(results: dict[str, Any], file: Path) -> None:
    """Draw median error, worst error and noise over the number of training systems."""
    from nanoconf.paper.report import COLOURS, figure

    picture, axes = figure(1, 1, size=(6.0, 3.8))
    axis = axes[0, 0]
    counts = [int(size) for size in results]
    for species, colour in zip(SPECIES, COLOURS, strict=False):
        for name, style, label in (
            ("worst", "s--", "worst"),
            ("observed", "o-", "median"),
            ("noise", ":", "noise of the simulations"),
        ):
            values = [found[species][name] for found in results.values()]
            axis.loglog(counts, values, style, color=colour, label=f"{species}: {label}")
    for set_formatter in (axis.xaxis.set_major_formatter, axis.yaxis.set_major_formatter):
        set_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:g}")
    axis.set_xlabel("training systems")
    axis.set_ylabel("relative L2 error (%)")
    axis.legend()
    picture.savefig(file)


def main() -> None:
    """Measure the missing points, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/grid"), metavar="DIR")
    parser.add_argument("--validation", type=Path, default=Path("data/validation"), metavar="DIR")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS, metavar="DIR")
    options = parser.parse_args()
    training, data, _ = load_sets(options.data, options.validation, seed=1)
    file = options.output / "learning-curve.json"
    about = {"data": training.sha256, "validation": data.sha256, "steps": STEPS}
    known = read_json(file) if file.is_file() else {}
    results = known.get("results", {}) if known.get("about") == about else {}
    options.output.mkdir(parents=True, exist_ok=True)
    for size in sizes(len(training)):
        if str(size) not in results:
            print(f"{size} systems …", flush=True)
            epochs = round(STEPS / np.ceil(size / BATCH_SIZE))
            subset = training[range(size)]
            results[str(size)] = scores(ensemble_prediction(subset, data, epochs), data)
            write_json(file, {"about": about, "results": results})
    print(f"\n{len(data)} validation systems.\n{EXPLANATION}\n")
    print(table(results))
    draw(results, options.output / "learning-curve.png")


if __name__ == "__main__":
    main()
