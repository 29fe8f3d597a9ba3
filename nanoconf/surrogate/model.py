"""Density profiles from a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from backend.files import read_json, write_text
from backend.md.walls import boltzmann_factor
from backend.profiles import BINS, SPECIES, DensityProfile, bin_centres
from backend.system import Range, SlitSystem
from nanoconf.surrogate.domain import Domain, mean_density, network_inputs
from nanoconf.surrogate.domain import ExtrapolationWarning as ExtrapolationWarning
from nanoconf.surrogate.runtime import RUNTIMES, Network
from nanoconf.surrogate.uncertainty import expected_error

KIND = "half-slit-bins"
"""What the networks do: (h, z₊, z₋, c, d) to density / mean density in the left 150 bins."""

HALF = BINS // 2

SMALLEST_WALL_FACTOR = 1e-4
"""Bins where the walls let ions be less often than this, relative to the middle, count as empty."""

FILES = {
    "positive": ("ml_positive_density.csv", "ml_predicted_p_density_profile.dat"),
    "negative": ("ml_negative_density.csv", "ml_predicted_n_density_profile.dat"),
}


@dataclass(frozen=True)
class Prediction:
    """What a model says about a system.

    Attributes
    ----------
    system : SlitSystem
        The system.
    positive, negative : DensityProfile
        Profiles over the full slit, 300 bins. `error` (M) is the root-mean-square deviation that
        the model showed from simulations held out of its training, ions of the same valencies at
        the same distance from the wall, in proportion to the mean density.
    model : str
        Name of the model that answered.
    """

    system: SlitSystem
    positive: DensityProfile
    negative: DensityProfile
    model: str

    def files(self) -> dict[str, str]:
        """Text of each file that holds this prediction, by file name."""
        texts = {}
        for species, (csv_name, dat_name) in FILES.items():
            profile: DensityProfile = getattr(self, species)
            texts[csv_name] = profile.to_csv()
            texts[dat_name] = profile.to_dat()
        return texts

    def save(self, folder: str | Path) -> None:
        """Write the CSV and .dat files of both species into a folder."""
        for name, text in self.files().items():
            write_text(Path(folder) / name, text)


class Surrogate:
    """A trained model. `Surrogate.load` makes one; predicting is safe from several threads.

    Attributes
    ----------
    folder : Path
        Where the model lies.
    card : dict
        What the model is: data, training, domain, metrics.
    """

    def __init__(self, folder: Path, card: dict[str, Any], networks: dict[str, Network]):
        self.folder = folder
        self.card = card
        self._networks = networks

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
        from nanoconf.surrogate.registry import ModelNotFound, current_model

        if runtime not in RUNTIMES:
            raise ValueError(f"runtime = {runtime!r}: must be one of {', '.join(RUNTIMES)}")
        folder = current_model(path).folder
        card = read_json(folder / "card.json")
        if card["kind"] != KIND:
            raise ModelNotFound(f"{folder}: a model of kind {card['kind']!r}; known: {KIND!r}")
        network = RUNTIMES[runtime]
        return cls(folder, card, {species: network(folder, species) for species in SPECIES})

    # --- what it is -------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card["name"]

    @cached_property
    def learnt(self) -> Domain:
        """The systems that it has learnt."""
        return Domain.from_dict(self.card["domain"])

    @property
    def domain(self) -> dict[str, Range]:
        """Learnt range of each input of the network, by parameter."""
        return self.learnt.ranges

    @property
    def typical_error(self) -> float:
        """Median relative L2 error of the profiles of held-out systems, both ions."""
        return self.card["metrics"]["typical_error"]

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
        for system in systems:
            self.learnt.check(system, extrapolate)
        if not systems:
            return []
        inputs = network_inputs(systems)
        halves = {species: self._networks[species](inputs) for species in SPECIES}
        return [
            self._prediction(system, {species: halves[species][row] for species in SPECIES})
            for row, system in enumerate(systems)
        ]

    def _prediction(self, system: SlitSystem, halves: dict[str, np.ndarray]) -> Prediction:
        positive, negative = (
            self._profile(system, species, halves[species]) for species in SPECIES
        )
        return Prediction(system, positive, negative, self.name)

    def _profile(self, system: SlitSystem, species: str, half: np.ndarray) -> DensityProfile:
        z = bin_centres(system)
        left = np.clip(half.astype(float), 0.0, None) * mean_density(system, species)
        left[~accessible(system, species)] = 0.0
        error = expected_error(self.card["error"], system, species, z[:HALF])
        error[left == 0.0] = 0.0
        return DensityProfile(z, _mirrored(left), _mirrored(error))


def accessible(system: SlitSystem, species: str) -> np.ndarray:
    """Which bins of the left half the soft wall lets ions into: bool, shape (150,)."""
    z = bin_centres(system)[:HALF]
    return boltzmann_factor(system, species, z) > SMALLEST_WALL_FACTOR


def _mirrored(left: np.ndarray) -> np.ndarray:
    return np.concatenate([left, left[::-1]])
