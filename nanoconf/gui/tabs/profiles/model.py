"""Plots of the profiles across the slit: densities, charge, potential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.profiles.charge import CHARGE_PER_MOLAR_NM
from nanoconf.gui import words
from nanoconf.gui.figures.origin import MD, ML, PB, Origin, Source
from nanoconf.gui.figures.plots import (
    DENSITY,
    IONS,
    Z_AXIS,
    Chart,
    Columns,
    Curve,
    Marker,
    Plot,
)
from nanoconf.gui.tabs.registry import (
    CHARGE_DENSITY,
    INTEGRATED,
    NEGATIVE,
    POSITIVE,
    POTENTIAL,
    PREDICTION,
)

if TYPE_CHECKING:
    from backend.system import SlitSystem
    from nanoconf.gui.state import AppState, Simulation

DEFAULT_WIDTH = 3.0
"""Slit width (nm) that is drawn while the typed width is invalid."""

SCREENED = 0.05
"""Fraction of a wall's charge below which it counts as screened: see `backend.profiles.charge`."""

SMALL = 0.01
"""Charges and potentials that count as zero, relative to those of one ion species and to kT/e."""

THERMAL_VOLTAGE_MV = 25.0

EMPTY = "Press Run to simulate this system,\nor Predict using ML for an immediate prediction."
WAITING = "The first profile appears here shortly\nand is updated as it converges."


@dataclass(frozen=True)
class Shown:
    """Profiles from one source.

    Attributes
    ----------
    source : str
        Source of the curves: see `Curve`.
    name : str
        ID of the run, or name of the model.
    label : str
        Name of the source in the legend.
    system : SlitSystem
        The system.
    profiles : SlitProfiles
        The profiles.
    charge : ChargeProfile or None
        The charge density and potential that follow from the profiles.
    stale : bool
        True if they belong to different inputs.
    """

    source: str
    name: str
    label: str
    system: Any
    profiles: Any
    charge: Any
    stale: bool

    @property
    def origin(self) -> Source:
        """The source, for files."""
        return Source(self.source, self.name, self.system)


def shown(state: AppState, *sources: str) -> list[Shown]:
    """Return the available profiles, from the given sources or from all."""
    run, predicted, theory = state.simulation, state.prediction, state.theory
    found = []
    if run is not None and run.profiles is not None:
        found.append((MD, run.run_id, simulation_label(run), run))
    if predicted is not None:
        found.append((ML, state.model.name if state.model else "", "ML prediction", predicted))
    if theory is not None:
        found.append((PB, "", "Poisson-Boltzmann", theory))
    return [
        _shown(state, source, name, label, each)
        for source, name, label, each in found
        if not sources or source in sources
    ]


def _shown(state: AppState, source: str, name: str, label: str, each: Any) -> Shown:
    stale = not state.is_current(each.system)
    return Shown(source, name, label, each.system, each.profiles, each.charge, stale)


def simulation_label(run: Simulation) -> str:
    """Return the label of a simulation in the legend."""
    if run.result is None:
        return "MD simulation (so far)"
    return "MD simulation" + (f" ({words.NOT_CONVERGED})" if words.not_converged(run) else "")


# --- the tabs -------------------------------------------------------------------------------


def density_plot(state: AppState, species: str) -> Plot:
    """Plot the density of one ion species from all sources."""
    sources = shown(state)
    curves = [_density(each, species, each.label) for each in sources]
    title = POSITIVE if species == "positive" else NEGATIVE
    label = f"{species.capitalize()} ion density (M)"
    return _plot(state, title, sources, curves, label, DENSITY)


def prediction_plot(state: AppState) -> Plot:
    """Plot the predicted densities of both ion species."""
    sources = shown(state, ML, PB)
    curves = [
        _density(each, species, f"{each.source}, {ions}")
        for each in sources
        for species, ions in IONS.items()
    ]
    hint = state.prediction_problem.replace(". ", ".\n").replace(": ", ":\n")
    hint = hint or "Press Predict using ML for an immediate prediction."
    return _plot(state, PREDICTION, sources, curves, "Ion density (M)", DENSITY, hint=hint)


def charge_plot(state: AppState) -> Plot:
    """Plot the net charge density."""
    columns = Columns("z_nm", "charge_density_eM", "error_eM")
    label = "Net charge density, z₊ρ₊ + z₋ρ₋ (e·M)"
    return _charge_plot(state, CHARGE_DENSITY, "density", label, columns)


