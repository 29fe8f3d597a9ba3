"""Error bars agree with the spread of independent runs."""

import numpy as np
import pytest

from backend.engines.numba.engine import run
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem


@pytest.mark.long
def test_the_spread_of_independent_runs_agrees_with_their_error_bars():
    """The statistical error of the ratio is 8 %."""
    profiles = []
    for seed in range(301, 341):
        settings = RunSettings(duration_ns=0.5, time_step=0.01, seed=seed)
        result = run(SlitSystem(), settings, threads=2)
        profiles.append(result.profiles.by_species())
    for species in SPECIES:
        density = np.array([each[species].density for each in profiles])
        error = np.array([each[species].error for each in profiles])
        counted = density.mean(axis=0) >= 0.05 * density.mean(axis=0).max()
        spread = density.std(axis=0, ddof=1)[counted]
        bars = np.sqrt((error**2).mean(axis=0))[counted]
        print(f"{species}: spread over bars {np.median(spread / bars):.2f}")
        assert 0.8 <= np.median(spread / bars) <= 1.25
