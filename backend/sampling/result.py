"""What a finished simulation gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

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


@dataclass(frozen=True)
class Progress:
    """How far a simulation has come.

    Attributes
    ----------
    phase : {"compiling", "equilibrating", "sampling"}
        What it is doing.
    fraction : float
        Share of all time steps done, 0 to 1.
    seconds_left : float or None
        Estimate of the time left (s); None until it is known.
    steps_per_second : float or None
        Time steps a second, summed over the replicas.
    simulated_ns : float
        Production time so far (ns), summed over the replicas.
    median_relative_error : float or None
        Median relative standard error of the profile so far; None until it is known.
    profiles : SlitProfiles or None
        The profile so far.
    """

    phase: str
    fraction: float
    seconds_left: float | None = None
    steps_per_second: float | None = None
    simulated_ns: float = 0.0
    median_relative_error: float | None = None
    profiles: SlitProfiles | None = None


@dataclass(frozen=True)
class SimulationResult:
    """Profiles, and what was measured beside them.

    Attributes
    ----------
    system : SlitSystem
        What was simulated.
    settings : RunSettings
        How.
    profiles : SlitProfiles
        Density profiles of both species, mirror averaged, with standard errors from blocks.
    summary : Summary
        Contact, peak and mid densities with errors, checks, timings, versions.
    residuals : BlockResiduals or None
        The blocks that errors come from; None for a run of an earlier version.
    histogram : SlitProfiles or None
        The profiles from counting ions alone, with errors from the same blocks; None for a run of
        an earlier version.
    trajectory : Trajectory, optional
        The snapshots, where the engine has just taken some; they are not read back from disk.
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
    """All files of `save`."""

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
        """Net charge density, integrated charge and potential, screening length."""
        return ChargeProfile.of(self.system, self.profiles, self.residuals)

    def covariance(self, species: str = "positive", other: str | None = None) -> np.ndarray:
        """Covariance of the densities in each two bins, from blocks.

        Errors of a profile are collective: they make a few independent numbers, far fewer than
        bins, so the matrix has no inverse.

        Parameters
        ----------
        species, other : {"positive", "negative"}
            Whose densities; `other` is the same species where it is left out.

        Returns
        -------
        ndarray, shape (bins, bins)
            M²; rows are bins of `species`, columns of `other`. The diagonal is the squared `error`.

        Raises
        ------
        ValueError
            The run is of an earlier version and has no blocks.
        """
        if self.residuals is None:
            raise ValueError("this run was made before blocks were kept: run it again")
        return self.residuals.covariance(SPECIES.index(species), SPECIES.index(other or species))

    def save(self, folder: Path) -> None:
        """Write the profiles, what follows from them, blocks and snapshots into a folder."""
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
        """Read the result in a run folder or in the folder of ``nanoconf simulate -o``."""
        from backend.files import read_json

        run = read_json(folder / "run.json")
        result, histogram = folder / "result.json", folder / cls.HISTOGRAM
        values = read_json(result) if result.exists() else run
        return cls(
            SlitSystem.from_dict(run["system"]),
            RunSettings.from_dict(run["settings"]),
            SlitProfiles.load(folder),
            Summary.from_dict(values["summary"]),
            BlockResiduals.load(folder),
            SlitProfiles.from_csv(histogram.read_text()) if histogram.exists() else None,
        )


class SimulationError(RuntimeError):
    """A simulation that went wrong.

    Parameters
    ----------
    message : str
        One line: what happened, where, the likely cause, and what to try.
    name : str
        A short word for it that never changes, such as ``"not-finite"``: see docs/engine.md.
    """

    def __init__(self, message: str, name: str = ""):
        super().__init__(message)
        self.name = name


class Cancelled(Exception):
    """A simulation ended because somebody asked for it."""
