"""Density profiles of the ions, and densities at the midplane and the contact plane."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from backend.files import write_text
from backend.profiles.bins import bin_centres
from backend.system import SPECIES, SlitSystem
from backend.untrusted import in_words, read_text
from backend.walls import binned_boltzmann_factor

CSV_HEADER = ("z_nm", "density_M", "error_M")
ACCESSIBLE = 0.05
"""Smallest mean Boltzmann factor of a bin from which the contact density is interpolated."""

BOTH_HEADER = ("z_nm", "positive_M", "positive_error_M", "negative_M", "negative_error_M")


@dataclass(frozen=True)
class DensityProfile:
    """Density profile of one ion species across the slit.

    Attributes
    ----------
    z : ndarray, shape (bins,)
        Bin centres (nm), from −h/2 to h/2.
    density : ndarray, shape (bins,)
        Density averaged over each bin (M).
    error : ndarray, shape (bins,)
        Standard error of the density (M). For predictions, see `nanoconf.surrogate`.
    """

    z: np.ndarray
    density: np.ndarray
    error: np.ndarray

    @property
    def mean_density(self) -> float:
        """Density averaged over the slit (M)."""
        return float(self.density.mean())

    @property
    def peak_density(self) -> float:
        """Largest density (M)."""
        return float(self.density.max())

    @property
    def mid_density(self) -> float:
        """Density at z = 0 (M)."""
        return mid_density(self.density)

    def contact_density(self, system: SlitSystem, species: str) -> float:
        """Density (M) at |z| = h/2 − d/2, where U_wall = k_BT, averaged over both walls."""
        return contact_density(system, species, self.density)

    # --- on disk ----------------------------------------------------------------------------

    def to_csv(self) -> str:
        """Return CSV text with header ``z_nm,density_M,error_M``."""
        return ",".join(CSV_HEADER) + "\n" + self._rows(",")

    def to_dat(self) -> str:
        """Return z, density and error, tab-separated, without a header: the published format."""
        return self._rows("\t")

    def _rows(self, separator: str) -> str:
        columns = zip(self.z, self.density, self.error, strict=True)
        return "".join(separator.join(f"{x:.8g}" for x in row) + "\n" for row in columns)

    @classmethod
    def from_csv(cls, text: str) -> Self:
        """Parse the text written by `to_csv`.

        Raises
        ------
        ValueError
            If the text is not a density profile, or has values that are not finite.
        """
        return cls(*_columns(text, CSV_HEADER))


@dataclass(frozen=True)
class SlitProfiles:
    """Density profiles of both species.

    Attributes
    ----------
    positive, negative : DensityProfile
        Profiles of the positive and negative ions over the same bins.
    """

    positive: DensityProfile
    negative: DensityProfile

    FILES = {
        "positive": ("positive_density.csv", "p_density_profile.dat"),
        "negative": ("negative_density.csv", "n_density_profile.dat"),
    }

    @property
    def finite(self) -> bool:
        """True if all densities and errors are finite."""
        numbers = [(p.density, p.error) for p in self.by_species().values()]
        return bool(np.isfinite(numbers).all())

    def by_species(self) -> dict[str, DensityProfile]:
        """Return the profiles by species name."""
        return {"positive": self.positive, "negative": self.negative}

    @property
    def densities(self) -> np.ndarray:
        """Densities (M) of both species, positive ions first, shape (2, bins)."""
        return np.array([self.positive.density, self.negative.density])

    def files(self) -> dict[str, str]:
        """Return the contents of the CSV and .dat files by file name."""
        texts = {}
        for species, (csv_name, dat_name) in self.FILES.items():
            profile = self.by_species()[species]
            texts[csv_name] = profile.to_csv()
            texts[dat_name] = profile.to_dat()
        return texts

    def save(self, folder: Path) -> None:
        """Write the CSV and .dat files of both species into a folder."""
        for name, text in self.files().items():
            write_text(folder / name, text)

    def to_csv(self) -> str:
        """Return CSV text with both species side by side and `BOTH_HEADER` as the header."""
        columns = [self.positive.z]
        for profile in self.by_species().values():
            columns += [profile.density, profile.error]
        rows = (",".join(f"{x:.8g}" for x in row) for row in zip(*columns, strict=True))
        return "\n".join([",".join(BOTH_HEADER), *rows]) + "\n"

    @classmethod
    def from_csv(cls, text: str) -> Self:
        """Parse the text written by `to_csv`.

        Raises
        ------
        ValueError
            If the text is not two density profiles, or has values that are not finite.
        """
        z, *columns = _columns(text, BOTH_HEADER)
        return cls(DensityProfile(z, *columns[:2]), DensityProfile(z, *columns[2:]))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the CSV files written by `save`; raise `ValueError` if they are damaged."""
        positive, negative = (_load(folder / names[0]) for names in cls.FILES.values())
        if not np.array_equal(positive.z, negative.z):
            raise ValueError("the profiles of both species have different bins")
        return cls(positive, negative)


def _load(path: Path) -> DensityProfile:
    try:
        return DensityProfile.from_csv(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path.name} {in_words(error)}") from error


def _columns(text: str, header: tuple[str, ...]) -> np.ndarray:
    """Return the columns of a table of finite numbers with this header."""
    try:
        rows = list(csv.reader(io.StringIO(text)))
        found = tuple(rows[0])
        values = np.array(rows[1:], dtype=float).reshape(-1, len(header)).T
    except (csv.Error, IndexError) as error:
        raise ValueError(f"not a density profile: {error}") from error
    if found != header:
        raise ValueError(f"not a density profile: header {list(found)} is not {list(header)}")
    if not values.size or not np.isfinite(values).all():
        raise ValueError("not a density profile: it has no values, or non-finite ones")
    return values


def significant(density: np.ndarray) -> np.ndarray:
    """Return a mask of the bins with at least 5 % of the peak density, shape (bins,).

    Relative errors are reported for these bins only, because they diverge next to the walls.
    """
    return density >= 0.05 * density.max()


def mid_density(density: np.ndarray) -> float:
    """Density at the midplane, z = 0, of a profile of shape (bins,)."""
    return float(np.interp((len(density) - 1) / 2, np.arange(len(density)), density))


def contact_density(system: SlitSystem, species: str, density: np.ndarray) -> float:
    """Contact density (M), at |z| = h/2 − d/2, of a profile of shape (bins,); mean of both walls.

    The value is interpolated in y(z) = ρ exp(βU_wall), which is smooth through the soft wall,
    whereas ρ changes by up to 50 % from bin to bin.
    """
    plane = system.contact_planes[SPECIES.index(species)]
    factor = binned_boltzmann_factor(system, species, len(density))
    accessible = factor > ACCESSIBLE
    z = bin_centres(system, len(density))[accessible]
    y = np.interp([-plane, plane], z, density[accessible] / factor[accessible])
    return float(y.mean() / np.e)
