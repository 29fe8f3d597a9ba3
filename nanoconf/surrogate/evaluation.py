"""What a model is worth on systems it never saw, from the files alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.profiles import SPECIES, DensityProfile, bin_centres
from backend.system import InvalidInput
from nanoconf.surrogate.data import Simulations
from nanoconf.surrogate.model import HALF, Prediction, Surrogate, accessible
from nanoconf.surrogate.uncertainty import valency_key

STANDARD_ERRORS = (1.0, 1.96, 3.0)
"""Half widths of the error bars, in standard errors, for which the paper's A is given."""

POINTS = ("contact", "mid", "peak")


def evaluate(
    model: Surrogate | str | Path | None, data: Simulations | str | Path
) -> dict[str, Any]:
    """Compare a model with simulations of systems that took no part in its training.

    Parameters
    ----------
    model : Surrogate or path, optional
        The model, or its folder; the current one where it is left out.
    data : path or Simulations
        Folder of a data set. Systems that the model was trained on, or that chose its epoch, are
        left out: its card lists them.

    Returns
    -------
    dict
        JSON values: for each ion, and in it for all systems and for each pair of valencies, what
        `compared` gives; ``typical_error``, the median relative L2 error over both ions.

    Raises
    ------
    InvalidInput
        The data have no system that the model did not see.
    """
    if not isinstance(model, Surrogate):
        model = Surrogate.load(model)
    if not isinstance(data, Simulations):
        data = Simulations.load(data)
    rows = unseen(model, data)
    if not rows:
        problem = f"every system in it took part in the training of {model.name}"
        raise InvalidInput("data", data.folder, problem)
    predictions = model.predict_many([data.systems[row] for row in rows])
    comparisons = {
        species: [
            Comparison(prediction, data, row, species)
            for prediction, row in zip(predictions, rows, strict=True)
        ]
        for species in SPECIES
    }
    both = [comparison.error for species in SPECIES for comparison in comparisons[species]]
    return {
        "model": model.name,
        "data_sha256": data.sha256,
        "systems": len({data.keys[row] for row in rows}),
        "typical_error": _tidy(np.median(both)),
        "worst_error": _tidy(max(both)),
    } | {species: _by_valency(comparisons[species]) for species in SPECIES}


def unseen(model: Surrogate, data: Simulations) -> list[int]:
    """Simulations whose systems the model was neither trained on nor chosen by."""
    seen = {*model.card["systems"]["training"], *model.card["systems"]["validation"]}
    return [row for row, key in enumerate(data.keys) if key not in seen]


class Comparison:
    """One predicted profile beside the simulated one, over the left half of the slit.

    Attributes
    ----------
    error : float
        Relative L2 error, ‖ML − MD‖/‖MD‖.
    noise : float
        What the simulation's own statistical error adds to it on average.
    ratio : ndarray, shape (points,)
        |ML − MD| in standard errors of the simulation, in the bins where ions can be.
    points : dict of str to float
        Relative error of the contact, mid and peak density.
    """

    def __init__(self, prediction: Prediction, data: Simulations, row: int, species: str):
        self.system = prediction.system
        self.key = data.keys[row]
        predicted: DensityProfile = getattr(prediction, species)
        density, error = data.density[species][row], data.error[species][row]
        deviation = predicted.density[:HALF] - density
        self.error = float(np.linalg.norm(deviation) / np.linalg.norm(density))
        self.noise = float(np.linalg.norm(error) / np.linalg.norm(density))
        there = accessible(self.system, species) & (error > 0)
        self.ratio = np.abs(deviation[there]) / error[there]
        simulated = DensityProfile(
            bin_centres(self.system), *(np.append(half, half[::-1]) for half in (density, error))
        )
        found, true = (self._points(profile, species) for profile in (predicted, simulated))
        self.points = {name: found[name] / true[name] - 1 for name in POINTS}

    def _points(self, profile: DensityProfile, species: str) -> dict[str, float]:
        return {
            "contact": profile.contact_density(self.system, species),
            "mid": profile.mid_density,
            "peak": profile.peak_density,
        }


