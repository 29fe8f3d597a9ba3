"""Histogram profiles of short runs, the reference for the paper's success rate."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from backend.profiles.bins import HALF
from backend.system import InvalidInput, SlitSystem
from nanoconf.data import dataset
from nanoconf.paper.published_network import SPECIES, paper_key

COLUMNS = ("histogram", "histogram_error", "blocks")


@dataclass(frozen=True)
class Histograms:
    """Histograms of one ion species over the left half of the slit.

    Attributes
    ----------
    systems : list of SlitSystem
        Simulated systems.
    density, error : ndarray, shape (systems, 150)
        Density from the counts in each bin and its standard error from blocks (M), from the wall
        to the midplane.
    blocks : ndarray of int, shape (systems,)
        Number of blocks from which the standard errors are computed.
    duration_ns : ndarray, shape (systems,)
        Duration of each run (ns).
    """

    systems: list[SlitSystem]
    density: np.ndarray
    error: np.ndarray
    blocks: np.ndarray
    duration_ns: np.ndarray

    @classmethod
    def load(cls, folder: str | Path, species: str = SPECIES) -> Self:
        """Read a dataset with the columns ``histogram``, ``histogram_error`` and ``blocks``.

        Rows without a histogram are skipped.

        Raises
        ------
        InvalidInput
            If the dataset does not exist or has no histograms.
        """
        frame = _read(Path(folder))
        frame = frame[frame["species"] == species].dropna(subset=list(COLUMNS))
        if frame.empty:
            raise InvalidInput("data", str(folder), "has no histograms of 150 bins")
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
    frame = dataset.load(folder)
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise InvalidInput("data", str(folder), f"lacks the columns {', '.join(missing)}")
    return frame


def _stacked(column: Any, folder: str | Path) -> np.ndarray:
    if any(np.shape(row) != (HALF,) for row in column):
        raise InvalidInput("data", str(folder), f"has histograms that do not have {HALF} bins")
    return np.stack(column.to_list()).astype(float)
