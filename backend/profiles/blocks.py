"""The blocks of a run: where the errors of all that follows from its profiles come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from backend.files import written_whole


@dataclass(frozen=True)
class BlockResiduals:
    """Deviations of every block's density profiles from the mean of the run.

    Both species stand together, so that whatever depends on both has the right error.

    Attributes
    ----------
    left : ndarray, shape (blocks, 2, bins / 2)
        Deviations (M) in the left half of the slit; profiles are mirror averaged. They sum to zero
        over the blocks.
    """

    left: np.ndarray

    FILE = "blocks.npz"

    @classmethod
    def of(cls, residuals: np.ndarray) -> Self:
        """The residuals of mirror-averaged profiles, shape (blocks, 2, bins)."""
        half = residuals.shape[-1] // 2
        return cls(residuals[..., :half].astype(np.float32))

    @property
    def full(self) -> np.ndarray:
        """The residuals in the whole slit (M), shape (blocks, 2, bins)."""
        return np.concatenate([self.left, self.left[..., ::-1]], axis=-1, dtype=float)

    def covariance(self, one: int, other: int) -> np.ndarray:
        """Covariance (M²) of the means of two species (0: positive), shape (bins, bins)."""
        blocks, full = len(self.left), self.full
        return full[:, one].T @ full[:, other] / (blocks * (blocks - 1))

    def standard_error(
        self, function: Callable[[np.ndarray], np.ndarray | float], densities: np.ndarray
    ) -> np.ndarray:
        """Standard error of what follows from the mean densities, by the jackknife.

        Parameters
        ----------
        function : callable
            Takes densities, returns a number or an array.
        densities : ndarray, shape (2, bins)
            The mean densities (M), positive ions first.

        Returns
        -------
        ndarray, of the shape that `function` returns
            B. Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982). Where the
            function is linear: the standard error of the mean of its values in the blocks.
        """
        blocks = len(self.left)
        without_one = np.array([function(densities - each / (blocks - 1)) for each in self.full])
        return without_one.std(axis=0) * np.sqrt(blocks - 1)

    # --- on disk ----------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write ``blocks.npz`` into a folder: one array, ``residuals_M``."""
        with written_whole(folder / self.FILE) as stream:
            np.savez_compressed(stream, residuals_M=self.left)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read the file of `save`; None where there is none, as in runs of earlier versions."""
        path = folder / cls.FILE
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["residuals_M"])
