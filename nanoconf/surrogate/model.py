"""Density profiles from a trained network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from backend.files import write_text
from backend.inputs import Range
from backend.profiles.bins import bin_centres
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.system import SPECIES, SlitSystem
from nanoconf.surrogate import band
from nanoconf.surrogate.card import KIND, Card
from nanoconf.surrogate.domain import Domain, mean_density, network_inputs
from nanoconf.surrogate.domain import ExtrapolationWarning as ExtrapolationWarning
from nanoconf.surrogate.runtime import RUNTIMES, Network
from nanoconf.surrogate.shape import TERMS, Slits, profile_of

AT_ONCE = 256
"""Systems that are evaluated together: what is in hand stays in the processor's cache."""

FILES = {
    "positive": ("ml_positive_density.csv", "ml_predicted_p_density_profile.dat"),
    "negative": ("ml_negative_density.csv", "ml_predicted_n_density_profile.dat"),
}


class Halves(NamedTuple):
    """Predicted profiles of several systems, from the wall to the middle.

    Attributes
    ----------
    density, error : ndarray, shape (systems, 2, 150)
        Density of both ions (M) and its error: 90 % of true densities lie within 1.645 errors.
    """

    density: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Prediction:
    """What a model says about a system.

    Attributes
    ----------
    system : SlitSystem
        The system.
    positive, negative : DensityProfile
        Profiles over the full slit, 300 bins. `error` (M): 90 % of true densities lie within 1.645
        errors; see `nanoconf.surrogate.band`.
    model : str
        Name of the model that answered.
    """

    system: SlitSystem
    positive: DensityProfile
    negative: DensityProfile
    model: str

    @property
    def profiles(self) -> SlitProfiles:
        """Both profiles."""
        return SlitProfiles(self.positive, self.negative)

    def files(self) -> dict[str, str]:
        """Text of each file that holds this prediction, by file name."""
        return predicted_files(self.profiles)

    def save(self, folder: str | Path) -> None:
        """Write the CSV and .dat files of both species into a folder."""
        for name, text in self.files().items():
            write_text(Path(folder) / name, text)


def predicted_files(profiles: SlitProfiles) -> dict[str, str]:
    """Text of each file that holds predicted profiles, by file name."""
    texts = {}
    for species, (csv_name, dat_name) in FILES.items():
        profile = profiles.by_species()[species]
        texts[csv_name] = profile.to_csv()
        texts[dat_name] = profile.to_dat()
    return texts