def integrated_plot(state: AppState) -> Plot:
    """Plot the charge integrated from the left wall, and the screening length."""
    columns = Columns("z_nm", "integrated_charge_C_per_m2", "error_C_per_m2")
    label = "Integrated charge from the left wall to z (C/m²)"
    return _charge_plot(state, INTEGRATED, "integrated", label, columns, _screening(shown(state)))


def potential_plot(state: AppState) -> Plot:
    """Plot the mean electrostatic potential."""
    columns = Columns("z_nm", "potential_mV", "error_mV")
    label = "Potential relative to the midplane (mV)"
    return _charge_plot(state, POTENTIAL, "potential", label, columns)


# --- parts of the plots ---------------------------------------------------------------------


def _plot(
    state: AppState,
    title: str,
    sources: list[Shown],
    curves: list[Curve],
    label: str,
    columns: Columns,
    *,
    hint: str = "",
    markers: tuple[Marker, ...] = (),
    scale: float = 0.0,
) -> Plot:
    width, origin = _width(state, sources), Origin(tuple(each.origin for each in sources))
    chart = Chart(
        tuple(curves), Z_AXIS, label, columns, width, markers, from_zero=not scale, scale=scale
    )
    hint = hint or (WAITING if state.simulating else EMPTY)
    return Plot(title, (chart,), "" if curves else hint, origin)


def _width(state: AppState, sources: list[Shown]) -> float:
    """Return the slit width (nm) of the plot: that of the current sources, if any."""
    current = [each for each in sources if not each.stale] or sources
    widths = [each.system.confinement_length for each in current]
    return max(widths, default=state.values["confinement_length"] or DEFAULT_WIDTH)


def _density(each: Shown, species: str, label: str) -> Curve:
    profile = getattr(each.profiles, species)
    error = None if each.source == PB else profile.error
    curve = Curve(label, profile.z, profile.density, each.source, error, species)
    return curve.marked_stale() if each.stale else curve


def _charge_plot(
    state: AppState,
    title: str,
    quantity: str,
    label: str,
    columns: Columns,
    markers: tuple[Marker, ...] = (),
) -> Plot:
    sources = [each for each in shown(state) if each.charge is not None]
    curves = [_charge(each, quantity) for each in sources]
    scale = max((_scale(each.system, quantity) for each in sources), default=1.0)
    return _plot(state, title, sources, curves, label, columns, markers=markers, scale=scale)


def _scale(system: SlitSystem, quantity: str) -> float:
    """Return the smallest value of interest of a quantity of `ChargeProfile`."""
    if quantity == "potential":
        return SMALL * THERMAL_VOLTAGE_MV
    ions = -system.negative_valency * system.salt_concentration  # charge density, e·M
    half = system.confinement_length / 2
    return SMALL * (ions if quantity == "density" else ions * CHARGE_PER_MOLAR_NM * half)


def _charge(each: Shown, quantity: str) -> Curve:
    values = getattr(each.charge, quantity)
    error = _known(getattr(each.charge, f"{quantity}_error"))
    curve = Curve(each.label, each.charge.z, values, each.source, error)
    return curve.marked_stale() if each.stale else curve


def _known(error: Any) -> Any:
    """Return the errors; None if they are unknown."""
    return None if error[0] != error[0] else error


def _screening(sources: list[Shown]) -> tuple[Marker, ...]:
    """Return the markers that show the screening in the current sources.

    They are the screening length of each source, measured from the left wall, and the fraction
    of the wall's charge that defines it.
    """
    current = [each for each in sources if each.charge is not None and not each.stale]
    lengths = tuple(
        _screening_length(each)
        for each in current
        if each.charge.screening_length == each.charge.screening_length
    )
    walls = {abs(each.system.actual_surface_charge_density) for each in current} - {0.0}
    shares = (Marker(f"±{100 * SCREENED:g} % of σ", y=SCREENED * wall, both=True) for wall in walls)
    return (*lengths, *shares)


def _screening_length(each: Shown) -> Marker:
    """Return the screening length as a distance from the left wall."""
    length, wall = each.charge.screening_length, -each.system.confinement_length / 2
    label = f"z* = {length:.2f} nm from the left wall ({each.source})"
    return Marker(label, x=wall + length, start=wall)
