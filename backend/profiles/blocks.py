"""Block residuals of a run, from which the errors of all derived quantities are computed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from backend.files import written_whole
from backend.untrusted import Damaged, open_file

MAXIMUM_BYTES = 64_000_000
"""Maximum size of ``blocks.npz``, and of its array when unpacked."""

ARRAY = "residuals_M"


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
        """Read the file written by `save`; return None if it is missing, as in older runs.

        Raises
        ------
        ValueError
            The file is damaged.
        """
        try:
            stream = open_file(folder / cls.FILE, MAXIMUM_BYTES)
        except FileNotFoundError:
            return None
        with stream:
            return cls(_residuals(stream))


def _residuals(stream: BinaryIO) -> np.ndarray:
    """Return the array of an npz file, which may be damaged.

    `numpy.load` would allocate whatever the header of the array asks for.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            member = archive.getinfo(f"{ARRAY}.npy")
            if member.file_size > MAXIMUM_BYTES:
                raise Damaged("unpacks to too many bytes")
            content = BytesIO(archive.read(member))
        shape, dtype = _header(content)
        values = np.frombuffer(content.read(), dtype).reshape(shape)
    except Exception as error:  # damaged zip files raise errors of many types
        raise ValueError(f"{BlockResiduals.FILE} is damaged ({error})") from error
    if len(shape) != 3 or shape[0] < 2 or shape[1] != 2 or not np.isfinite(values).all():
        raise ValueError(f"{BlockResiduals.FILE} does not contain the residuals of a run")
    return values


def _header(content: BytesIO) -> tuple[tuple[int, ...], np.dtype]:
    """Read the header of an array; return its shape and type."""
    version = np.lib.format.read_magic(content)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, in_columns, dtype = read(content)
    if in_columns or dtype.kind != "f":
        raise Damaged("has an array of the wrong type")
    return shape, dtype