class Surrogate:
    """A trained model. `Surrogate.load` makes one; predicting is safe from several threads.

    Attributes
    ----------
    folder : Path
        Where the model lies.
    card : Card
        How it was made, what it was trained for and how accurate it is.
    """

    def __init__(self, folder: Path, card: Card, network: Network):
        self.folder = folder
        self.card = card
        self._network = network

    @classmethod
    def load(cls, path: str | Path | None = None, runtime: str = "litert") -> Self:
        """The current model, or the one in a folder.

        Parameters
        ----------
        path : path, optional
            Folder of a model, or of several. Where it is left out: ``NANOCONF_MODELS``, else
            ``models`` in ``NANOCONF_HOME``, else the models that come with the package.
        runtime : {"litert", "tensorflow"}
            What evaluates the network. They agree to 1e-5; LiteRT loads 50 times faster.

        Raises
        ------
        ModelNotFound
            There is no model there.
        """
        from nanoconf.surrogate.lifecycle.registry import ModelNotFound, current_model

        if runtime not in RUNTIMES:
            raise ValueError(f"runtime = {runtime!r}: must be one of {', '.join(RUNTIMES)}")
        found = current_model(path)
        folder, kind = found.folder, found.card.kind
        if kind != KIND:
            raise ModelNotFound(f"{folder}: a model of kind {kind!r}; known: {KIND!r}")
        return cls(folder, found.card, RUNTIMES[runtime](folder))

    # --- what it is -------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def learnt(self) -> Domain:
        """The systems that it has learnt."""
        return self.card.domain

    @property
    def domain(self) -> dict[str, Range]:
        """Learnt range of each input of the network, by parameter."""
        return self.learnt.ranges

    @property
    def typical_error(self) -> float:
        """Median relative L2 error of the profiles of validation systems, both ions."""
        metrics = self.card.metrics
        return math.nan if metrics is None else metrics.typical_error

    # --- what it says -----------------------------------------------------------------------

    def predict(self, system: SlitSystem, extrapolate: bool = False) -> Prediction:
        """The profiles of a system.

        Parameters
        ----------
        system : SlitSystem
            The system.
        extrapolate : bool
            Answer with an `ExtrapolationWarning` where a number lies outside the learnt range.

        Raises
        ------
        InvalidInput
            The system is outside the domain: one line with the parameter and the learnt range.
        """
        return self.predict_many([system], extrapolate)[0]

    def predict_many(
        self, systems: Sequence[SlitSystem], extrapolate: bool = False
    ) -> list[Prediction]:
        """The profiles of several systems in one batch; see `predict`."""
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
        """The profiles of many systems as arrays, 150 bins from the wall to the middle.

        Raises
        ------
        InvalidInput
            As in `predict`.
        """
        for system in systems:
            self.learnt.check(system, extrapolate)
        parts = [
            self._halves(systems[first : first + AT_ONCE])
            for first in range(0, len(systems), AT_ONCE)
        ]
        if not parts:
            return Halves(*np.zeros((2, 0, len(SPECIES), 0)))
        return Halves(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _halves(self, systems: Sequence[SlitSystem]) -> Halves:
        mean, spread, place = self.ensemble(systems)
        error = band.errors(self.card.band, systems, place, mean, spread)
        means = _mean_densities(systems)[..., None]
        return Halves(mean * means, error * means)

    def ensemble(self, systems: Sequence[SlitSystem]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the members of the ensemble say, without a check of the domain.

        Returns
        -------
        mean, spread : ndarray, shape (systems, 2, 150)
            Mean and standard deviation of density / mean density.
        place : ndarray, shape (systems, 150)
            Where each bin's ions are on average, |z| (nm).
        """
        slits = Slits.of(systems)
        factor, place = slits.bins()
        logarithms = self._logarithms(systems, slits.basis(place))
        profiles = profile_of(logarithms, factor[:, None, None].astype(np.float32))
        return profiles.mean(axis=1), profiles.std(axis=1, ddof=1), place

    def _logarithms(self, systems: Sequence[SlitSystem], basis: np.ndarray) -> np.ndarray:
        """The members' ln y, up to a constant, shape (systems, members, 2, points)."""
        coefficients = self._network(network_inputs(systems))
        # ions that differ in nothing but the sign of their charge have the same profile
        alike = [system.positive_valency == -system.negative_valency for system in systems]
        coefficients[alike] = coefficients[alike].mean(axis=2, keepdims=True)
        count, members = coefficients.shape[:2]
        columns = coefficients.reshape(count, -1, TERMS)
        values = columns @ basis.astype(np.float32).transpose(0, 2, 1)
        return values.reshape(count, members, len(SPECIES), -1)

    def density_at(
        self, system: SlitSystem, z: np.ndarray, extrapolate: bool = False
    ) -> np.ndarray:
        """Densities at points, not averaged over bins.

        Parameters
        ----------
        system : SlitSystem
        z : array-like, shape (points,)
            Where (nm), anywhere; beyond the walls the density is 0.
        extrapolate : bool
            As in `predict`.

        Returns
        -------
        ndarray, shape (2, points)
            Density of both ions (M).
        """
        self.learnt.check(system, extrapolate)
        z = np.atleast_1d(np.asarray(z, dtype=float))[None]
        slits = Slits.of([system])
        factor, place = slits.bins()
        in_bins = self._logarithms([system], slits.basis(place))[0].astype(float)
        at_points = self._logarithms([system], slits.basis(z))[0].astype(float)
        norm = (factor[0] * np.exp(in_bins)).mean(axis=-1, keepdims=True)
        density = slits.factor(z)[0] * np.exp(at_points) / norm
        return density.mean(axis=0) * _mean_densities([system])[0][:, None]


def _mean_densities(systems: Sequence[SlitSystem]) -> np.ndarray:
    """Mean density of both ions (M), shape (systems, 2)."""
    return np.array([[mean_density(system, species) for species in SPECIES] for system in systems])


def _mirrored(left: np.ndarray) -> np.ndarray:
    return np.concatenate([left, left[::-1]]).astype(float)
