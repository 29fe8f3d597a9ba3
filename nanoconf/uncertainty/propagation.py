"""What uncertain inputs do to the profiles: by sampling them and asking the surrogate.

Slit width, concentration and ion diameter are exact, uniform or Gaussian, and independent;
`nanoconf.uncertainty.sobol` samples them and shares out the variance of an output among them.
The model's own error is another thing, and is stated apart: no spread of the inputs contains it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from backend.inputs import InvalidInput, Range, checked
from backend.profiles.bins import BINS, bin_centres
from backend.profiles.charge import CHARGE_PER_MOLAR_NM
from backend.system import SPECIES, SlitSystem
from nanoconf.surrogate.domain import continuous_inputs
from nanoconf.surrogate.model import Halves, Surrogate
from nanoconf.surrogate.shape import HALF, Slits
from nanoconf.uncertainty.sobol import (
    Distribution,
    SobolIndices,
    saltelli_samples,
    sobol_indices,
    sobol_indices_of_points,
)
from nanoconf.uncertainty.sobol import Gaussian as Gaussian
from nanoconf.uncertainty.sobol import Uniform as Uniform

PROFILES = {
    "positive_density": "M",
    "negative_density": "M",
    "net_charge_density": "e mol/L",
    "integrated_charge": "C/m²",
}
"""Outputs that are functions of z, with their units."""

NUMBERS = {
    f"{species}_{place}_density": "M" for species in SPECIES for place in ("contact", "peak", "mid")
}
"""Outputs that are one number, with their units."""

QUANTILES = (0.05, 0.5, 0.95)

SAMPLES = Range(16, 16384, "and be a power of 2")
SEEDS = Range(0, 2**31 - 1, "")


@dataclass(frozen=True)
class Summary:
    """What an output is, given how uncertain the inputs are.

    Attributes
    ----------
    mean, std, low, median, high : ndarray, shape () or (150,)
        Mean, standard deviation, 5 %, 50 % and 95 % quantile over the samples.
    model_error : ndarray, of the same shape
        What the model's own errors are, as root of their mean square: 90 % of true densities lie
        within 1.645 of it. It comes on top. nan for charges, of which the model states none.
    """

    mean: np.ndarray
    std: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    model_error: np.ndarray


@dataclass(frozen=True)
class Uncertainty:
    """Samples of all outputs; `propagate` makes it.

    Arrays have N samples of D + 2 rows, as `saltelli_samples`. What is said about distributions
    (summaries, bands, histograms) comes from the two independent rows of each sample.

    Where the slit width is uncertain, profiles are compared at equal distances from the wall: z is
    that of the slit of mean width.

    Attributes
    ----------
    system : SlitSystem
        The system with each uncertain input at its mean.
    distributions : dict of str to Uniform or Gaussian
        The uncertain inputs.
    share_cut : dict of str to float
        Share of each distribution that was cut off because the model has not learnt it.
    model : str
        Name of the model.
    seed : int
        What the samples follow from.
    inputs : ndarray, shape (N, D + 2, D)
        Uncertain inputs (nm, M, nm), in the order of `distributions`.
    profiles : dict of str to ndarray, shape (N, D + 2, 150)
        The outputs of `PROFILES` in the left half of the slit.
    numbers : dict of str to ndarray, shape (N, D + 2)
        The outputs of `NUMBERS`.
    model_errors : dict of str to ndarray
        The model's own errors of all densities, of the same shapes.
    """

    system: SlitSystem
    distributions: dict[str, Distribution]
    share_cut: dict[str, float]
    model: str
    seed: int
    inputs: np.ndarray
    profiles: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]
    model_errors: dict[str, np.ndarray]

    @property
    def z(self) -> np.ndarray:
        """Centres of the bins of the left half (nm), from the wall to the middle, shape (150,)."""
        return bin_centres(self.system)[:HALF]

    @property
    def samples(self) -> int:
        """N."""
        return len(self.inputs)

    # --- of one output ----------------------------------------------------------------------

    def values(self, output: str, z: float | None = None) -> np.ndarray:
        """An output in all rows of all samples.

        Parameters
        ----------
        output : str
            One of `NUMBERS`, an uncertain input (its samples), or, with z, one of `PROFILES`.
        z : float, optional
            Where (nm), between −h/2 and h/2.

        Returns
        -------
        ndarray, shape (N, D + 2)

        Raises
        ------
        InvalidInput
            There is no such output, or z is outside the slit.
        """
        self._check(output, z)
        if output in self.distributions:
            return self.inputs[..., list(self.distributions).index(output)]
        if z is None:
            return self.numbers[output]
        return self._at(self.profiles[output], z, odd=output == "integrated_charge")

    def summary(self, output: str, z: float | None = None) -> Summary:
        """Mean, standard deviation and quantiles of an output; as for `values`."""
        values = self.values(output, z)
        errors = self.model_errors.get(output)
        if errors is not None and z is not None:
            errors = self._at(errors, z)
        return _summary(values, errors)

    def histogram(
        self, output: str, z: float | None = None, bins: int = 50
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probability density of an output; as for `values`.

        Returns
        -------
        density : ndarray, shape (bins,)
        edges : ndarray, shape (bins + 1,)
        """
        return np.histogram(_independent(self.values(output, z)), bins, density=True)

    def sobol_indices(self, output: str, z: float | None = None) -> SobolIndices:
        """Which input causes the spread of an output; as for `values`."""
        return sobol_indices(self.values(output, z), tuple(self.distributions), self.seed)

    # --- over z -----------------------------------------------------------------------------

    def band(self, profile: str) -> Summary:
        """Mean, standard deviation and quantiles of one of `PROFILES` over `z`."""
        return _summary(self.profiles[profile], self.model_errors.get(profile))

    def sobol_indices_over_z(self, profile: str) -> SobolIndices:
        """Which input causes the spread of one of `PROFILES` over `z`, without confidence."""
        return sobol_indices_of_points(self.profiles[profile], tuple(self.distributions))

    # --- on disk ----------------------------------------------------------------------------

    def to_dict(self, at: Sequence[float] = ()) -> dict[str, Any]:
        """Everything about single outputs as plain JSON values.

        Parameters
        ----------
        at : sequence of float
            Places z (nm) where `PROFILES` are asked for, too.
        """
        return {
            "model": self.model,
            "system": self.system.to_dict(),
            "uncertain": {
                name: {"kind": type(value).__name__.lower(), **asdict(value)}
                for name, value in self.distributions.items()
            },
            "share_cut": self.share_cut,
            "samples": self.samples,
            "predictions": self.inputs.shape[0] * self.inputs.shape[1],
            "seed": self.seed,
            "outputs": [self._answer(output, z) for output, z in self.outputs(at)],
        }

    def outputs(self, at: Sequence[float] = ()) -> list[tuple[str, float | None]]:
        """All `NUMBERS`, and `PROFILES` at some places."""
        numbers: list[tuple[str, float | None]] = [(output, None) for output in NUMBERS]
        return numbers + [(profile, z) for z in at for profile in PROFILES]

    def _answer(self, output: str, z: float | None) -> dict[str, Any]:
        summary, indices = self.summary(output, z), self.sobol_indices(output, z)
        shares = {
            name: {word: _number(getattr(indices, word)[j]) for word in INDEX_WORDS}
            for j, name in enumerate(indices.inputs)
        }
        return {
            "output": output,
            "z_nm": z,
            "unit": (PROFILES | NUMBERS)[output],
            **{word: _number(getattr(summary, word)) for word in SUMMARY_WORDS},
            "sobol_indices": shares,
        }

    def files(self) -> dict[str, str]:
        """Texts of CSV files, by name: samples, bands, and Sobol indices over z."""
        return {
            "samples.csv": self._samples_csv(),
            "bands.csv": self._bands_csv(),
            "sobol_over_z.csv": self._indices_csv(),
        }

    def _samples_csv(self) -> str:
        columns = {name: self.inputs[..., j] for j, name in enumerate(self.distributions)}
        columns |= {f"{name}_M": values for name, values in self.numbers.items()}
        return _csv({name: _independent(values) for name, values in columns.items()})

    def _bands_csv(self) -> str:
        columns = {"z_nm": self.z}
        for profile in PROFILES:
            band = self.band(profile)
            columns |= {f"{profile}_{word}": getattr(band, word) for word in SUMMARY_WORDS}
        return _csv(columns)

    def _indices_csv(self) -> str:
        columns = {"z_nm": self.z}
        for profile in PROFILES:
            indices = self.sobol_indices_over_z(profile)
            for j, name in enumerate(indices.inputs):
                columns[f"{profile}_first_{name}"] = indices.first[j]
                columns[f"{profile}_total_{name}"] = indices.total[j]
        return _csv(columns)

    # --- inside -----------------------------------------------------------------------------

    def _check(self, output: str, z: float | None) -> None:
        known = [*NUMBERS, *self.distributions] if z is None else list(PROFILES)
        if output not in known:
            where = "without z" if z is None else "at a z"
            raise InvalidInput("output", output, f"must be, {where}, one of {', '.join(known)}")
        if z is not None:
            half = self.system.confinement_length / 2
            checked("z", z, Range(-half, half, "nm"))

    def _at(self, values: np.ndarray, z: float, odd: bool = False) -> np.ndarray:
        """Values in the left half, shape (..., 150), at one z: between bins a straight line.

        In the right half are the same values, or minus those where they are odd.
        """
        below, share = _places((z / self.system.confinement_length + 0.5) * BINS, BINS)
        low, high = (
            values[..., n] if n < HALF else (-1 if odd else 1) * values[..., BINS - 1 - n]
            for n in (below, below + 1)
        )
        return (1 - share) * low + share * high


