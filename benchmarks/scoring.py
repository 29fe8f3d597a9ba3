"""Errors of predicted profiles, with and without the noise of the simulations."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend.system import SPECIES
from nanoconf.surrogate.fitting import TrainingSet, fit, predicted
from nanoconf.surrogate.network import SHIPPED, Architecture
from nanoconf.surrogate.simulations import Simulations


def scores(relative: np.ndarray, data: Simulations) -> dict[str, dict[str, float]]:
    """Relative L2 errors (%) of each species.

    Parameters
    ----------
    relative : ndarray, shape (simulations, species, 150)
        Predicted density / mean density; positive ions first, negative ions optional.
    data : Simulations
        Simulations of the same systems.
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


def ensemble_prediction(
    training: Simulations,
    data: Simulations,
    epochs: int,
    architecture: Architecture = SHIPPED,
    seed: int = 1,
    after_epoch: Any = lambda: None,
) -> np.ndarray:
    """Train an ensemble and predict density / mean density for other systems, for `scores`."""
    evaluation_set = TrainingSet.of(data, architecture.terms)
    training_set = TrainingSet.of(training, architecture.terms)
    found = fit(training_set, evaluation_set, epochs, seed, after_epoch, architecture)
    return predicted(found.network, evaluation_set)


COLUMNS = ("observed", "noise", "beyond", "mean_beyond", "worst")
HEADER = ("median", "noise", "excess", "rms", "maximum")
EXPLANATION = """\
Relative L2 error of the profiles (%). median: median over systems; noise: contribution of the
simulations' noise; excess: median without the noise; rms: root mean square without the noise;
maximum: including the noise."""


def cells(found: dict[str, dict[str, float]]) -> list[str]:
    """Return the errors of both species as table cells, with a dash for a missing species."""
    return [
        f"{found[species][name]:.3f}" if species in found else "-"
        for species in SPECIES
        for name in COLUMNS
    ]