def compared(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Summary of comparisons.

    Returns
    -------
    dict
        ``profiles``, their number; ``error``, the relative L2 error (median, worst, system of the
        worst); ``noise``, the median of what the simulations' statistical error contributes;
        ``error_beyond_noise``, the median of √(error² − noise²); ``contact``, ``mid``, ``peak``,
        the relative errors of these densities (median and worst of the absolute value); ``A``, the
        paper's success rate: the share of points (system and bin) where ML and MD differ by less
        than k standard errors of the simulation, with its smallest value in any one system and the
        ceiling that the exact answer would reach on average.
    """
    error = np.array([comparison.error for comparison in comparisons])
    noise = np.array([comparison.noise for comparison in comparisons])
    return {
        "profiles": len(comparisons),
        "error": {
            "median": _tidy(np.median(error)),
            "worst": _tidy(error.max()),
            "worst_system": comparisons[int(error.argmax())].key,
        },
        "noise": _tidy(np.median(noise)),
        "error_beyond_noise": _tidy(np.median(np.sqrt(np.clip(error**2 - noise**2, 0, None)))),
        **{name: _point_errors(comparisons, name) for name in POINTS},
        "A": {f"{k:g}": _success(comparisons, k) for k in STANDARD_ERRORS},
    }


def format_report(metrics: dict[str, Any]) -> str:
    """The metrics of `evaluate` as text."""
    lines = [
        f"Model {metrics['model']} on {metrics['systems']} systems that it never saw "
        "(relative errors in %)",
        "",
        f"{'ion':<9} {'z+:z-':<6} {'profiles':>8} {'median':>7} {'worst':>7} {'MD noise':>8} "
        f"{'beyond':>7} {'contact':>8} {'mid':>6} {'peak':>6} "
        + " ".join(f"{'A(k=' + f'{k:g})':>9}" for k in STANDARD_ERRORS),
    ]
    lines += [
        _report_row(species, valencies, values)
        for species in SPECIES
        for valencies, values in metrics[species].items()
    ]
    ceilings = [
        f"{metrics['positive']['all']['A'][f'{k:g}']['ceiling']:.3f}" for k in STANDARD_ERRORS
    ]
    return "\n".join(
        [
            *lines,
            "",
            "median, worst: relative L2 error of the profile, |ML - MD| / |MD|. MD noise: what the",
            "simulations' own statistical error adds to it; beyond: the median without it.",
            "contact, mid, peak: median error of these densities. A(k): share of points with",
            "|ML - MD| below k standard errors of the simulation; even the exact answer reaches",
            f"only {', '.join(ceilings)} on average.",
        ]
    )


def _report_row(species: str, valencies: str, values: dict[str, Any]) -> str:
    percent = [
        (values["error"]["median"], 7),
        (values["error"]["worst"], 7),
        (values["noise"], 8),
        (values["error_beyond_noise"], 7),
        (values["contact"]["median"], 8),
        (values["mid"]["median"], 6),
        (values["peak"]["median"], 6),
    ]
    return " ".join(
        [f"{species:<9} {valencies:<6} {values['profiles']:>8}"]
        + [f"{100 * value:>{width}.2f}" for value, width in percent]
        + [f"{values['A'][f'{k:g}']['value']:>9.3f}" for k in STANDARD_ERRORS]
    )


def _by_valency(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    groups = {"all": list(comparisons)}
    for comparison in sorted(comparisons, key=lambda item: item.system.valencies):
        groups.setdefault(valency_key(comparison.system), []).append(comparison)
    return {name: compared(group) for name, group in groups.items()}


def _point_errors(comparisons: Sequence[Comparison], name: str) -> dict[str, float]:
    errors = np.abs([comparison.points[name] for comparison in comparisons])
    return {"median": _tidy(np.median(errors)), "worst": _tidy(errors.max())}


def _success(comparisons: Sequence[Comparison], k: float) -> dict[str, float]:
    by_system = [float(np.mean(comparison.ratio < k)) for comparison in comparisons]
    everywhere = np.concatenate([comparison.ratio for comparison in comparisons])
    return {
        "value": _tidy(np.mean(everywhere < k)),
        "smallest_of_a_system": _tidy(min(by_system)),
        "ceiling": _tidy(math.erf(k / math.sqrt(2))),
    }


def _tidy(value: Any) -> float:
    return float(f"{float(value):.4g}")
