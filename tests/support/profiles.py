"""Artificial profiles of constant density."""

from __future__ import annotations

import numpy as np

from backend.profiles.bins import bin_centres
from backend.profiles.charge import ChargeProfile
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.system import SlitSystem
from nanoconf.gui.state import MachineLearning


def profiles(system: SlitSystem, height: float = 1.0) -> SlitProfiles:
    z = bin_centres(system)
    one = DensityProfile(z, np.full(len(z), height), np.full(len(z), 0.01))
    return SlitProfiles(one, one)


def prediction(system: SlitSystem) -> MachineLearning:
    both = profiles(system)
    return MachineLearning(system, both, ChargeProfile.of(system, both), 0.004)
