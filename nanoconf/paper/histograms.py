"""Histogram profiles of short runs: what the paper's success rate is counted against."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from backend.system import InvalidInput, SlitSystem
from nanoconf.data.dataset import BINS, FILE
from nanoconf.paper.published_network import SPECIES, paper_key

COLUMNS = ("histogram", "histogram_error", "blocks")


@dataclass(frozen=True)
class Histograms:
    """Histograms of one ion species over the left half of the slit.

    Attributes
    ----------
    systems : list of SlitSystem
        What was simulated.
    density, error : ndarray, shape (systems, 150)
        Counts in each bin as a density, and its standard error from blocks (M), from the wall to
        the middle.
    blocks : ndarray of int, shape (systems,)
        Number of blocks that the standard errors come from.
    duration_ns : ndarray, shape (systems,)
        Length of each run (ns).
    """

    systems: list[SlitSystem]
    density: np.ndarray
    error: np.ndarray
    blocks: np.ndarray
    duration_ns: np.ndarray

    @classmethod
    def load(cls, folder: str | Path, species: str = SPECIES) -> Self:
        """Read a data set with the columns ``histogram``, ``histogram_error`` and ``blocks``.

        Rows without a histogram are left out.

        Raises
        ------
        InvalidInput
            There is no such data set, or it has no histograms.
        """
        frame = _read(Path(folder))
        frame = frame[frame["species"] == species].dropna(subset=list(COLUMNS))
        if frame.empty:
            raise InvalidInput("data", str(folder), "has no histograms of 150 bins in its rows")
        density, error = (
            _stacked(frame[name], folder) for name in ("histogram", "histogram_error")
        )
        blocks = frame["blocks"].to_numpy(dtype=int)
        if (blocks < 2).any():
            raise InvalidInput("data", str(folder), "has error bars from fewer than two blocks")
        names = [field.name for field in fields(SlitSystem) if field.name != "negative_ions"]
        systems = [SlitSystem(**values) for values in frame[names].to_dict("records")]
        return cls(systems, density, error, blocks, frame["simulated_ns"].to_numpy(dtype=float))

    def __len__(self) -> int:
        return len(self.systems)

    @cached_property
    def keys(self) -> list[str]:
        """`paper_key` of each system."""
        return [paper_key(system) for system in self.systems]


def _read(folder: Path) -> Any:
    import pandas

    try:
        frame = pandas.read_parquet(folder / FILE)
    except (OSError, ValueError) as error:
        raise InvalidInput("data", str(folder), f"holds no dataset ({FILE}): {error}") from error
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise InvalidInput("data", str(folder), f"has no column {', '.join(missing)}")
    return frame


def _stacked(column: Any, folder: str | Path) -> np.ndarray:
    if any(np.shape(row) != (BINS,) for row in column):
        raise InvalidInput("data", str(folder), f"has histograms that are not of {BINS} bins")
    return np.stack(column.to_list()).astype(float)
