"""Comparison of a model with simulations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.profiles.bins import HALF, bin_centres
from backend.profiles.density import DensityProfile, significant
from backend.system import SPECIES, InvalidInput, SlitSystem
from nanoconf.surrogate import band
from nanoconf.surrogate.band import HALF_WIDTH, valency_key
from nanoconf.surrogate.model import Surrogate
from nanoconf.surrogate.shape import Slits
from nanoconf.surrogate.simulations import Simulations
from nanoconf.tables import aligned

POINTS = ("contact", "mid", "peak")


def evaluate(
    model: Surrogate | str | Path | None, data: Simulations | str | Path, include_seen: bool = False
) -> dict[str, Any]:
    """Compare a model with simulations.

    Parameters
    ----------
    model : Surrogate or path, optional
        Model or its folder; the current model by default.
    data : path or Simulations
        Simulations, or the folder of a dataset.
    include_seen : bool
        Include the systems that the model was trained on or calibrated with, which its card lists.

    Returns
    -------
    dict
        JSON values. ``positive`` and ``negative`` hold what `compared` returns, for ``all`` systems
        and for each pair of valencies; ``both`` is the same for the profiles of both ions together.
        ``typical_error`` and ``worst_error`` are the median and the maximum relative L2 error over
        both ions.

    Raises
    ------
    InvalidInput
        If the model was trained on or calibrated with all systems of the data.
    """
    if not isinstance(model, Surrogate):
        model = Surrogate.load(model)
    if not isinstance(data, Simulations):
        data = Simulations.load(data)
    rows = list(range(len(data))) if include_seen else unseen(model, data)
    if not rows:
        problem = f"{model.name} was trained on or calibrated with all systems in this dataset"
        raise InvalidInput("data", data.folder, problem)
    data = data[rows]
    predicted = model.predict_halves(data.systems)
    comparisons = {
        species: [
            Comparison(system, species, *values)
            for system, *values in zip(
                data.systems,
                predicted.density[:, ion],
                predicted.error[:, ion],
                data.density[species],
                data.error[species],
                strict=True,
            )
        ]
        for ion, species in enumerate(SPECIES)
    }
    found = {species: _by_valency(comparisons[species], data.keys) for species in SPECIES}
    of_both = [comparison for species in SPECIES for comparison in comparisons[species]]
    found["both"] = _by_valency(of_both, len(SPECIES) * data.keys)
    observed = found["both"]["all"]["observed"]
    return {
        "model": model.name,
        "data_sha256": data.sha256,
        "systems": len(set(data.keys)),
        "typical_error": observed["median"],
        "worst_error": observed["worst"],
        **found,
    }


def unseen(model: Surrogate, data: Simulations) -> list[int]:
    """Return the rows of systems used neither to train the model nor to set its error band."""
    seen = {*model.card.systems.training, *model.card.systems.validation}
    return [row for row, key in enumerate(data.keys) if key not in seen]


class Comparison:
    """Comparison of a predicted profile with a simulated one over the left half of the slit.

    Attributes
    ----------
    observed : float
        Relative L2 error ‖ML − MD‖/‖MD‖.
    noise : float
        Expected contribution of the statistical error of the simulation.
    beyond : float
        Square root of observed² − noise²; 0 if the noise is larger.
    points : dict of str to float
        Relative error of the contact, midplane and peak densities.
    inside : dict of str to ndarray of bool
        Bins within the 90 % band, by region of the slit. The error of the simulation is added to
        the band in quadrature.
    width : float
        Mean half width of the band relative to the density, in bins with at least 5 % of the peak.
    """

    def __init__(
        self,
        system: SlitSystem,
        species: str,
        predicted: np.ndarray,
        expected: np.ndarray,
        density: np.ndarray,
        error: np.ndarray,
    ):
        self.system = system
        size = np.linalg.norm(density)
        self.observed = float(np.linalg.norm(predicted - density) / size)
        self.noise = float(np.linalg.norm(error) / size)
        self.beyond = float(np.sqrt(max(0.0, self.observed**2 - self.noise**2)))
        found, true = (_points(system, species, half) for half in (predicted, density))
        self.points = {name: found[name] / true[name] - 1 for name in POINTS}
        within = np.abs(predicted - density) <= HALF_WIDTH * np.hypot(expected, error)
        there = predicted > 0
        _, place = Slits.of([system]).bins()
        region = band.regions([system], place)[0]
        self.inside = {
            name: within[there & (region == number)] for number, name in enumerate(band.REGIONS)
        }
        main = significant(density)
        self.width = float(np.mean(HALF_WIDTH * expected[main] / density[main]))


def _points(system: SlitSystem, species: str, half: np.ndarray) -> dict[str, float]:
    full = np.concatenate([half, half[::-1]])
    profile = DensityProfile(bin_centres(system, 2 * HALF), full, np.zeros_like(full))
    return {
        "contact": profile.contact_density(system, species),
        "mid": profile.mid_density,
        "peak": profile.peak_density,
    }


def compared(comparisons: Sequence[Comparison], keys: Sequence[str]) -> dict[str, Any]:
    """Summarise comparisons.

    Parameters
    ----------
    comparisons : sequence of Comparison
    keys : sequence of str
        Key of the system of each comparison.

    Returns
    -------
    dict
        ``profiles``, the number of profiles; ``observed`` and ``beyond``, the relative L2 error
        with and without the noise of the simulations (median, worst, system of the worst);
        ``noise``, the median noise; ``contact``, ``mid`` and ``peak``, the relative errors of these
        densities (median and worst absolute value); ``coverage``, the share of bins within the
        90 % band, by region and in total; ``width``, the mean half width of the band relative to
        the density.
    """
    observed = np.array([comparison.observed for comparison in comparisons])
    beyond = np.array([comparison.beyond for comparison in comparisons])
    inside = {
        region: np.concatenate([comparison.inside[region] for comparison in comparisons])
        for region in band.REGIONS
    }
    inside["all"] = np.concatenate(list(inside.values()))
    return {
        "profiles": len(comparisons),
        "observed": {
            "median": _tidy(np.median(observed)),
            "worst": _tidy(observed.max()),
            "worst_system": keys[int(observed.argmax())],
        },
        "noise": _tidy(np.median([comparison.noise for comparison in comparisons])),
        "beyond": {"median": _tidy(np.median(beyond)), "worst": _tidy(beyond.max())},
        **{name: _point_errors(comparisons, name) for name in POINTS},
        "coverage": {
            region: _tidy(np.mean(values)) if len(values) else None
            for region, values in inside.items()
        },
        "width": _tidy(np.mean([comparison.width for comparison in comparisons])),
    }


ERRORS = (
    ("", "ions"),
    ("", "z+:z-"),
    ("", "profiles"),
    ("profile", "median"),
    ("profile", "worst"),
    ("MD noise", "median"),
    ("without noise", "median"),
    ("without noise", "worst"),
    ("contact", "median"),
    ("midplane", "median"),
    ("peak", "median"),
)
COVERAGE = (
    ("", "ions"),
    ("", "z+:z-"),
    ("", "all bins"),
    ("behind", "contact plane"),
    ("near", "contact plane"),
    ("", "central region"),
    ("half width", "of the band"),
)
"""Column headers of the report, in two lines."""


def format_report(metrics: dict[str, Any]) -> str:
    """Format the metrics of `evaluate` as two tables."""
    groups = [
        (species, valencies, values)
        for species in (*SPECIES, "both")
        for valencies, values in metrics[species].items()
    ]
    errors = [*zip(*ERRORS, strict=True), *(_errors(*group) for group in groups)]
    coverage = [*zip(*COVERAGE, strict=True), *(_coverage(*group) for group in groups)]
    return f"""\
