"""Block residuals of a run, from which the errors of all derived quantities are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from backend.files import written_whole


@dataclass(frozen=True)
class BlockResiduals:
    """Deviations of the density profiles of each block from the mean of the run.

    Both species are stored together, so that errors account for their correlation.

    Attributes
    ----------
    left : ndarray, shape (blocks, 2, bins / 2)
        Deviations (M) in the left half of the slit; profiles are mirror averaged. Their sum over
        the blocks is zero.
    """

    left: np.ndarray

    FILE = "blocks.npz"

    @classmethod
    def of(cls, residuals: np.ndarray) -> Self:
        """Create from residuals of mirror-averaged profiles (M), shape (blocks, 2, bins)."""
        half = residuals.shape[-1] // 2
        return cls(residuals[..., :half].astype(np.float32))

    @property
    def full(self) -> np.ndarray:
        """Residuals over the full slit (M), shape (blocks, 2, bins)."""
        return np.concatenate([self.left, self.left[..., ::-1]], axis=-1, dtype=float)

    def covariance(self, one: int, other: int) -> np.ndarray:
        """Covariance (M²) of the mean densities of two species, shape (bins, bins).

        Parameters
        ----------
        one, other : int
            Index of each species; 0 for the positive ions.
        """
        blocks, full = len(self.left), self.full
        return full[:, one].T @ full[:, other] / (blocks * (blocks - 1))

    def standard_error(
        self, function: Callable[[np.ndarray], np.ndarray | float], densities: np.ndarray
    ) -> np.ndarray:
        """Jackknife standard error of a function of the mean densities.

        Parameters
        ----------
        function : callable
            Takes densities, shape (2, bins), and returns a number or an array.
        densities : ndarray, shape (2, bins)
            Mean densities (M), positive ions first.

        Returns
        -------
        ndarray
            Standard errors, with the shape that `function` returns. For a linear function, this is
            the standard error of the mean over its values in the blocks. See B. Efron, The
            Jackknife, the Bootstrap and Other Resampling Plans (1982).
        """
        blocks = len(self.left)
        without_one = np.array([function(densities - each / (blocks - 1)) for each in self.full])
        return without_one.std(axis=0) * np.sqrt(blocks - 1)

    # --- on disk ----------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write ``blocks.npz``, with the array ``residuals_M``, into a folder."""
        with written_whole(folder / self.FILE) as stream:
            np.savez_compressed(stream, residuals_M=self.left)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read the file written by `save`; return None if it is missing, as in older runs."""
        path = folder / cls.FILE
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["residuals_M"])
