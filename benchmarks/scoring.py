"""How far predicted profiles are from simulated ones, with and without the simulations' noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend.system import SPECIES
from nanoconf.surrogate.fitting import Lessons, fit, predicted
from nanoconf.surrogate.network import SHIPPED, Architecture
from nanoconf.surrogate.simulations import Simulations


def judged(relative: np.ndarray, data: Simulations) -> dict[str, dict[str, float]]:
    """Relative L2 errors (%) of each ion.

    Parameters
    ----------
    relative : ndarray, shape (simulations, ions, 150)
        Predicted density / mean density; positive ions first, the negative may be missing.
    data : Simulations
        What was simulated.
    """
    simulated, error = data.relative()
    found = {}
    for ion in range(relative.shape[1]):
        size = np.linalg.norm(simulated[:, ion], axis=-1)
        observed = np.linalg.norm(relative[:, ion] - simulated[:, ion], axis=-1) / size
        noise = np.linalg.norm(error[:, ion], axis=-1) / size
        beyond = np.sqrt(np.clip(observed**2 - noise**2, 0, None))
        found[SPECIES[ion]] = {
            "observed": 100 * float(np.median(observed)),
            "noise": 100 * float(np.median(noise)),
            "beyond": 100 * float(np.median(beyond)),
            "mean_beyond": 100 * float(np.sqrt(max(0.0, np.mean(observed**2 - noise**2)))),
            "worst": 100 * float(observed.max()),
        }
    return found


def ensemble(
    training: Simulations,
    data: Simulations,
    epochs: int,
    architecture: Architecture = SHIPPED,
    seed: int = 1,
    after_epoch: Any = lambda: None,
) -> np.ndarray:
    """What an ensemble says that was trained on some systems, of others; as `judged` wants it."""
    lessons = Lessons.of(data, architecture.terms)
    learnt = Lessons.of(training, architecture.terms)
    found = fit(learnt, lessons, epochs, seed, after_epoch, architecture)
    return predicted(found.network, lessons)


COLUMNS = ("observed", "noise", "beyond", "mean_beyond", "worst")
HEADER = ("median", "noise", "beyond", "mean", "worst")
EXPLANATION = """\
Relative L2 error of profiles, in %: median; what the simulations' noise adds to it; the median
without it; the root of the mean square without it; the worst with it."""


def cells(found: dict[str, dict[str, float]]) -> list[str]:
    """The figures of both ions as cells of a table; a dash where an ion is missing."""
    return [
        f"{found[species][name]:.3f}" if species in found else "-"
        for species in SPECIES
        for name in COLUMNS
    ]
