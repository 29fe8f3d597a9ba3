"""What the density profiles say about charge: its density, its integral, the potential.

Poisson's equation in one dimension; z runs across the slit, both walls carry the same charge.
"""

from __future__ import annotations

import numpy as np
from scipy import constants

from backend.profiles import SlitProfiles
from backend.system import MOLAR, SlitSystem

CHARGE_PER_MOLAR_NM = MOLAR * constants.e * 1e18
"""C/m² of one unit charge per ion at 1 mol/L, in a layer 1 nm thick (0.0965 C/m²)."""


def net_charge_density(system: SlitSystem, profiles: SlitProfiles) -> tuple[np.ndarray, np.ndarray]:
    """z₊ρ₊ + z₋ρ₋ and its standard error (e mol/L), shape (bins,).

    The error takes both profiles as independent.
    """
    positive, negative = system.valencies
    density = positive * profiles.positive.density + negative * profiles.negative.density
    error = np.hypot(
        positive * profiles.positive.error,
        negative * profiles.negative.error,
    )
    return density, error


def integrated_charge(system: SlitSystem, profiles: SlitProfiles) -> np.ndarray:
    """Charge per area from the left wall, its own charge included, to the right edge of each bin.

    Returns
    -------
    ndarray, shape (bins,)
        σ + ∫ (z₊ρ₊ + z₋ρ₋) dz (C/m²). Charged walls are screened where it has fallen to zero.
    """
    density, _ = net_charge_density(system, profiles)
    step = system.confinement_length / len(density)
    layers = CHARGE_PER_MOLAR_NM * density * step
    return system.actual_surface_charge_density + np.cumsum(layers)


def potential(system: SlitSystem, profiles: SlitProfiles) -> np.ndarray:
    """Mean electrostatic potential at the bin centres (mV), zero in the middle, shape (bins,)."""
    at_edges = np.concatenate(
        [[system.actual_surface_charge_density], integrated_charge(system, profiles)]
    )
    # between two edges the field is taken as linear, as for a charge density constant in each bin
    field = (at_edges[1:] + at_edges[:-1]) / 2
    permittivity = constants.epsilon_0 * system.relative_permittivity
    step = system.confinement_length / len(field) * 1e-9
    drop = np.cumsum(field) * step / permittivity
    centred = drop - field * step / permittivity / 2
    middle = np.interp(0.0, profiles.positive.z, centred)
    return -1000 * (centred - middle)
