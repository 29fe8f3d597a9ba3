"""Convergence, progress and result of a run, assembled in the same way for every engine.

An engine collects samples; this module turns them into profiles, a verdict and a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from backend.profiles.blocks import BlockResiduals
from backend.profiles.charge import ChargeProfile
from backend.profiles.density import SlitProfiles
from backend.sampling import estimators
from backend.sampling.convergence import Verdict, evaluate
from backend.sampling.equilibration import Measured
from backend.sampling.estimators import Estimate
from backend.sampling.observables import summarise
from backend.sampling.result import Progress, SimulationResult
from backend.sampling.samples import Samples
from backend.sampling.schedule import Schedule
from backend.sampling.summary import Timings
from backend.sampling.trajectory import Trajectory
from backend.settings import RunSettings
from backend.system import SlitSystem

Estimator = Callable[[SlitSystem, Samples], Estimate]


@dataclass(frozen=True)
class Record:
    """Data recorded by the replicas of a run.

    Attributes
    ----------
    samples : Samples
        Blocks of all replicas.
    series : list of ndarray, each of shape (rows, len(SERIES))
        Time series of each replica.
    potential_energies : list of ndarray, each of shape (times,)
        Potential energies (k_BT) of each replica over time: see `observables.energies`.
    snapshots : list of ndarray, each of shape (3, ions)
        Configurations of the first replica (nm); may be empty.
    equilibration : Measured or None
        Equilibration of the run; None if it was not measured.
    """

    samples: Samples
    series: list[np.ndarray]
    potential_energies: list[np.ndarray]
    snapshots: list[np.ndarray] = field(default_factory=list)
    equilibration: Measured | None = None


@dataclass(frozen=True)
class Assembly:
    """Conversion of recorded data into profiles and results.

    Parameters
    ----------
    system, settings
        The simulated system and the settings of the run.
    estimator : callable
        Estimator of the profiles and their errors: `estimators.force_sampling` or
        `estimators.histogram`.
    """

    system: SlitSystem
    settings: RunSettings
    estimator: Estimator

    def profiles(self, samples: Samples) -> SlitProfiles:
        """Return the density profiles of the samples."""
        return estimators.profiles_of(self.system, self.estimator(self.system, samples))

    def verdict(self, samples: Samples, series: list[np.ndarray]) -> Verdict:
        """Evaluate the convergence of a run with these samples and series."""
        return evaluate(samples, self.profiles(samples), series, self.settings.target_error)

    def progress(
        self,
        schedule: Schedule,
        steps: int,
        steps_per_second: float | None,
        tallies: int,
        samples: Samples | None,
    ) -> Progress:
        """Return the progress of a run.

        Parameters
        ----------
        schedule : Schedule
            Schedule of the run, with the length of the equilibration planned so far.
        steps : int
            Completed time steps, summed over the replicas.
        steps_per_second : float or None
            None if not yet known.
        tallies : int
            Completed tallies, summed over the replicas.
        samples : Samples or None
            Blocks so far; None while there are too few for a profile.
        """
        total = schedule.steps(self.settings)
        profiles, charge = self._so_far(samples) if samples else (None, None)
        return Progress(
            phase="sampling" if tallies else "equilibrating" if steps else "compiling",
            fraction=steps / total,
            seconds_left=(total - steps) / steps_per_second if steps_per_second else None,
            steps_per_second=steps_per_second,
            simulated_ns=tallies * schedule.tally_ns(self.system, self.settings),
            median_relative_error=estimators.median_relative_error(profiles) if profiles else None,
            profiles=profiles,
            charge=charge,
        )

    def _so_far(self, samples: Samples) -> tuple[SlitProfiles, ChargeProfile]:
        """Return the profiles and the charge profile of the samples so far."""
        estimate = self.estimator(self.system, samples)
        profiles = estimators.profiles_of(self.system, estimate)
        residuals = BlockResiduals.of(estimate.residuals)
        return profiles, ChargeProfile.of(self.system, profiles, residuals)

    def result(
        self,
        record: Record,
        timings: Timings,
        *,
        checks: Mapping[str, float],
        versions: Mapping[str, str],
    ) -> SimulationResult:
        """Return the result of a run.

        Parameters
        ----------
        record : Record
        timings : Timings
        checks, versions : mapping
            Engine-specific checks, and versions of the programs that the engine runs.
        """
        system, settings, samples = self.system, self.settings, record.samples
        estimate = self.estimator(system, samples)
        profiles = estimators.profiles_of(system, estimate)
        residuals = BlockResiduals.of(estimate.residuals)
        rows = record.equilibration.rows if record.equilibration else None
        verdict = evaluate(samples, profiles, record.series, settings.target_error, rows)
        summary = summarise(
            system,
            settings,
            samples,
            profiles,
            residuals,
            record.series,
            verdict,
            equilibration=record.equilibration,
            potential_energies=record.potential_energies,
            timings=timings,
            own_checks=checks,
            own_versions=versions,
        )
        histogram = estimators.histogram_profiles(system, samples)
        return SimulationResult(
            system, settings, profiles, summary, residuals, histogram, self._trajectory(record)
        )

    def _trajectory(self, record: Record) -> Trajectory | None:
        if not record.snapshots:
            return None
        return Trajectory.of(self.system, self.settings, record.snapshots)
