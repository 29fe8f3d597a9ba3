"""Propagation of uncertain inputs to the profiles, by sampling the surrogate.

Slit width, concentration and ion diameter are exact, uniform or Gaussian, and independent of each
other. `nanoconf.uncertainty.sobol` samples them and attributes the variance of an output to them.
The spread of an output does not include the error of the model, which is given separately.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from backend.inputs import InvalidInput, Range, checked
from backend.profiles.bins import BINS, HALF, bin_centres
from backend.profiles.charge import CHARGE_PER_MOLAR_NM
from backend.system import SPECIES, SlitSystem
from nanoconf.surrogate.domain import continuous_inputs
from nanoconf.surrogate.model import Halves, Surrogate
from nanoconf.surrogate.shape import Slits
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
"""Outputs that are single numbers, with their units."""

QUANTILES = (0.05, 0.5, 0.95)

SAMPLES = Range(16, 16384, "and be a power of 2")
SEEDS = Range(0, 2**31 - 1, "")


@dataclass(frozen=True)
class Summary:
    """Distribution of an output that results from the uncertain inputs.

    Attributes
    ----------
    mean, std, low, median, high : ndarray, shape () or (150,)
        Mean, standard deviation, and 5 %, 50 % and 95 % quantiles over the samples.
    model_error : ndarray, of the same shape
        Root mean square error of the model, which the other numbers do not include: 90 % of true
        densities lie within 1.645 times it. nan for charges, for which the model gives no error.
    """

    mean: np.ndarray
    std: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    model_error: np.ndarray


@dataclass(frozen=True)
class Uncertainty:
    """Samples of all outputs, as returned by `propagate`.

    Arrays have N samples of D + 2 rows, as in `saltelli_samples`. Summaries, bands and histograms
    use the two independent rows of each sample.

    If the slit width is uncertain, profiles are compared at equal distances from the wall, and z
    refers to the slit of mean width.

    Attributes
    ----------
    system : SlitSystem
        System with each uncertain input at its mean.
    distributions : dict of str to Uniform or Gaussian
        Distributions of the uncertain inputs.
    share_cut : dict of str to float
        Share of each distribution that was cut off because it lies outside the training range.
    model : str
        Name of the model.
    seed : int
        Seed of the samples.
    inputs : ndarray, shape (N, D + 2, D)
        Uncertain inputs (nm, M, nm), in the order of `distributions`.
    profiles : dict of str to ndarray, shape (N, D + 2, 150)
        Outputs in `PROFILES` in the left half of the slit.
    numbers : dict of str to ndarray, shape (N, D + 2)
        Outputs in `NUMBERS`.
    model_errors : dict of str to ndarray
        Errors of the model (M) for all densities, of the same shapes.
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
        """Centres of the bins (nm) from the wall to the midplane, shape (150,)."""
        return bin_centres(self.system)[:HALF]

    @property
    def samples(self) -> int:
        """Number of samples N."""
        return len(self.inputs)

    # --- one output -------------------------------------------------------------------------

    def values(self, output: str, z: float | None = None) -> np.ndarray:
        """Return an output in all rows of all samples.

        Parameters
        ----------
        output : str
            One of `NUMBERS`, an uncertain input (its samples) or, with z, one of `PROFILES`.
        z : float, optional
            Position (nm), between −h/2 and h/2.

        Returns
        -------
        ndarray, shape (N, D + 2)

        Raises
        ------
        InvalidInput
            If there is no such output, or z is outside the slit.
        """
        self._check(output, z)
        if output in self.distributions:
            return self.inputs[..., list(self.distributions).index(output)]
        if z is None:
            return self.numbers[output]
        return self._at(self.profiles[output], z, odd=output == "integrated_charge")

    def summary(self, output: str, z: float | None = None) -> Summary:
        """Summarise an output; parameters as for `values`."""
        values = self.values(output, z)
        errors = self.model_errors.get(output)
        if errors is not None and z is not None:
            errors = self._at(errors, z)
        return _summary(values, errors)

    def histogram(
        self, output: str, z: float | None = None, bins: int = 50
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute the probability density of an output; parameters as for `values`.

        Returns
        -------
        density : ndarray, shape (bins,)
        edges : ndarray, shape (bins + 1,)
        """
        return np.histogram(_independent(self.values(output, z)), bins, density=True)

    def sobol_indices(self, output: str, z: float | None = None) -> SobolIndices:
        """Compute the Sobol indices of an output; parameters as for `values`."""
        return sobol_indices(self.values(output, z), tuple(self.distributions), self.seed)

    # --- over z -----------------------------------------------------------------------------

    def band(self, profile: str) -> Summary:
        """Summarise one of `PROFILES` over `z`."""
        return _summary(self.profiles[profile], self.model_errors.get(profile))

    def sobol_indices_over_z(self, profile: str) -> SobolIndices:
        """Compute the Sobol indices of one of `PROFILES` over `z`, without confidence intervals."""
        return sobol_indices_of_points(self.profiles[profile], tuple(self.distributions))

    # --- on disk ----------------------------------------------------------------------------

    def to_dict(self, at: Sequence[float] = ()) -> dict[str, Any]:
        """Return the summaries and Sobol indices of all outputs as JSON values.

        Parameters
        ----------
        at : sequence of float
            Positions z (nm) at which `PROFILES` are included.
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
            "outputs": [self._output_dict(output, z) for output, z in self.outputs(at)],
        }

    def outputs(self, at: Sequence[float] = ()) -> list[tuple[str, float | None]]:
        """Return all `NUMBERS`, and `PROFILES` at the positions z (nm)."""
        numbers: list[tuple[str, float | None]] = [(output, None) for output in NUMBERS]
        return numbers + [(profile, z) for z in at for profile in PROFILES]

    def _output_dict(self, output: str, z: float | None) -> dict[str, Any]:
        summary, indices = self.summary(output, z), self.sobol_indices(output, z)
        shares = {
            name: {key: _number(getattr(indices, key)[j]) for key in INDEX_FIELDS}
            for j, name in enumerate(indices.inputs)
        }
        return {
            "output": output,
            "z_nm": z,
            "unit": (PROFILES | NUMBERS)[output],
            **{key: _number(getattr(summary, key)) for key in SUMMARY_FIELDS},
            "sobol_indices": shares,
        }

    def files(self) -> dict[str, str]:
        """Return the text of each CSV file by name: samples, bands, and Sobol indices over z."""
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
            columns |= {f"{profile}_{key}": getattr(band, key) for key in SUMMARY_FIELDS}
        return _csv(columns)

    def _indices_csv(self) -> str:
        columns = {"z_nm": self.z}
        for profile in PROFILES:
            indices = self.sobol_indices_over_z(profile)
            for j, name in enumerate(indices.inputs):
                columns[f"{profile}_first_{name}"] = indices.first[j]
                columns[f"{profile}_total_{name}"] = indices.total[j]
        return _csv(columns)

    # --- helpers ----------------------------------------------------------------------------

    def _check(self, output: str, z: float | None) -> None:
        known = [*NUMBERS, *self.distributions] if z is None else list(PROFILES)
        if output not in known:
            condition = "if no z is given" if z is None else "if z is given"
            raise InvalidInput("output", output, f"must be one of {', '.join(known)} {condition}")
        if z is not None:
            half = self.system.confinement_length / 2
            checked("z", z, Range(-half, half, "nm"))

    def _at(self, values: np.ndarray, z: float, odd: bool = False) -> np.ndarray:
        """Interpolate values in the left half, shape (..., 150), linearly at one z.

        The right half has the same values, with the opposite sign if the profile is odd.
        """
        below, share = _places((z / self.system.confinement_length + 0.5) * BINS, BINS)
        low, high = (
            values[..., n] if n < HALF else (-1 if odd else 1) * values[..., BINS - 1 - n]
            for n in (below, below + 1)
        )
        return (1 - share) * low + share * high