SUMMARY_WORDS = tuple(field.name for field in fields(Summary))
INDEX_WORDS = tuple(field.name for field in fields(SobolIndices))[1:]


def propagate(
    surrogate: Surrogate,
    system: SlitSystem,
    distributions: Mapping[str, Distribution],
    samples: int = 1024,
    seed: int = 1,
) -> Uncertainty:
    """What uncertain inputs do to all outputs of the surrogate.

    Parameters
    ----------
    surrogate : Surrogate
        The model to ask.
    system : SlitSystem
        All inputs that are exact.
    distributions : mapping of str to Uniform or Gaussian
        Any of `nanoconf.surrogate.domain.continuous_inputs`: h, c and d. ``positive_diameter`` is
        that of both ions. Valencies are exact.
    samples : int
        N, a power of 2. With D uncertain inputs, N (D + 2) profiles are predicted.
    seed : int
        Every sample follows from it.

    Raises
    ------
    InvalidInput
        An input cannot be uncertain, or would leave what the model has learnt: one line with the
        parameter, its distribution and what is allowed. Nothing was predicted.
    """
    samples, seed = _checked_numbers(samples, seed)
    learnt = surrogate.learnt.ranges
    possible = continuous_inputs()
    known = {name: distributions[name] for name in possible if name in distributions}
    for name, distribution in distributions.items():
        if name not in known:
            allowed = f"must be exact; {', '.join(possible)} may be uncertain"
            raise InvalidInput(name, str(distribution), allowed)
        distribution.check(name, learnt[name])
    mean = _changed(system, known, [distribution.mean for distribution in known.values()])
    surrogate.learnt.check(mean)
    inputs = saltelli_samples(known, learnt, samples, seed)
    systems = [_changed(mean, known, row) for sample in inputs.tolist() for row in sample]
    found = _Found.of(systems, surrogate.predict_halves(systems), mean)
    shape = inputs.shape[:2]
    return Uncertainty(
        system=mean,
        distributions=known,
        share_cut={name: known[name].share_outside(learnt[name]) for name in known},
        model=surrogate.name,
        seed=seed,
        inputs=inputs,
        profiles=_reshaped(found.profiles, shape),
        numbers=_reshaped(found.numbers, shape),
        model_errors=_reshaped(found.model_errors, shape),
    )


