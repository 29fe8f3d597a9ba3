"""Summary of a run: the numbers in ``result.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from backend.dataclass_json import as_json, known, unknown
from backend.untrusted import Damaged, checked


@dataclass(frozen=True)
class Convergence:
    """Convergence of a run.

    Attributes
    ----------
    converged : bool
    median_relative_error, target_error : float
        Median relative standard error of the profile of the worse species, and its target.
    reasons : list of str
        Criteria that are not met; empty for a converged run.
    times_longer : float
        Factor by which the run must be extended to reach the target.
    differences_in_standard_errors : dict of str to float
        Differences that should vanish, between halves of the run and of the slit.
    """

    converged: bool
    median_relative_error: float
    target_error: float
    reasons: list[str]
    times_longer: float
    differences_in_standard_errors: dict[str, float]


@dataclass(frozen=True)
class Equilibration:
    """Equilibration of a run, before sampling began.

    Attributes
    ----------
    duration_tau, duration_ns : float
        Length of the equilibration of each replica (τ, ns).
    relaxation_times_tau : dict of str to float
        Relaxation times measured in it (τ), of the dipole Σ z_i Z_i and of the numbers of ions in
        the middle and in contact with the walls.
    lengths : float
        Its length in units of the longest relaxation time.
    """

    duration_tau: float
    duration_ns: float
    relaxation_times_tau: dict[str, float]
    lengths: float


@dataclass(frozen=True)
class Agreement:
    """Agreement between the density estimators: see `backend.sampling.agreement.agreement`.

    Attributes
    ----------
    largest_difference : float
        Largest relative difference between the numbers of ions in a layer.
    reduced_chi_square : float
        Reduced χ² of the differences; 1 on average if the estimators agree.
    probability : float
        Probability of a larger value by chance.
    """

    largest_difference: float
    reduced_chi_square: float
    probability: float


@dataclass(frozen=True)
class Checks:
    """Checks of a run.

    Attributes
    ----------
    temperature : float
        Mean kinetic temperature relative to the set temperature.
    autocorrelation_time_tau, block_length_tau : float
        Autocorrelation time of the slowest series, and length of the blocks (τ).
    effective_samples : float
        Number of independent samples of the slowest series.
    force_to_count_ratio, force_to_count_ratio_error : dict of str to float
        Ratio of force-sampled to exact number of ions, by species; 1 in equilibrium.
    estimators : Agreement or None
        Agreement between the density estimators; None for a run from an earlier version.
    own : dict of str to float
        Engine-specific checks; in the file their keys are at the same level as the others.
    """

    temperature: float
    autocorrelation_time_tau: float
    block_length_tau: float
    effective_samples: float
    force_to_count_ratio: dict[str, float]
    force_to_count_ratio_error: dict[str, float]
    estimators: Agreement | None = None
    own: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the ``checks`` section of a summary."""
        read = known(cls, values)
        if "estimators" in values:
            read["estimators"] = known(Agreement, values["estimators"])
        return replace(checked(cls, read, "checks"), own=unknown(cls, values))


@dataclass(frozen=True)
class Timings:
    """Cost of a run.

    Attributes
    ----------
    seconds : float
        Wall-clock time (s).
    steps : int
        Time steps, summed over the replicas.
    steps_per_second : float or None
        None if no step was completed.
    """

    seconds: float
    steps: int
    steps_per_second: float | None


@dataclass(frozen=True)
class Summary:
    """Summary of a run; the fields are the keys of the JSON file, in the same order.

    Fields that an earlier version did not record are None or empty.

    Attributes
    ----------
    simulated_ns : float or None
        Production time, summed over the replicas (ns).
    counts : dict of str to int
        Number of ions by species.
    box_length_nm, surface_charge_density : float or None
        Side of the simulated box (nm) and charge density of each wall (C/m²).
    densities_M, density_errors_M : dict of str to dict of str to float
        By species, the ``contact``, ``peak`` and ``mid`` density and the ``mean`` (M), and the
        standard errors of the first three.
    charge : dict of str to (float or None)
        Screening length (nm) and wall potential (mV) with standard errors; None where undefined.
    pressures_MPa : dict of str to dict of str to float
        ``pressure`` and ``error`` on the ``left`` and ``right`` wall and across the ``middle``.
    median_relative_error : float or None
        Median relative standard error of the profile of the worse species.
    error_bars : str
        Origin of the error bars.
    convergence : Convergence or None
    equilibration : Equilibration or None
    checks : Checks or None
    versions : dict of str to str
        Versions of nanoconf, Python and the packages and programs that the engine uses.
    energy_per_ion_kT : dict of str to float
        ``kinetic`` and ``potential`` energy and ``potential_error`` (k_BT).
    timings : Timings or None
    other : dict
        Unknown keys of the file; they are preserved.
    """

    simulated_ns: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    box_length_nm: float | None = None
    surface_charge_density: float | None = None
    densities_M: dict[str, dict[str, float]] = field(default_factory=dict)
    density_errors_M: dict[str, dict[str, float]] = field(default_factory=dict)
    charge: dict[str, float | None] = field(default_factory=dict)
    pressures_MPa: dict[str, dict[str, float]] = field(default_factory=dict)
    median_relative_error: float | None = None
    error_bars: str = ""
    convergence: Convergence | None = None
    equilibration: Equilibration | None = None
    checks: Checks | None = None
    versions: dict[str, str] = field(default_factory=dict)
    energy_per_ion_kT: dict[str, float] = field(default_factory=dict)
    timings: Timings | None = None
    other: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        """Return the JSON value of a key, so that scripts can treat a summary like the file."""
        return self.to_dict()[key]

    @property
    def converged(self) -> bool:
        """True if the run is known to have converged."""
        return self.convergence is not None and self.convergence.converged

    @property
    def unconverged(self) -> bool:
        """True if the run is known not to have converged."""
        return self.convergence is not None and not self.convergence.converged

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a summary of this or an earlier version.

        Raises
        ------
        ValueError
            It is not an object, a section lacks a required key, or a value has the wrong type.
        """
        try:
            read = known(cls, checked(dict[str, Any], values))
            for name, section in _SECTIONS.items():
                if name in values:
                    read[name] = known(section, values[name])
            checks = Checks.from_dict(values["checks"]) if "checks" in values else None
            read.pop("checks", None)
            return replace(checked(cls, read), checks=checks, other=unknown(cls, values))
        except (TypeError, AttributeError, KeyError, Damaged) as problem:
            raise Damaged(f"has a damaged summary: it {problem}") from problem

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        values = as_json(self)
        if self.checks is not None and self.checks.own:
            values["checks"] |= values["checks"].pop("own")
        return values | values.pop("other", {})


_SECTIONS = {
    "convergence": Convergence,
    "equilibration": Equilibration,
    "timings": Timings,
}