SUMMARY_FIELDS = tuple(field.name for field in fields(Summary))
INDEX_FIELDS = tuple(field.name for field in fields(SobolIndices))[1:]


def propagate(
    surrogate: Surrogate,
    system: SlitSystem,
    distributions: Mapping[str, Distribution],
    samples: int = 1024,
    seed: int = 1,
) -> Uncertainty:
    """Propagate uncertain inputs to all outputs of the surrogate.

    Parameters
    ----------
    surrogate : Surrogate
        Model that predicts the samples.
    system : SlitSystem
        Values of the exact inputs.
    distributions : mapping of str to Uniform or Gaussian
        Distributions of uncertain inputs, which may be any of
        `nanoconf.surrogate.domain.continuous_inputs`: h, c and d. ``positive_diameter`` is the
        diameter of both ions. Valencies are exact.
    samples : int
        Number of samples N, a power of 2. With D uncertain inputs, N (D + 2) systems are predicted.
    seed : int
        Seed of the samples.

    Returns
    -------
    Uncertainty

    Raises
    ------
    InvalidInput
        If an input cannot be uncertain, or its distribution leaves the training range. The one-line
        message gives the parameter, its distribution and what is allowed. Nothing is predicted.
    """
    samples, seed = _checked_numbers(samples, seed)
    limits = surrogate.domain.ranges
    possible = continuous_inputs()
    known = {name: distributions[name] for name in possible if name in distributions}
    for name, distribution in distributions.items():
        if name not in known:
            allowed = f"must be exact; {', '.join(possible)} may be uncertain"
            raise InvalidInput(name, str(distribution), allowed)
        distribution.check(name, limits[name])
    mean = _changed(system, known, [distribution.mean for distribution in known.values()])
    surrogate.domain.check(mean)
    inputs = saltelli_samples(known, limits, samples, seed)
    systems = [_changed(mean, known, row) for sample in inputs.tolist() for row in sample]
    outputs = _Outputs.of(systems, surrogate.predict_halves(systems), mean)
    shape = inputs.shape[:2]
    return Uncertainty(
        system=mean,
        distributions=known,
        share_cut={name: known[name].share_outside(limits[name]) for name in known},
        model=surrogate.name,
        seed=seed,
        inputs=inputs,
        profiles=_reshaped(outputs.profiles, shape),
        numbers=_reshaped(outputs.numbers, shape),
        model_errors=_reshaped(outputs.model_errors, shape),
    )