def _checked_numbers(samples: int, seed: int) -> tuple[int, int]:
    number = int(checked("samples", samples, SAMPLES, whole=True))
    if number & (number - 1):
        raise InvalidInput("samples", samples, str(SAMPLES))
    return number, int(checked("seed", seed, SEEDS, whole=True))


def _changed(system: SlitSystem, names: Mapping[str, Any], values: Sequence[float]) -> SlitSystem:
    """The system with other values of some inputs; ions of equal size stay so."""
    changes = dict(zip(names, values, strict=True))
    if "positive_diameter" in changes and system.diameters[0] == system.diameters[1]:
        changes["negative_diameter"] = changes["positive_diameter"]
    return system.replace(**changes)


@dataclass(frozen=True)
class _Found:
    """Outputs of many systems, by name: profiles (systems, 150), all others (systems,)."""

    profiles: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]
    model_errors: dict[str, np.ndarray]

    @classmethod
    def of(cls, systems: Sequence[SlitSystem], halves: Halves, mean: SlitSystem) -> Self:
        """All outputs, profiles in the bins of the slit of mean width."""
        slits = Slits.of(systems)
        factor, _ = slits.bins()
        contact = np.array([system.positive_diameter for system in systems]) / 2 / slits.width
        places = {
            "contact": _at_contact(halves, factor, contact),
            "peak": _at_bin(halves, halves.density.argmax(axis=2)),
            "mid": _at_bin(halves, np.full(halves.density.shape[:2], HALF - 1)),
        }
        width = mean.confinement_length
        over_z = Halves(*(_in_bins_of(width, slits, values, factor) for values in halves))
        densities: dict[str, np.ndarray] = {}
        numbers: dict[str, np.ndarray] = {}
        errors: dict[str, np.ndarray] = {}
        for ion, species in enumerate(SPECIES):
            densities[f"{species}_density"] = over_z.density[:, ion]
            errors[f"{species}_density"] = over_z.error[:, ion]
            for place, found in places.items():
                numbers[f"{species}_{place}_density"] = found.density[:, ion]
                errors[f"{species}_{place}_density"] = found.error[:, ion]
        return cls(densities | _charges(mean, densities), numbers, errors)


