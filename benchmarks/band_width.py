"""Width of the error band from the centre of a model's domain to beyond its edge.

``python -m benchmarks.band_width [--model DIR]``
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np

from backend.system import SlitSystem
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.band import HALF_WIDTH
from nanoconf.surrogate.domain import continuous_inputs
from nanoconf.surrogate.model import ExtrapolationWarning
from nanoconf.tables import aligned

DISTANCES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.1, 1.25, 1.5)
SYSTEMS = 300


def width_at(model: Surrogate, distance: float) -> float:
    """Median half width of the band, relative to the density, at a distance from the centre.

    Parameters
    ----------
    model : Surrogate
    distance : float
        Largest distance of h, c or d from the centre of its range, in half ranges; 1 is the edge of
        the domain. Systems are drawn at random from the surface at this distance, with z₊ cycling
        through 1, 2 and 3.
    """
    random = np.random.default_rng(1)
    varied = continuous_inputs()
    low, high = np.array(
        [[model.domain.ranges[n].low, model.domain.ranges[n].high] for n in varied]
    ).T
    place = distance * random.uniform(-1, 1, (SYSTEMS, len(varied)))
    rows = np.arange(SYSTEMS)
    place[rows, random.integers(0, len(varied), SYSTEMS)] = distance * random.choice(
        [-1, 1], SYSTEMS
    )
    inputs = (low + high) / 2 + place * (high - low) / 2
    systems = [
        SlitSystem(h, 1 + row % 3, -1, c, d) for row, (h, c, d) in enumerate(inputs.tolist())
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        density, error = model.predict_halves(systems, extrapolate=True)
    counted = density >= 0.05 * density.max(axis=-1, keepdims=True)
    relative = np.divide(error, density, out=np.full_like(error, np.nan), where=counted)
    return HALF_WIDTH * float(np.median(np.nanmean(relative, axis=-1)))


def main() -> None:
    """Print the widths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of the model (default: the current one)")
    model = Surrogate.load(parser.parse_args().model)
    rows = [[f"{distance:g}", f"{width_at(model, distance):.2%}"] for distance in DISTANCES]
    print(f"{model.name}: distance from the centre of the domain (1: its edge), half width\n")
    print(aligned(rows))


if __name__ == "__main__":
    main()