def _checked_numbers(samples: int, seed: int) -> tuple[int, int]:
    number = int(checked("samples", samples, SAMPLES, whole=True))
    if number & (number - 1):
        raise InvalidInput("samples", samples, str(SAMPLES))
    return number, int(checked("seed", seed, SEEDS, whole=True))


def _changed(system: SlitSystem, names: Mapping[str, Any], values: Sequence[float]) -> SlitSystem:
    """Return the system with other values of some inputs; equal diameters stay equal."""
    changes = dict(zip(names, values, strict=True))
    if "positive_diameter" in changes and system.diameters[0] == system.diameters[1]:
        changes["negative_diameter"] = changes["positive_diameter"]
    return system.replace(**changes)


@dataclass(frozen=True)
class _Outputs:
    """Outputs of many systems by name: profiles (systems, 150), numbers (systems,)."""

    profiles: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]
    model_errors: dict[str, np.ndarray]

    @classmethod
    def of(cls, systems: Sequence[SlitSystem], halves: Halves, mean: SlitSystem) -> Self:
        """Compute all outputs; profiles are in the bins of the slit of mean width."""
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
    """Return density and error, shape (systems, 2), in one bin of each profile."""
    return Halves(*(np.take_along_axis(x, number[..., None], axis=2)[..., 0] for x in halves))


