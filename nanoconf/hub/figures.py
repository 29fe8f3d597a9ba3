"""Figures of the Sim2L: densities, charge and potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nanoconf.gui import words
from nanoconf.gui.figures.origin import MD, Origin, Source
from nanoconf.gui.figures.plots import DENSITY, IONS, Z_AXIS, Chart, Columns, Curve, Plot

if TYPE_CHECKING:
    from backend.profiles.charge import ChargeProfile
    from backend.profiles.density import SlitProfiles
    from backend.system import SlitSystem


@dataclass(frozen=True)
class Profiles:
    """Profiles of one method.

    Attributes
    ----------
    kind : {"MD", "ML"}
        Source of the curves; see `Curve`.
    name : str
        Name of the model, or a description of the run.
    system : SlitSystem
    profiles : SlitProfiles
    charge : ChargeProfile
    converged : bool
        False for a simulation that has not converged.
    """

    kind: str
    name: str
    system: SlitSystem
    profiles: SlitProfiles
    charge: ChargeProfile
    converged: bool = True

    @property
    def label(self) -> str:
        """Label in the legend."""
        kind = "MD simulation" if self.kind == MD else "ML prediction"
        return kind if self.converged else f"{kind} ({words.NOT_CONVERGED})"


def plots(found: Sequence[Profiles]) -> list[Plot]:
    """Return the figures of one system: positive ions, negative ions, charge and potential."""
    origin = Origin(tuple(Source(each.kind, each.name, each.system) for each in found))
    densities = [
        Plot(f"{species.capitalize()} Ion Density", (_densities(species, found),), origin=origin)
        for species in IONS
    ]
    charge = (
        _charges("density", "Net charge density, z₊ρ₊ + z₋ρ₋ (e·M)", "charge_density_eM", found),
        _charges("potential", "Potential relative to the midplane (mV)", "potential_mV", found),
    )
    return [*densities, Plot("Charge", charge, origin=origin)]


def _densities(species: str, found: Sequence[Profiles]) -> Chart:
    curves = [
        _curve(each, profile, profile.density, profile.error, species)
        for each in found
        for profile in [each.profiles.by_species()[species]]
    ]
    label = f"{species.capitalize()} ion density (M)"
    return Chart(tuple(curves), Z_AXIS, label, DENSITY, _width(found))


def _charges(attribute: str, label: str, column: str, found: Sequence[Profiles]) -> Chart:
    curves = []
    for each in found:
        error = getattr(each.charge, f"{attribute}_error") if each.kind == MD else None
        curves.append(_curve(each, each.charge, getattr(each.charge, attribute), error))
    columns = Columns("z_nm", column)
    return Chart(tuple(curves), Z_AXIS, label, columns, _width(found), from_zero=False)


def _curve(each: Profiles, of: Any, y: Any, error: Any, species: str = "") -> Curve:
    return Curve(each.label, of.z, y, each.kind, error, species, converged=each.converged)


def _width(found: Sequence[Profiles]) -> float:
    return found[0].system.confinement_length
