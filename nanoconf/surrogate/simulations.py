"""Simulated profiles that models are trained on or evaluated with."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from backend.inputs import InvalidInput
from backend.system import SPECIES, SlitSystem
from nanoconf.data import dataset
from nanoconf.data.published import KEPT_OUT
from nanoconf.surrogate.domain import mean_density, network_inputs


@dataclass(frozen=True)
class Simulations:
    """Simulated profiles over the left half of the slit.

    Attributes
    ----------
    systems : list of SlitSystem
        System of each simulation.
    density, error : dict of str to ndarray, shape (simulations, 150)
        Densities and their standard errors (M) from the wall to the midplane, by species.
    sha256 : str
        Hash of the file that holds the profiles.
    folder : str
        Folder of that file.
    """

    systems: list[SlitSystem]
    density: dict[str, np.ndarray]
    error: dict[str, np.ndarray]
    sha256: str
    folder: str = ""

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a dataset.

        Raises
        ------
        InvalidInput
            If the folder holds no dataset or a damaged one, or a simulation lacks the profile of
            one ion species.
        """
        folder = Path(folder)
        # the box size does not affect the profile
        names = [field.name for field in fields(SlitSystem) if field.name != "negative_ions"]
        pairs: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
        for row in dataset.read_rows(folder):
            inputs = tuple(row[name] for name in names)
            pairs.setdefault((*inputs, row["seed"]), {})[row["species"]] = row
        if not all(set(pair) == set(SPECIES) for pair in pairs.values()):
            raise InvalidInput(
                "data", str(folder), "a simulation lacks the profile of one ion species"
            )
        if not pairs:
            raise InvalidInput("data", str(folder), "holds no simulations")
        try:
            systems = [SlitSystem(**dict(zip(names, key, strict=False))) for key in pairs]
        except InvalidInput as error:
            raise InvalidInput("data", str(folder), f"holds an invalid system: {error}") from error
        return cls(
            systems,
            _stacked(pairs, "density"),
            _stacked(pairs, "error"),
            hashlib.sha256(dataset.read_file(folder)).hexdigest(),
            str(folder),
        )

    def __len__(self) -> int:
        return len(self.systems)

    @cached_property
    def keys(self) -> list[str]:
        """Key of the system of each simulation; see `system_key`."""
        return [system_key(system) for system in self.systems]

    def mean_densities(self, species: str) -> np.ndarray:
        """Return the mean density (M) of each simulation; shape (simulations,)."""
        return np.array([mean_density(system, species) for system in self.systems])

    def relative(self) -> tuple[np.ndarray, np.ndarray]:
        """Return density and error / mean density of both ions, each (simulations, 2, 150)."""
        means = np.stack([self.mean_densities(species) for species in SPECIES], axis=1)[..., None]
        density, error = (
            np.stack([values[species] for species in SPECIES], axis=1)
            for values in (self.density, self.error)
        )
        return density / means, error / means

    def __getitem__(self, rows: Sequence[int] | np.ndarray) -> Simulations:
        """Return the simulations in these rows."""
        rows = np.asarray(rows)
        return Simulations(
            [self.systems[row] for row in rows],
            {species: values[rows] for species, values in self.density.items()},
            {species: values[rows] for species, values in self.error.items()},
            self.sha256,
            self.folder,
        )

    def only(self, keys: Collection[str]) -> Simulations:
        """Return the simulations of the systems with these keys."""
        return self[[row for row, key in enumerate(self.keys) if key in keys]]

    def without(self, keys: Collection[str]) -> Simulations:
        """Return the simulations of all other systems."""
        return self[[row for row, key in enumerate(self.keys) if key not in keys]]


def system_key(system: SlitSystem) -> str:
    """Return h z₊ z₋ c d, as in ``3.2 1 -1 0.6 0.65``, which is unique within a domain."""
    return " ".join(f"{value:.9g}" for value in network_inputs([system])[0])


KEPT_OUT_KEYS = frozenset(system_key(system) for system in KEPT_OUT)
"""Keys of the systems that are excluded from training."""


def _stacked(
    pairs: dict[tuple[Any, ...], dict[str, dict[str, Any]]], column: str
) -> dict[str, np.ndarray]:
    return {
        species: np.array([pair[species][column] for pair in pairs.values()], dtype=float)
        for species in SPECIES
    }
