"""The paper's success rate A and its ceiling, the rate that an exact prediction would reach.

A prediction succeeds in a bin if it differs from the simulation by less than the simulation's error
bar. A_n is the fraction of systems for which it succeeds in bin n (Fig. 4), A_i the fraction of
bins in which it succeeds for system i, and A the fraction over all systems and bins. A rises as the
simulations become noisier, so it is meaningful only relative to its ceiling: error bars of k
standard errors from B blocks contain the exact density with probability P(|t| < k), for Student's t
with B − 1 degrees of freedom. The paper does not state its k.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from backend.profiles.bins import HALF, bin_centres
from backend.system import InvalidInput, SlitSystem
from backend.walls import boltzmann_factor
from nanoconf.data.published import SYSTEMS, TRENDS
from nanoconf.paper.histograms import Histograms
from nanoconf.paper.published_network import INPUTS, SPECIES, Predict, paper_key
from nanoconf.paper.report import tidy
from nanoconf.surrogate.model import Surrogate
from nanoconf.surrogate.simulations import Simulations

STANDARD_ERRORS = (1.0, 1.96, 3.0)
"""Half widths k of the error bars, in standard errors."""

MIN_BOLTZMANN_FACTOR = 0.01
"""Bins count as accessible if the Boltzmann factor of the walls is at least this value. Nearer the
wall, a run of 5 ns counts too few ions for a reliable standard error."""

PAPER_A = 0.958
PAPER_A_N = (0.86, 0.997)
PAPER_A_I = {"I": 0.98, "II": 0.91, "III": 0.78, "IV": 0.89}
"""Values reported in the paper: A, the smallest and largest A_n, and A_i by system."""

NAMES = {paper_key(system): name for name, system in {**SYSTEMS, **TRENDS}.items()}
"""Names of the systems in the paper, by `paper_key`."""

NOTE = """
A: fraction of bins in which prediction and simulation differ by less than k standard errors of the
simulation's histogram. Ceiling: A of an exact prediction. The paper does not state its k.
L2 error: relative to the most precise runs, over all bins. MD noise: the error of these runs."""

References = dict[str, tuple[np.ndarray, np.ndarray]]
"""Density and standard error (M) of the most precise runs, shape (150,) each, by `paper_key`."""


def ceiling(blocks: np.ndarray | int, k: float) -> np.ndarray:
    """Success rate of an exact prediction: P(|t| < k) with B − 1 degrees of freedom.

    Parameters
    ----------
    blocks : int or ndarray of int
        Number of blocks B.
    k : float
        Half width of the error bars, in standard errors.
    """
    return 1 - 2 * stats.t.sf(k, np.asarray(blocks) - 1)


def accessible(system: SlitSystem) -> np.ndarray:
    """Mask of the bins of the left half that positive ions can reach; bool, shape (150,)."""
    z = bin_centres(system)[:HALF]
    return boltzmann_factor(system, SPECIES, z) >= MIN_BOLTZMANN_FACTOR


@dataclass(frozen=True)
class Deviations:
    """Deviations of predictions from histograms.

    Attributes
    ----------
    ratio : ndarray, shape (systems, 150)
        |ML − MD| in standard errors; NaN in bins that are not counted.
    blocks : ndarray of int, shape (systems,)
        Number of blocks from which the standard errors of each system are computed.
    """

    ratio: np.ndarray
    blocks: np.ndarray

    @classmethod
    def of(cls, predicted: np.ndarray, histograms: Histograms) -> Deviations:
        """Compare predicted densities (M), shape (systems, 150), with histograms."""
        counted = np.array([accessible(system) for system in histograms.systems])
        counted &= histograms.error > 0
        difference = np.abs(predicted - histograms.density)
        ratio = np.full_like(difference, np.nan)
        np.divide(difference, histograms.error, out=ratio, where=counted)
        return cls(ratio, histograms.blocks)

    def __getitem__(self, rows: Any) -> Deviations:
        return Deviations(self.ratio[rows], self.blocks[rows])

    @property
    def counted(self) -> np.ndarray:
        """Mask of the bins that are counted; bool, shape (systems, 150)."""
        return ~np.isnan(self.ratio)

    def success(self, k: float) -> dict[str, float]:
        """Return A over all counted bins (``value``) and its ``ceiling``."""
        weight = self.counted.sum(axis=1) / self.counted.sum()
        return {
            "value": tidy(np.mean(self.ratio[self.counted] < k)),
            "ceiling": tidy(weight @ ceiling(self.blocks, k)),
        }

    def success_by_bin(self, k: float) -> np.ndarray:
        """Return A_n, shape (150,); NaN in bins that are not counted for any system."""
        systems = self.counted.sum(axis=0)
        hits = (self.ratio < k).sum(axis=0)
        return np.divide(hits, systems, out=np.full(HALF, np.nan), where=systems > 0)


def evaluate(
    predict: Predict,
    histograms: Histograms,
    references: References,
    seen: Collection[str] = (),
) -> dict[str, Any]:
    """Compute success rates and errors of a predictor.

    Parameters
    ----------
    predict : callable
        Function from systems to densities (M) of positive ions, shape (systems, 150).
    histograms : Histograms
        Runs of the test systems and of the paper's ten systems.
    references : References
        Most precise runs, for the L2 error; see `references_of`.
    seen : collection of str
        Keys of the predictor's training systems, which are left out. Only the paper's five inputs
        in a key are compared, because a surrogate may have more.

    Returns
    -------
    dict
        JSON values: ``A`` and ``A_n`` by k over the test systems; ``systems``, A_i by k for the
        paper's systems; ``error``, the relative L2 error with respect to the references and their
        noise.

    Raises
    ------
    InvalidInput
        If no test system is left.
    """
    left_out = {" ".join(key.split()[: len(INPUTS)]) for key in seen}
    rows = [row for row, key in enumerate(histograms.keys) if key not in left_out]
    keys = [histograms.keys[row] for row in rows]
    test = [index for index, key in enumerate(keys) if key not in NAMES]
    if not test:
        problem = "contains no test system other than the published ones"
        raise InvalidInput("data", len(histograms), problem)
    predicted = np.zeros_like(histograms.density)
    predicted[rows] = predict([histograms.systems[row] for row in rows])
    deviations = Deviations.of(predicted, histograms)[rows]
    errors = [
        _error(predicted[row], references.get(key)) for row, key in zip(rows, keys, strict=True)
    ]
    return {
        "test_systems": len(test),
        "duration_ns": tidy(np.median(histograms.duration_ns[rows])),
        "blocks": sorted({int(count) for count in deviations.blocks}),
        "error": _median([errors[index] for index in test]),
        "bins": {"n": list(range(1, HALF + 1))}
        | {"systems": deviations[test].counted.sum(axis=0).tolist()},
        "A": {
            f"{k:g}": deviations[test].success(k)
            | {"A_n": tidy(deviations[test].success_by_bin(k))}
            for k in STANDARD_ERRORS
        },
        "systems": {
            name: {
                "A": {f"{k:g}": deviations[[keys.index(key)]].success(k) for k in STANDARD_ERRORS},
                "error": errors[keys.index(key)],
            }
            for key, name in NAMES.items()
            if key in keys
        },
    }


def positive_ions(model: Surrogate) -> Predict:
    """Return the predictor of positive-ion densities of a surrogate, for `evaluate`."""
    return lambda systems: model.predict_halves(systems).density[:, 0]


def references_of(data: Sequence[Simulations]) -> References:
    """Return the most precise positive-ion profile of each system across datasets."""
    found: References = {}
    for simulations in data:
        profiles = zip(
            map(paper_key, simulations.systems),
            simulations.density[SPECIES],
            simulations.error[SPECIES],
            strict=True,
        )
        for key, density, error in profiles:
            if key not in found or np.linalg.norm(error) < np.linalg.norm(found[key][1]):
                found[key] = (density, error)
    return found


def relative_error(
    predicted: np.ndarray, density: np.ndarray, error: np.ndarray
) -> dict[str, float]:
    """Relative L2 error of a predicted profile.

    Parameters
    ----------
    predicted, density, error : ndarray, shape (bins,)
        Predicted density, simulated density and its standard error (M).

    Returns
    -------
    dict
        ``observed``, ‖ML − MD‖/‖MD‖; ``noise``, the contribution of the standard errors of MD;
        ``beyond_noise``, √(observed² − noise²), or zero if the noise is larger.
    """
    norm = np.linalg.norm(density)
    observed, noise = np.linalg.norm(predicted - density) / norm, np.linalg.norm(error) / norm
    return {
        "observed": tidy(observed),
        "noise": tidy(noise),
        "beyond_noise": tidy(np.sqrt(np.clip(observed**2 - noise**2, 0.0, None))),
    }


def _error(
    predicted: np.ndarray, reference: tuple[np.ndarray, np.ndarray] | None
) -> dict[str, float] | None:
    return None if reference is None else relative_error(predicted, *reference)


def _median(errors: Sequence[dict[str, float] | None]) -> dict[str, float] | None:
    """Median of each error over systems; None if a system has no error."""
    known = [error for error in errors if error is not None]
    if not known or len(known) < len(errors):
        return None
    return {name: tidy(np.median([error[name] for error in known])) for name in known[0]}


# --- tables and figures ---------------------------------------------------------------------


def rows(found: dict[str, Any]) -> list[list[str]]:
    """Table of A and its ceiling by k, over the test systems and for each published system."""
    table = [
        [
            "",
            *(text for k in STANDARD_ERRORS for text in (f"A, k = {k:g}", "ceiling")),
            "paper",
            "L2 error %",
            "MD noise %",
        ]
    ]
    all_systems = f"{found['test_systems']} test systems"
    table.append(_row(all_systems, found["A"], f"{PAPER_A:.3f}", found["error"]))
    for name, one in found["systems"].items():
        paper = PAPER_A_I.get(name)
        table.append(_row(name, one["A"], f"{paper:.2f}" if paper else "", one["error"]))
    for choose, label in ((min, "smallest A_n"), (max, "largest A_n")):
        cells = []
        for k in STANDARD_ERRORS:
            in_bins = [value for value in found["A"][f"{k:g}"]["A_n"] if value is not None]
            cells += [f"{choose(in_bins):.3f}", ""]
        table.append([label, *cells, f"{choose(PAPER_A_N):g}", "", ""])
    return table


def _row(
    name: str, success: dict[str, Any], paper: str, error: dict[str, float] | None
) -> list[str]:
    cells = [
        f"{success[f'{k:g}'][key]:.3f}" for k in STANDARD_ERRORS for key in ("value", "ceiling")
    ]
    errors = [f"{100 * error[key]:.2f}" if error else "" for key in ("observed", "noise")]
    return [name, *cells, paper, *errors]


def draw(found: dict[str, Any]) -> Any:
    """Draw A_n against n (Fig. 4) and A_i of the paper's systems, each with its ceiling."""
    from nanoconf.paper.report import COLOURS, MARKERS, STYLES, figure

    picture, (left, right) = figure(2, 1, size=(8.5, 7.0))
    curves, points = left[0], right[0]
    labels = {name: name.replace(", ", "\n") for name in found["systems"]}
    for index, k in enumerate(STANDARD_ERRORS):
        success, colour = found["A"][f"{k:g}"], COLOURS[index]
        in_bins = [np.nan if value is None else value for value in success["A_n"]]
        label = f"k = {k:g}: A = {success['value']:.3f}, ceiling {success['ceiling']:.3f}"
        curves.plot(found["bins"]["n"], in_bins, STYLES[index], color=colour, label=label)
        curves.axhline(success["ceiling"], color=colour, linestyle=":", linewidth=1)
        values = [found["systems"][name]["A"][f"{k:g}"] for name in labels]
        points.plot(
            list(labels.values()),
            [value["value"] for value in values],
            MARKERS[index],
            color=colour,
            label=f"k = {k:g}",
        )
        points.plot(
            list(labels.values()), [value["ceiling"] for value in values], "_", ms=22, color=colour
        )
    low, high = PAPER_A_N
    curves.axhspan(low, high, color="0.9", zorder=0, label=f"paper: {low:g} to {high:g}")
    shown = {name: value for name, value in PAPER_A_I.items() if name in labels}
    points.plot(list(shown), list(shown.values()), "x", color="black", label="paper")
    curves.set_xlabel("bin n, from the wall (1) to the midplane (150)")
    curves.set_ylabel("$A_n$")
    points.set_ylabel("$A_i$ (dashes: ceilings)")
    points.tick_params(axis="x", labelsize=8)
    for axis in (curves, points):
        axis.set_ylim(0, 1.05)
        axis.legend(fontsize=8, loc="lower right")
    return picture