def _at_bin(halves: Halves, number: np.ndarray) -> Halves:
    """Densities and errors, shape (systems, 2), in one bin of each profile."""
    return Halves(*(np.take_along_axis(x, number[..., None], axis=2)[..., 0] for x in halves))


def _at_contact(halves: Halves, factor: np.ndarray, place: np.ndarray) -> Halves:
    """Densities and errors, shape (systems, 2), where the wall lets through exp(−1).

    The contact plane parts two regions of different errors, see `nanoconf.surrogate.band`: the
    larger relative error of the bins to its left and right holds.
    """
    smooth = _interpolated(_smooth(halves.density, factor), place[:, None])
    density = smooth[..., 0] / np.e
    behind = np.repeat(_places(place * BINS, HALF)[0][:, None], len(SPECIES), axis=1)
    near = (_at_bin(halves, number) for number in (behind, behind + 1))
    return Halves(density, density * np.maximum(*(bin.error / bin.density for bin in near)))


def _charges(system: SlitSystem, densities: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Net charge density and integrated charge, of many samples: see `backend.profiles.charge`."""
    net = np.tensordot(
        system.valencies, [densities[f"{species}_density"] for species in SPECIES], axes=1
    )
    layers = CHARGE_PER_MOLAR_NM * net * system.confinement_length / BINS
    to_centres = np.cumsum(layers, axis=-1) - layers / 2
    integrated = system.actual_surface_charge_density + to_centres
    return {"net_charge_density": net, "integrated_charge": integrated}


def _in_bins_of(width: float, slits: Slits, values: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Profiles at the same distances from the wall, in the bins of a slit of another width.

    Parameters
    ----------
    width : float
        Its width (nm).
    slits : Slits
        Those of the samples.
    values : ndarray, shape (systems, 2, 150)
        Densities or their errors.
    factor : ndarray, shape (systems, 150)
        The wall's Boltzmann factor in the bins of the samples.
    """
    if np.all(slits.width == width):
        return values
    moved = slits.plane + (width - slits.width) / 2
    factor_there, _ = Slits(np.full_like(slits.width, width), slits.size, moved).bins()
    distance = width * (np.arange(HALF) + 0.5) / BINS
    smooth = _interpolated(_smooth(values, factor), distance / slits.width[:, None])
    return smooth * factor_there[:, None]


def _smooth(values: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Profiles without the wall's Boltzmann factor; where no ion can be, as in the next bin."""
    first = np.argmax(factor > 0, axis=1)[:, None]
    nearest = np.maximum(np.arange(HALF), first)
    values = np.take_along_axis(values, nearest[:, None], axis=2)
    return values / np.take_along_axis(factor, nearest, axis=1)[:, None]


def _interpolated(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Symmetric profiles between the centres of bins.

    Parameters
    ----------
    values : ndarray, shape (systems, 2, 150)
        In the left half.
    place : ndarray, shape (systems, points)
        Distances from the wall, in widths of the slit.

    Returns
    -------
    ndarray, shape (systems, 2, points)
    """
    below, share = _places(np.minimum(place, 1 - place) * BINS, HALF)
    low, high = (np.take_along_axis(values, n[:, None], axis=2) for n in (below, below + 1))
    return low + share[:, None] * (high - low)


def _places(place: Any, bins: int) -> tuple[Any, Any]:
    """The bin whose centre lies below a place (in bins), and the share of the way to the next.

    Nearer to an end than the first or last centre, that centre's value holds.
    """
    from_centre = np.clip(place - 0.5, 0, bins - 1)
    below = np.minimum(from_centre.astype(int), bins - 2)
    return below, from_centre - below


# --- small things ---------------------------------------------------------------------------


def _independent(values: np.ndarray) -> np.ndarray:
    """The rows that are independent, one after the other: shape (2 N, ...)."""
    return values[:, [0, -1]].reshape(-1, *values.shape[2:])


def _summary(values: np.ndarray, errors: np.ndarray | None) -> Summary:
    values = _independent(values)
    if errors is None:
        model_error = np.full(values.shape[1:], np.nan)
    else:
        model_error = np.sqrt(np.mean(_independent(errors) ** 2, axis=0))
    low, median, high = np.quantile(values, QUANTILES, axis=0)
    return Summary(values.mean(axis=0), values.std(axis=0), low, median, high, model_error)


def _reshaped(values: Mapping[str, np.ndarray], shape: tuple[int, int]) -> dict[str, np.ndarray]:
    return {name: array.reshape(*shape, *array.shape[1:]) for name, array in values.items()}


def _number(value: np.ndarray) -> float | None:
    """A number for JSON, which has no nan."""
    return float(value) if np.isfinite(value) else None


def _csv(columns: Mapping[str, np.ndarray]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(f"{value:.8g}" for value in row)
    return stream.getvalue()