Model {metrics["model"]} on {metrics["systems"]} systems (all numbers in %)

Relative error of the predicted profile (L2 norm) and of the contact, midplane and peak
densities. MD noise: the part of the profile error that comes from the simulation.

{aligned(errors, left=2)}

Share of simulated densities inside the predicted 90 % band, widened by the error of the
simulation, and mean half width of the band.

{aligned(coverage, left=2)}"""


def _errors(species: str, valencies: str, values: dict[str, Any]) -> list[str]:
    shares = (
        values["observed"]["median"],
        values["observed"]["worst"],
        values["noise"],
        values["beyond"]["median"],
        values["beyond"]["worst"],
        *(values[name]["median"] for name in POINTS),
    )
    return [species, valencies, str(values["profiles"]), *(_percent(share, 2) for share in shares)]


def _coverage(species: str, valencies: str, values: dict[str, Any]) -> list[str]:
    shares = (values["coverage"][region] for region in ("all", *band.REGIONS))
    cells = (_percent(share, 1) for share in shares)
    return [species, valencies, *cells, _percent(values["width"], 2)]


def _percent(share: float | None, digits: int) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f}"


def _by_valency(comparisons: Sequence[Comparison], keys: Sequence[str]) -> dict[str, Any]:
    groups: dict[str, list[int]] = {"all": list(range(len(comparisons)))}
    for row in sorted(groups["all"], key=lambda row: comparisons[row].system.valencies):
        groups.setdefault(valency_key(comparisons[row].system), []).append(row)
    return {
        name: compared([comparisons[row] for row in rows], [keys[row] for row in rows])
        for name, rows in groups.items()
    }


def _point_errors(comparisons: Sequence[Comparison], name: str) -> dict[str, float]:
    errors = np.abs([comparison.points[name] for comparison in comparisons])
    return {"median": _tidy(np.median(errors)), "worst": _tidy(errors.max())}


def _tidy(value: Any) -> float:
    return float(f"{float(value):.4g}")
