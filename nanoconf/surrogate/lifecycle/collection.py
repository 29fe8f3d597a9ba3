"""Training data from the archive."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields

import numpy as np

from backend.engines import registry
from backend.profiles.bins import HALF, bin_centres
from backend.runs.run import DamagedRun, Run
from backend.runs.run_state import RunState
from backend.sampling.result import SimulationResult
from backend.system import SPECIES, InvalidInput, SlitSystem
from nanoconf.surrogate.domain import Domain
from nanoconf.surrogate.simulations import Simulations, system_key

TEMPERATURE_TOLERANCE = 0.02
MINIMUM_PROBABILITY = 1e-4
"""Minimum p-value of the difference between the two density estimators. Below it, the forces are
wrong."""


def eligible(run: Run, domain: Domain, excluded: Collection[str]) -> bool:
    """Return True if a run is eligible for training a model with this domain.

    It must have converged, pass its checks and lie inside the domain, and its system must not be
    excluded.

    Parameters
    ----------
    run : Run
    domain : Domain
    excluded : collection of str
        Keys (`system_key`) of the systems used to evaluate models.
    """
    result = intact_result(run)
    if result is None:
        return False
    try:
        domain.check(result.system)
    except InvalidInput:
        return False
    return system_key(result.system) not in excluded and _passes_checks(result)


def intact_result(run: Run) -> SimulationResult | None:
    """Return the result of a run, over the bins that models use; None if there is none."""
    if run.state != RunState.DONE:
        return None
    try:
        result = run.result()
    except DamagedRun:
        return None
    positive = result.profiles.positive  # both species have the same bins
    centres = bin_centres(result.system)
    same = positive.z.shape == centres.shape and np.allclose(positive.z, centres, atol=1e-4)
    return result if same else None


def _passes_checks(result: SimulationResult) -> bool:
    # the errors of profiles without force sampling are not comparable
    if not registry.get(result.settings.engine).force_sampling:
        return False
    checks = result.summary.checks
    return (
        result.summary.converged
        and checks is not None
        and abs(checks.temperature - 1) < TEMPERATURE_TOLERANCE
        and checks.estimators is not None
        and checks.estimators.probability > MINIMUM_PROBABILITY
    )


def simulations(runs: Iterable[Run]) -> Simulations:
    """Return the profiles of finished runs, except those that have been damaged since."""
    results = [result for run in runs if (result := intact_result(run)) is not None]
    # the box size does not affect the profile
    names = [field.name for field in fields(SlitSystem) if field.name != "negative_ions"]

    def stacked(values: str) -> dict[str, np.ndarray]:
        return {
            species: np.array(
                [getattr(getattr(result, species), values)[:HALF] for result in results]
            ).reshape(-1, HALF)
            for species in SPECIES
        }

    systems = [SlitSystem(**{n: getattr(result.system, n) for n in names}) for result in results]
    return Simulations(systems, stacked("density"), stacked("error"), "", "the archive")


def merged(parts: list[Simulations]) -> Simulations:
    """Merge sets of simulations, averaging the simulations of the same system.

    A simulation is weighted by its inverse variance. The weight is the same for all bins, so that
    the number of ions is conserved.
    """
    rows: dict[str, list[tuple[Simulations, int]]] = {}
    for part in parts:
        for row, key in enumerate(part.keys):
            rows.setdefault(key, []).append((part, row))
    density: dict[str, list[np.ndarray]] = {species: [] for species in SPECIES}
    error: dict[str, list[np.ndarray]] = {species: [] for species in SPECIES}
    for same in rows.values():
        for species in SPECIES:
            values = np.array([part.density[species][row] for part, row in same])
            errors = np.array([part.error[species][row] for part, row in same])
            weight = 1 / (errors**2).mean(axis=1)
            weight /= weight.sum()
            density[species].append(weight @ values)
            error[species].append(np.sqrt(weight**2 @ errors**2))
    return Simulations(
        [same[0][0].systems[same[0][1]] for same in rows.values()],
        {species: np.array(density[species]) for species in SPECIES},
        {species: np.array(error[species]) for species in SPECIES},
        parts[0].sha256,
        parts[0].folder,
    )
