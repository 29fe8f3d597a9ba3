"""Table 1 of the paper: six regressors for contact, midplane and peak densities of positive ions.

Kadupitiya, Sun, Fox and Jadhao, J. Comput. Sci. 42, 101107 (2020). A prediction succeeds if it
differs from the simulation by less than the simulation's error bar. The paper takes its error bars
from histograms and does not state how many standard errors they span. The success rate is
therefore given for three half widths, each with its ceiling, the rate of an exact prediction.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.system import InvalidInput
from nanoconf.paper.cache import cached
from nanoconf.paper.points import POINTS, PointDensities, point_densities
from nanoconf.paper.published_network import network_inputs
from nanoconf.paper.regressors import ANN, HYPERPARAMETERS, NAMES, regressor
from nanoconf.surrogate.simulations import KEPT_OUT_KEYS, Simulations
from nanoconf.tables import aligned

if TYPE_CHECKING:
    from tqdm import tqdm

PAPER = {
    "polynomial": (61, 61, 62),
    "kernel ridge": (79, 77, 76),
    "svr": (80, 80, 82),
    "tree": (68, 65, 62),
    "forest": (74, 71, 75),
    ANN: (96, 92, 95),
}
"""The paper's success rates (%) of contact, midplane and peak densities."""

STANDARD_ERRORS = (1.0, 1.96, 3.0)
"""Half widths k of the error bars, in standard errors."""

HELD_OUT = 0.3
FOLDS = 20