def _at_contact(halves: Halves, factor: np.ndarray, place: np.ndarray) -> Halves:
    """Return density and error, shape (systems, 2), at the contact plane.

    The Boltzmann factor of the wall is exp(−1) there. The error band changes at the contact plane
    (see `nanoconf.surrogate.band`): the larger relative error of the two adjacent bins is used.
    """
    smooth = _interpolated(_smooth(halves.density, factor), place[:, None])
    density = smooth[..., 0] / np.e
    behind = np.repeat(_places(place * BINS, HALF)[0][:, None], len(SPECIES), axis=1)
    near = (_at_bin(halves, number) for number in (behind, behind + 1))
    return Halves(density, density * np.maximum(*(bin.error / bin.density for bin in near)))


def _charges(system: SlitSystem, densities: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute net charge density and integrated charge as in `backend.profiles.charge`."""
    net = np.tensordot(
        system.valencies, [densities[f"{species}_density"] for species in SPECIES], axes=1
    )
    layers = CHARGE_PER_MOLAR_NM * net * system.confinement_length / BINS
    to_centres = np.cumsum(layers, axis=-1) - layers / 2
    integrated = system.actual_surface_charge_density + to_centres
    return {"net_charge_density": net, "integrated_charge": integrated}


def _in_bins_of(width: float, slits: Slits, values: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Convert profiles to the bins of a slit of another width, at equal distances from the wall.

    Parameters
    ----------
    width : float
        Width of that slit (nm).
    slits : Slits
        Slits of the samples.
    values : ndarray, shape (systems, 2, 150)
        Densities or their errors.
    factor : ndarray, shape (systems, 150)
        Boltzmann factor of the wall in the bins of the samples.

    Returns
    -------
    ndarray, shape (systems, 2, 150)
    """
    if np.all(slits.width == width):
        return values
    moved = slits.plane + (width - slits.width) / 2
    factor_there, _ = Slits(np.full_like(slits.width, width), slits.size, moved).bins()
    distance = width * (np.arange(HALF) + 0.5) / BINS
    smooth = _interpolated(_smooth(values, factor), distance / slits.width[:, None])
    return smooth * factor_there[:, None]


def _smooth(values: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Divide profiles by the wall's Boltzmann factor; empty bins get the value of the next bin."""
    first = np.argmax(factor > 0, axis=1)[:, None]
    nearest = np.maximum(np.arange(HALF), first)
    values = np.take_along_axis(values, nearest[:, None], axis=2)
    return values / np.take_along_axis(factor, nearest, axis=1)[:, None]


def _interpolated(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Interpolate symmetric profiles linearly between the centres of bins.

    Parameters
    ----------
    values : ndarray, shape (systems, 2, 150)
        Values in the left half.
    place : ndarray, shape (systems, points)
        Distances from the wall in units of the slit width.

    Returns
    -------
    ndarray, shape (systems, 2, points)
    """
    below, share = _places(np.minimum(place, 1 - place) * BINS, HALF)
    low, high = (np.take_along_axis(values, n[:, None], axis=2) for n in (below, below + 1))
    return low + share[:, None] * (high - low)


def _places(place: Any, bins: int) -> tuple[Any, Any]:
    """Return the bin whose centre lies below a position (in bins), and the fraction to the next.

    Positions beyond the first or the last centre are clipped to it.
    """
    from_centre = np.clip(place - 0.5, 0, bins - 1)
    below = np.minimum(from_centre.astype(int), bins - 2)
    return below, from_centre - below


# --- helpers --------------------------------------------------------------------------------


def _independent(values: np.ndarray) -> np.ndarray:
    """Concatenate the independent rows of all samples, shape (2 N, ...)."""
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
    """Convert to a JSON number; nan becomes None."""
    return float(value) if np.isfinite(value) else None


def _csv(columns: Mapping[str, np.ndarray]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(f"{value:.8g}" for value in row)
    return stream.getvalue()
