"""Density profiles from a trained network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from backend.files import write_text
from backend.profiles.bins import bin_centres
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.system import SPECIES, SlitSystem
from nanoconf.surrogate import band
from nanoconf.surrogate.card import Card
from nanoconf.surrogate.domain import Domain, mean_density, network_inputs
from nanoconf.surrogate.domain import ExtrapolationWarning as ExtrapolationWarning
from nanoconf.surrogate.runtime import RUNTIMES, Network
from nanoconf.surrogate.shape import TERMS, Slits, profile_of

BATCH_SIZE = 256
"""Number of systems per batch, chosen so that the arrays fit into the processor cache."""

FILES = {
    "positive": ("ml_positive_density.csv", "ml_predicted_p_density_profile.dat"),
    "negative": ("ml_negative_density.csv", "ml_predicted_n_density_profile.dat"),
}


class Halves(NamedTuple):
    """Predicted profiles of several systems, from the wall to the midplane.

    Attributes
    ----------
    density, error : ndarray, shape (systems, 2, 150)
        Density of both ions and its error (M): 90 % of true densities lie within 1.645 times it.
    """

    density: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Prediction:
    """Predicted profiles of one system.

    Attributes
    ----------
    system : SlitSystem
        System that was predicted.
    positive, negative : DensityProfile
        Profiles over the full slit, 300 bins. `error` (M): 90 % of true densities lie within 1.645
        errors; see `nanoconf.surrogate.band`.
    model : str
        Name of the model.
    """

    system: SlitSystem
    positive: DensityProfile
    negative: DensityProfile
    model: str

    @property
    def profiles(self) -> SlitProfiles:
        """Profiles of both ions."""
        return SlitProfiles(self.positive, self.negative)

    def files(self) -> dict[str, str]:
        """Return the text of each file of this prediction, by file name."""
        return predicted_files(self.profiles)

    def save(self, folder: str | Path) -> None:
        """Write the CSV and .dat files of both species into a folder."""
        for name, text in self.files().items():
            write_text(Path(folder) / name, text)


def predicted_files(profiles: SlitProfiles) -> dict[str, str]:
    """Return the text of each file of predicted profiles, by file name."""
    texts = {}
    for species, (csv_name, dat_name) in FILES.items():
        profile = profiles.by_species()[species]
        texts[csv_name] = profile.to_csv()
        texts[dat_name] = profile.to_dat()
    return texts


class Surrogate:
    """Trained model, loaded with `Surrogate.load`. Its methods are thread-safe.

    Attributes
    ----------
    folder : Path
        Folder of the model.
    card : Card
        Description of the model: training, domain and accuracy.
    problems : tuple of str
        Lines that name damaged models, which `load` has passed over.
    """

    def __init__(self, folder: Path, card: Card, network: Network, problems: Sequence[str] = ()):
        self.folder = folder
        self.card = card
        self.problems = tuple(problems)
        self._network = network

    @classmethod
    def load(cls, path: str | Path | None = None, runtime: str = "litert") -> Self:
        """Load the current model, or the model in a folder.

        If a model is damaged, a `ModelWarning` names it, and the next best one is loaded: a
        previous one, else the newest one, else the model of the package. The files of a model are
        verified with the checksums in its card; cards of version 0.1.0 have none.

        Parameters
        ----------
        path : path, optional
            Folder of one model or of several. By default ``NANOCONF_MODELS``, then ``models`` in
            ``NANOCONF_HOME``, then the models of the package.
        runtime : {"litert", "tensorflow"}
            Runtime that evaluates the network. The two agree to within 1e-5; LiteRT
            loads 50 times faster.

        Raises
        ------
        ModelNotFound
            If no usable model is found.
        ValueError
            If the runtime is unknown.
        """
        from nanoconf.surrogate.lifecycle.registry import load_current, warn_of

        if runtime not in RUNTIMES:
            raise ValueError(f"runtime = {runtime!r}: must be one of {', '.join(RUNTIMES)}")
        found = load_current(path, runtime)
        problems = [f"{line}; {found.model.name} is used" for line in found.problems]
        warn_of(problems)
        return cls(found.model.folder, found.model.card, found.network, problems)

    # --- properties -------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def domain(self) -> Domain:
        """Systems that the model was trained for."""
        return self.card.domain

    @property
    def typical_error(self) -> float:
        """Median relative L2 error of both ions' profiles on the validation set; nan if unknown."""
        metrics = self.card.metrics
        return math.nan if metrics is None else metrics.typical_error

    # --- prediction -------------------------------------------------------------------------

    def predict(self, system: SlitSystem, extrapolate: bool = False) -> Prediction:
        """Predict the profiles of a system.

        Parameters
        ----------
        system : SlitSystem
            System to predict.
        extrapolate : bool
            Issue an `ExtrapolationWarning` instead of raising if a continuous input lies outside
            its training range.

        Raises
        ------
        InvalidInput
            If the system is outside the domain. The one-line message gives the parameter and its
            training range.
        """
        return self.predict_many([system], extrapolate)[0]

    def predict_many(
        self, systems: Sequence[SlitSystem], extrapolate: bool = False
    ) -> list[Prediction]:
        """Predict the profiles of several systems; see `predict`."""
        halves = self.predict_halves(systems, extrapolate)
        return [
            self._prediction(system, density, error)
            for system, density, error in zip(systems, *halves, strict=True)
        ]

    def _prediction(self, system: SlitSystem, density: np.ndarray, error: np.ndarray) -> Prediction:
        z = bin_centres(system)
        positive, negative = (
            DensityProfile(z, _mirrored(density[ion]), _mirrored(error[ion]))
            for ion in range(len(SPECIES))
        )
        return Prediction(system, positive, negative, self.name)

    def predict_halves(self, systems: Sequence[SlitSystem], extrapolate: bool = False) -> Halves:
        """Predict many systems as arrays: 150 bins from the wall to the midplane.

        Raises
        ------
        InvalidInput
            As in `predict`.
        """
        for system in systems:
            self.domain.check(system, extrapolate)
        batches = [
            self._halves(systems[first : first + BATCH_SIZE])
            for first in range(0, len(systems), BATCH_SIZE)
        ]
        if not batches:
            return Halves(*np.zeros((2, 0, len(SPECIES), 0)))
        return Halves(*(np.concatenate(arrays) for arrays in zip(*batches, strict=True)))

    def _halves(self, systems: Sequence[SlitSystem]) -> Halves:
        mean, spread, place = self.ensemble(systems)
        error = band.errors(self.card.band, systems, place, mean, spread)
        means = _mean_densities(systems)[..., None]
        return Halves(mean * means, error * means)

    def ensemble(self, systems: Sequence[SlitSystem]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Evaluate the members of the ensemble; the domain is not checked.

        Returns
        -------
        mean, spread : ndarray, shape (systems, 2, 150)
            Mean and standard deviation of density / mean density.
        place : ndarray, shape (systems, 150)
            Mean position |z| (nm) of the ions in each bin; see `Slits.bins`.
        """
        slits = Slits.of(systems)
        factor, place = slits.bins()
        logarithms = self._logarithms(systems, slits.basis(place))
        profiles = profile_of(logarithms, factor[:, None, None].astype(np.float32))
        return profiles.mean(axis=1), profiles.std(axis=1, ddof=1), place

    def _logarithms(self, systems: Sequence[SlitSystem], basis: np.ndarray) -> np.ndarray:
        """Return ln y of each member up to a constant, shape (systems, members, 2, points)."""
        coefficients = self._network(network_inputs(systems))
        # ions that differ only in the sign of their charge have the same profile
        symmetric = [system.positive_valency == -system.negative_valency for system in systems]
        coefficients[symmetric] = coefficients[symmetric].mean(axis=2, keepdims=True)
        count, members = coefficients.shape[:2]
        columns = coefficients.reshape(count, -1, TERMS)
        values = columns @ basis.astype(np.float32).transpose(0, 2, 1)
        return values.reshape(count, members, len(SPECIES), -1)

    def density_at(
        self, system: SlitSystem, z: np.ndarray, extrapolate: bool = False
    ) -> np.ndarray:
        """Predict densities at points instead of averages over bins.

        Parameters
        ----------
        system : SlitSystem
            System to predict.
        z : array-like, shape (points,)
            Positions (nm). Beyond the walls the density is 0.
        extrapolate : bool
            As in `predict`.

        Returns
        -------
        ndarray, shape (2, points)
            Density of both ions (M).

        Raises
        ------
        InvalidInput
            As in `predict`.
        """
        self.domain.check(system, extrapolate)
        z = np.atleast_1d(np.asarray(z, dtype=float))[None]
        slits = Slits.of([system])
        factor, place = slits.bins()
        in_bins = self._logarithms([system], slits.basis(place))[0].astype(float)
        at_points = self._logarithms([system], slits.basis(z))[0].astype(float)
        norm = (factor[0] * np.exp(in_bins)).mean(axis=-1, keepdims=True)
        density = slits.factor(z)[0] * np.exp(at_points) / norm
        return density.mean(axis=0) * _mean_densities([system])[0][:, None]


def _mean_densities(systems: Sequence[SlitSystem]) -> np.ndarray:
    """Return the mean density of both ions (M), shape (systems, 2)."""
    return np.array([[mean_density(system, species) for species in SPECIES] for system in systems])


def _mirrored(left: np.ndarray) -> np.ndarray:
    return np.concatenate([left, left[::-1]]).astype(float)