@dataclass(frozen=True)
class Trial:
    """Predictions and errors of one regressor.

    Attributes
    ----------
    prediction : ndarray, shape (held out, 3)
        Contact, midplane and peak densities (M) of the held-out simulations.
    fold_mse : ndarray, shape (20, 3)
        Mean squared error (M²) in each fold of a regressor trained on the other nineteen.
    """

    prediction: np.ndarray
    fold_mse: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """Results of all regressors on one dataset.

    Attributes
    ----------
    data : Simulations
        The dataset.
    held_out : ndarray of int
        Indices of the held-out simulations.
    truth : PointDensities
        Densities of the held-out simulations.
    trials : dict of str to Trial
        Trials by name of the regressor.
    epochs, fold_epochs : int
        Epochs of the network for the held-out simulations and in each fold.
    seed : int
        Seed of the splits and of the regressors.
    """

    data: Simulations
    held_out: np.ndarray
    truth: PointDensities
    trials: dict[str, Trial]
    epochs: int
    fold_epochs: int
    seed: int

    def success(self, name: str, k: float) -> np.ndarray:
        """Success rates of a regressor for error bars of k standard errors, shape (3,)."""
        return success_rate(self.trials[name].prediction, self.truth, k)

    def relative_error(self, name: str) -> np.ndarray:
        """Median of |prediction − MD|/MD over the held-out simulations, shape (3,)."""
        deviation = self.trials[name].prediction / self.truth.density - 1
        return np.median(np.abs(deviation), axis=0)

    def bar(self) -> np.ndarray:
        """Median relative standard error of the held-out simulations, shape (3,)."""
        return np.median(self.truth.error / self.truth.density, axis=0)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers of the table as JSON values."""
        return {
            "what": "Six regressors for contact, midplane and peak densities of the positive ions",
            "data": {
                "folder": self.data.folder,
                "sha256": self.data.sha256,
                "simulations": len(self.data),
                "held_out": len(self.held_out),
            },
            "seed": self.seed,
            "folds": len(next(iter(self.trials.values())).fold_mse),
            "epochs": {"held_out": self.epochs, "folds": self.fold_epochs},
            "ceiling": {f"{k:g}": _tidy(ceiling(k)) for k in STANDARD_ERRORS},
            "median_relative_standard_error": _by_point(self.bar()),
            "regressors": {name: self._described(name) for name in self.trials},
        }

    def _described(self, name: str) -> dict[str, Any]:
        return {
            "hyperparameters": HYPERPARAMETERS[name],
            "success_of_paper": _by_point(np.array(PAPER[name]) / 100),
            "success": {f"{k:g}": _by_point(self.success(name, k)) for k in STANDARD_ERRORS},
            "median_relative_error": _by_point(self.relative_error(name)),
            "mse_M2": _by_point(self.trials[name].fold_mse.mean(axis=0)),
        }


def success_rate(prediction: np.ndarray, truth: PointDensities, k: float) -> np.ndarray:
    """Fraction of predictions within k standard errors of the simulation, for each column."""
    return np.mean(np.abs(prediction - truth.density) < k * truth.error, axis=0)


def ceiling(k: float) -> float:
    """Expected success rate of an exact prediction, with error bars of k standard errors."""
    return math.erf(k / math.sqrt(2))


# --- the trials -----------------------------------------------------------------------------


def compare(
    data: Simulations,
    *,
    epochs: int = 4000,
    fold_epochs: int = 300,
    without: Sequence[str] = (),
    seed: int = 1,
    keep: Path | None = None,
    progress: bool = True,
) -> Comparison:
    """Train and test the six regressors.

    Parameters
    ----------
    data : Simulations
        Dataset, of which 30 % of the systems are held out; repeated runs of a system stay
        together. The ten published systems are always excluded.
    epochs, fold_epochs : int
        Epochs of the network for the held-out simulations and in each of the 20 folds.
    without : sequence of str
        Regressors to leave out.
    seed : int
        Seed of the splits and of the regressors.
    keep : Path, optional
        Folder in which predictions are stored, so that an interrupted comparison can resume.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InvalidInput
        If there are fewer systems than folds, or no regressor is left.
    """
    data = data.without(KEPT_OUT_KEYS)
    names = regressors_to_try(data, without)
    points = point_densities(data)
    training, held_out = _split(data, seed)
    folds = _folds(data, seed)
    with _bar(names, epochs, fold_epochs, progress) as bar:
        runner = _TrialRunner(
            data.sha256, network_inputs(data.systems), points.density, seed, keep, bar
        )
        trials = {
            name: Trial(
                runner.prediction(name, training, held_out, epochs),
                np.array([runner.mse(name, *fold, fold_epochs) for fold in folds]),
            )
            for name in names
        }
    truth = PointDensities(points.density[held_out], points.error[held_out])
    return Comparison(data, held_out, truth, trials, epochs, fold_epochs, seed)


def regressors_to_try(data: Simulations, without: Sequence[str] = ()) -> list[str]:
    """Return the names of the regressors that are not left out.

    Raises
    ------
    InvalidInput
        If there are fewer systems than folds, or no regressor is left.
    """
    names = [name for name in NAMES if name not in without]
    if not names:
        raise InvalidInput("without", ", ".join(without), "must leave at least one regressor")
    if len(set(data.keys)) < FOLDS:
        problem = f"must have at least {FOLDS} systems, one for each fold"
        raise InvalidInput("data", data.folder, problem)
    return names


def _split(data: Simulations, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import GroupShuffleSplit

    shuffle = GroupShuffleSplit(1, test_size=HELD_OUT, random_state=seed)
    return next(shuffle.split(data.keys, groups=data.keys))


def _folds(data: Simulations, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(folds.split(data.keys, groups=data.keys))


@dataclass(frozen=True)
class _TrialRunner:
    """Trains regressors on some rows of the data and tests them on others.

    Predictions are cached in the folder `keep`, if given, so that no regressor is trained twice.
    """

    sha256: str
    inputs: np.ndarray
    outputs: np.ndarray
    seed: int
    keep: Path | None
    bar: tqdm

    def mse(self, name: str, training: np.ndarray, test: np.ndarray, epochs: int) -> np.ndarray:
        """Mean squared error (M²) in the test rows, shape (3,)."""
        predicted = self.prediction(name, training, test, epochs)
        return np.mean((predicted - self.outputs[test]) ** 2, axis=0)

    def prediction(
        self, name: str, training: np.ndarray, test: np.ndarray, epochs: int
    ) -> np.ndarray:
        """Densities (M) in the test rows, shape (test, 3), predicted from the training rows."""
        self.bar.set_description(name)
        if self.keep is None:
            return self._fit_and_predict(name, training, test, epochs)
        result = cached(
            self.keep,
            {
                "regressor": name,
                "hyperparameters": HYPERPARAMETERS[name],
                "epochs": epochs if name == ANN else None,
                "seed": self.seed,
                "judged": test.tolist(),
                "data_sha256": self.sha256,
            },
            lambda: {"prediction": self._fit_and_predict(name, training, test, epochs).tolist()},
            lambda: self.bar.update(epochs if name == ANN else 1),
        )
        return np.array(result["prediction"])

    def _fit_and_predict(
        self, name: str, training: np.ndarray, test: np.ndarray, epochs: int
    ) -> np.ndarray:
        model = regressor(name, self.seed, epochs, self.bar.update)
        model.fit(self.inputs[training], self.outputs[training])
        if name != ANN:
            self.bar.update()
        return np.asarray(model.predict(self.inputs[test]))


def _bar(names: Sequence[str], epochs: int, fold_epochs: int, progress: bool) -> tqdm:
    """Return a progress bar that counts fits and, for the network, epochs."""
    from tqdm import tqdm

    work = (epochs + FOLDS * fold_epochs if name == ANN else 1 + FOLDS for name in names)
    return tqdm(
        total=sum(work),
        unit=" steps",
        mininterval=1 if sys.stderr.isatty() else 30,  # keeps log files short
        disable=not progress,
    )


# --- the table ------------------------------------------------------------------------------


def format_table(comparison: Comparison) -> str:
    """Return the comparison as text, with the paper's success rates."""
    header = (
        "regressor",
        "paper",
        *(f"k = {k:g}" for k in STANDARD_ERRORS),
        "error (%)",
        f"{FOLDS}-fold MSE (M²)",
    )
    ceilings = (_slashed([100 * ceiling(k)] * len(POINTS), ".0f") for k in STANDARD_ERRORS)
    lines = [
        f"Success rate (%) on {len(comparison.held_out)} held-out simulations of "
        f"{len(comparison.data)}: contact/mid/peak density of the positive ions",
        "",
        aligned(
            [
                header,
                *(_row(comparison, name) for name in comparison.trials),
                ("ceiling", "", *ceilings, "", ""),
            ]
        ),
        "",
        "A prediction succeeds if it lies within k standard errors of the simulated density. The",
        "paper does not state its k, and its error bars come from histograms. The ceiling is the",
        "success rate of an exact prediction. One standard error is "
        f"{_slashed(100 * comparison.bar(), '.2f')} % of the",
        "densities (median). error: median of |prediction - MD|/MD. All inputs are scaled to",
        "[0, 1], as in the paper.",
    ]
    if ANN in comparison.trials:
        lines.append(
            f"ann: {comparison.epochs} epochs for the held-out simulations, "
            f"{comparison.fold_epochs} in each of the {FOLDS} folds."
        )
    return "\n".join(lines)


def _row(comparison: Comparison, name: str) -> list[str]:
    return [
        name,
        _slashed(PAPER[name], "d"),
        *(_slashed(100 * comparison.success(name, k), ".0f") for k in STANDARD_ERRORS),
        _slashed(100 * comparison.relative_error(name), ".2f"),
        _slashed(comparison.trials[name].fold_mse.mean(axis=0), ".2e"),
    ]


def _slashed(values: Any, style: str) -> str:
    return "/".join(format(value, style) for value in values)


def _by_point(values: np.ndarray) -> dict[str, float]:
    return {name: _tidy(value) for name, value in zip(POINTS, values, strict=True)}


def _tidy(value: Any) -> float:
    return float(f"{float(value):.4g}")
