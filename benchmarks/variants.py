"""Comparison of surrogate variants: ``python -m benchmarks.variants [VARIANT…]``.

All variants use the same training and validation sets. The result of each variant is stored in a
JSON file when it finishes, so that an interrupted comparison can resume.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.files import read_json, write_json
from backend.system import SPECIES
from benchmarks.networks import component_network, coordinate_network
from benchmarks.scoring import EXPLANATION, HEADER, cells, ensemble_prediction, scores
from nanoconf.surrogate.baselines import GaussianProcess, GridInterpolation
from nanoconf.surrogate.network import SHIPPED, Architecture
from nanoconf.surrogate.simulations import Simulations
from nanoconf.surrogate.training import load_sets
from nanoconf.tables import aligned

RESULTS = Path("docs/results/variants.json")

ARCHITECTURES = {
    "as shipped": SHIPPED,
    "a single network": replace(SHIPPED, members=1),
    "4 members": replace(SHIPPED, members=4),
    "7 polynomials": replace(SHIPPED, terms=7),
    "10 polynomials": replace(SHIPPED, terms=10),
    "20 polynomials": replace(SHIPPED, terms=20),
    "32 units": replace(SHIPPED, hidden_units=(32, 32)),
    "128 units": replace(SHIPPED, hidden_units=(128, 128)),
    "3 layers": replace(SHIPPED, hidden_units=(64, 64, 64)),
    "tanh": replace(SHIPPED, activation="tanh"),
    "relu": replace(SHIPPED, activation="relu"),
}


def _network(architecture: Architecture) -> Callable[[Simulations, Simulations, int], np.ndarray]:
    return lambda training, data, epochs: ensemble_prediction(training, data, epochs, architecture)


def _unweighted(training: Simulations, data: Simulations, epochs: int) -> np.ndarray:
    """Our network with equal weights for all bins and runs, in units of the mean density."""
    flat = {
        species: np.repeat(0.01 * training.mean_densities(species)[:, None], 150, axis=1)
        for species in SPECIES
    }
    return ensemble_prediction(replace(training, error=flat), data, epochs)


def _baseline(kind: Any) -> Callable[[Simulations, Simulations, int], np.ndarray]:
    def predict(training: Simulations, data: Simulations, _: int) -> np.ndarray:
        densities = kind.fit(training).predict(data.systems)
        return np.stack([densities[s] / data.mean_densities(s)[:, None] for s in SPECIES], axis=1)

    return predict


def _paper(training: Simulations, data: Simulations, epochs: int) -> np.ndarray:
    """The published network, for positive ions only, with its own 4,000 epochs."""
    from nanoconf.paper.network_training import EPOCHS, Task, densities, fit

    task = Task.of(training, seed=1)
    found = densities(task, fit(task, EPOCHS, seed=1), data.systems)
    return (found / data.mean_densities("positive")[:, None])[:, None]


VARIANTS: dict[str, Callable[[Simulations, Simulations, int], np.ndarray]] = {
    **{name: _network(architecture) for name, architecture in ARCHITECTURES.items()},
    "errors not weighted": _unweighted,
    "interpolation of the grid": _baseline(GridInterpolation),
    "Gaussian process": _baseline(GaussianProcess),
    "the paper's network": _paper,
    "coordinate network": coordinate_network,
    "network of principal components": component_network,
}


def measure(name: str, training: Simulations, data: Simulations, epochs: int) -> dict[str, Any]:
    """Train a variant and score it on the validation set."""
    started = time.monotonic()
    found = VARIANTS[name](training, data, epochs)
    return {"seconds": time.monotonic() - started, **scores(found, data)}


def table(results: dict[str, dict[str, Any]]) -> str:
    """Table of all variants measured so far."""
    head = ["", *(f"{species[:3]}. {name}" for species in SPECIES for name in HEADER), "s"]
    rows = [
        [name, *cells(found), f"{found['seconds']:.0f}"]
        for name, found in results.items()
        if name in VARIANTS
    ]
    return aligned([head, *rows])


def main() -> None:
    """Measure the missing variants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help="; ".join(VARIANTS))
    parser.add_argument("--data", type=Path, default=Path("data/grid"), metavar="DIR")
    parser.add_argument("--validation", type=Path, default=Path("data/validation"), metavar="DIR")
    parser.add_argument(
        "--epochs", type=int, default=300, help="epochs of our networks (default: 300)"
    )
    parser.add_argument("-o", "--output", type=Path, default=RESULTS, metavar="FILE")
    options = parser.parse_args()
    for name in options.variants:
        if name not in VARIANTS:
            parser.error(f"VARIANT = {name!r}: must be one of {'; '.join(VARIANTS)}")
    training, data, _ = load_sets(options.data, options.validation, seed=1)
    about = {"data": training.sha256, "validation": data.sha256, "epochs": options.epochs}
    known = read_json(options.output) if options.output.is_file() else {}
    results = known.get("results", {}) if known.get("about") == about else {}
    for name in options.variants or VARIANTS:
        if name not in results or options.variants:
            print(f"{name} …", flush=True)
            results[name] = measure(name, training, data, options.epochs)
            options.output.parent.mkdir(parents=True, exist_ok=True)
            write_json(options.output, {"about": about, "results": results})
    print(f"\n{len(training)} training and {len(data)} validation systems.\n{EXPLANATION}\n")
    print(table(results))


if __name__ == "__main__":
    main()
