"""The error band of a prediction."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backend.profiles.bins import HALF, bin_centres
from backend.system import SlitSystem
from nanoconf.surrogate import ExtrapolationWarning, band
from nanoconf.surrogate.model import Prediction


def test_the_band_contains_90_percent_of_true_densities_in_every_group():
    """One part of the error is in the spread, the other is common to all members."""
    random = np.random.default_rng(3)
    systems = [SlitSystem(h, zp) for h in np.linspace(3, 4, 60) for zp in (1, 2)]
    place = np.abs(np.array([bin_centres(system)[:HALF] for system in systems]))
    shape = (len(systems), 2, HALF)
    density, spread = np.ones(shape), np.full(shape, 0.01)
    noise = np.full(shape, 0.005)
    size = np.hypot(0.01, np.array([0.0, 0.03])[:, None])  # larger for negative ions

    def measure() -> np.ndarray:
        return density + size * random.normal(size=shape) + noise * random.normal(size=shape)

    table = band.calibrated(systems, place, density, spread, measure(), noise)
    error = band.errors(json.loads(json.dumps(table)), systems, place, density, spread)
    np.testing.assert_allclose(error[:, 0], 0.01, rtol=0.15)
    np.testing.assert_allclose(error[:, 1], 0.0316, rtol=0.1)
    within = np.abs(measure() - density) <= band.HALF_WIDTH * np.hypot(error, noise)
    region = band.regions(systems, place)
    for number in range(3):
        assert within[np.broadcast_to((region == number)[:, None], shape)].mean() == (
            pytest.approx(0.9, abs=0.02)
        )


def test_the_band_widens_beyond_the_edge_of_the_domain(model):
    inside = model.predict(SlitSystem(3.5, 1, -1, 0.6, 0.62))
    with pytest.warns(ExtrapolationWarning):
        outside = model.predict(SlitSystem(5.0, 1, -1, 0.6, 0.62), extrapolate=True)

    def width(prediction: Prediction) -> float:
        return np.linalg.norm(prediction.negative.error) / np.linalg.norm(
            prediction.negative.density
        )

    assert width(outside) > 5 * width(inside)  # 9 times
