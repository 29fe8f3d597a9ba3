"""Progress and result of a simulation, and its errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from backend.files import write_text
from backend.profiles.blocks import BlockResiduals
from backend.profiles.charge import ChargeProfile
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.sampling.summary import Summary
from backend.sampling.trajectory import FILES as TRAJECTORY_FILES
from backend.sampling.trajectory import Trajectory
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from backend.untrusted import checked, read_json, read_text


@dataclass(frozen=True)
class Progress:
    """Progress of a simulation.

    Attributes
    ----------
    phase : {"compiling", "equilibrating", "sampling"}
        Phase of the run.
    fraction : float
        Completed fraction of all time steps, 0 to 1.
    seconds_left : float or None
        Estimated remaining time (s); None if not yet known.
    steps_per_second : float or None
        Time steps per second, summed over the replicas.
    simulated_ns : float
        Production time so far (ns), summed over the replicas.
    median_relative_error : float or None
        Median relative standard error of the profiles so far; None if not yet known.
    profiles : SlitProfiles or None
        Profiles so far.
    charge : ChargeProfile or None
        Charge and potential that follow from them.
    """

    phase: str
    fraction: float
    seconds_left: float | None = None
    steps_per_second: float | None = None
    simulated_ns: float = 0.0
    median_relative_error: float | None = None
    profiles: SlitProfiles | None = None
    charge: ChargeProfile | None = None


@dataclass(frozen=True)
class SimulationResult:
    """Density profiles and other results of a simulation.

    Attributes
    ----------
    system : SlitSystem
        Simulated system.
    settings : RunSettings
        Settings of the run.
    profiles : SlitProfiles
        Density profiles of both species, symmetrised in z, with standard errors from blocks.
    summary : Summary
        Contact, peak and midplane densities with errors, checks, timings, versions.
    residuals : BlockResiduals or None
        Block residuals that determine the errors; None for a run from an earlier version.
    histogram : SlitProfiles or None
        Profiles from counting ions, with errors from the same blocks; None for a run from an
        earlier version.
    trajectory : Trajectory, optional
        Snapshots of the run; `load` does not read them.
    """

    system: SlitSystem
    settings: RunSettings
    profiles: SlitProfiles
    summary: Summary = field(default_factory=Summary)
    residuals: BlockResiduals | None = None
    histogram: SlitProfiles | None = None
    trajectory: Trajectory | None = None

    HISTOGRAM = "histogram.csv"
    FILES = (
        *(name for names in SlitProfiles.FILES.values() for name in names),
        ChargeProfile.FILE,
        BlockResiduals.FILE,
        HISTOGRAM,
        *TRAJECTORY_FILES,
    )
    """Names of all files that `save` may write."""

    @property
    def positive(self) -> DensityProfile:
        """Profile of the positive ions."""
        return self.profiles.positive

    @property
    def negative(self) -> DensityProfile:
        """Profile of the negative ions."""
        return self.profiles.negative

    @cached_property
    def charge(self) -> ChargeProfile:
        """Net charge density, integrated charge, potential and screening length."""
        return ChargeProfile.of(self.system, self.profiles, self.residuals)

    def covariance(self, species: str = "positive", other: str | None = None) -> np.ndarray:
        """Return the covariance of the densities between all pairs of bins, from blocks.

        The errors of a profile are strongly correlated: they amount to a few independent numbers,
        far fewer than there are bins, so the matrix is singular.

        Parameters
        ----------
        species, other : {"positive", "negative"}
            Species of the rows and of the columns; by default both are the same.

        Returns
        -------
        ndarray, shape (bins, bins)
            Covariance (M²); rows are bins of `species`, columns bins of `other`. For a single
            species the diagonal is the squared `error`.

        Raises
        ------
        ValueError
            The run comes from an earlier version and has no blocks.
        """
        if self.residuals is None:
            raise ValueError("this run comes from a version that stored no blocks: run it again")
        return self.residuals.covariance(SPECIES.index(species), SPECIES.index(other or species))

    def save(self, folder: Path) -> None:
        """Write the profiles, the charge profile, residuals and snapshots into a folder."""
        self.profiles.save(folder)
        self.charge.save(folder)
        if self.residuals is not None:
            self.residuals.save(folder)
        if self.histogram is not None:
            write_text(folder / self.HISTOGRAM, self.histogram.to_csv())
        if self.trajectory is not None:
            self.trajectory.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the result from a run folder or the output of ``nanoconf simulate -o``.

        Raises
        ------
        ValueError
            A file is damaged.
        OSError
            A file is missing or cannot be read.
        """
        run = checked(dict[str, Any], read_json(folder / "run.json"))
        file = folder / "result.json"
        values = checked(dict[str, Any], read_json(file)) if file.exists() else run
        result = cls(
            SlitSystem.from_dict(checked(dict[str, Any], run.get("system"), "system")),
            RunSettings.from_dict(checked(dict[str, Any], run.get("settings"), "settings")),
            SlitProfiles.load(folder),
            Summary.from_dict(values.get("summary")),
            BlockResiduals.load(folder),
            cls._load_histogram(folder),
        )
        result._check_bins()
        return result

    def _check_bins(self) -> None:
        """Raise `ValueError` if a file has a different number of bins than the profiles."""
        bins, residuals, histogram = len(self.positive.z), self.residuals, self.histogram
        if residuals is not None and 2 * residuals.left.shape[-1] != bins:
            raise ValueError(f"{residuals.FILE} has a different number of bins")
        if histogram is not None and len(histogram.positive.z) != bins:
            raise ValueError(f"{self.HISTOGRAM} has a different number of bins")

    @classmethod
    def _load_histogram(cls, folder: Path) -> SlitProfiles | None:
        try:
            text = read_text(folder / cls.HISTOGRAM)
        except FileNotFoundError:
            return None
        return SlitProfiles.from_csv(text)


class SimulationError(RuntimeError):
    """Raised when a simulation fails.

    Parameters
    ----------
    message : str
        One line: the problem, where it occurred, its likely cause, and a remedy.
    name : str
        Short stable name of the error, such as ``"not-finite"``: see docs/engine.md.
    """

    def __init__(self, message: str, name: str = ""):
        super().__init__(message)
        self.name = name


class Cancelled(Exception):
    """Raised when a simulation is cancelled on request."""
