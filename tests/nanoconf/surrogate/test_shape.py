"""Profiles from coefficients: walls, bins, polynomials."""

import numpy as np
import pytest
from scipy import constants as scipy_constants

from backend import constants
from backend.profiles.bins import HALF, bin_edges
from backend.system import SPECIES, SlitSystem
from backend.walls import boltzmann_factor
from nanoconf.surrogate.shape import TERMS, Slits, coefficients_of, profile_of

SYSTEMS = [
    SlitSystem(3.0, 1, -1, 0.5, 0.714),
    SlitSystem(4.0, 1, -1, 0.5, 0.5),
    SlitSystem(3.3, 1, -1, 0.5, 0.75, wall="plane"),
]


@pytest.mark.parametrize("name", ["e", "k", "N_A", "epsilon_0", "atomic_mass"])
def test_constants_are_those_of_codata(name):
    assert getattr(constants, name) == getattr(scipy_constants, name)


def test_bins_have_the_mean_and_the_centroid_of_the_boltzmann_factor():
    factor, place = Slits.of(SYSTEMS).bins()
    for row, system in enumerate(SYSTEMS):
        edges = bin_edges(system)[: HALF + 1]
        fine = edges[:-1, None] + (np.arange(2000) + 0.5) / 2000 * np.diff(edges)[:, None]
        inside = boltzmann_factor(system, "positive", fine)
        mean = inside.mean(axis=1)
        open_bins = mean > 1e-4
        np.testing.assert_allclose(factor[row, open_bins], mean[open_bins], rtol=2e-3)
        assert (factor[row, ~open_bins] == 0).all()
        centre = (inside * fine).sum(axis=1)[open_bins] / inside.sum(axis=1)[open_bins]
        np.testing.assert_allclose(-place[row, open_bins], centre, atol=2e-6)


def test_the_polynomials_are_even_and_bounded_behind_the_wall():
    slits = Slits.of(SYSTEMS)
    z = np.linspace(-1.6, 1.6, 101)[None].repeat(3, axis=0)
    basis = slits.basis(z)
    assert basis.shape == (3, 101, TERMS)
    np.testing.assert_allclose(basis, basis[:, ::-1], atol=1e-12)
    assert np.abs(basis).max() <= 1.0 + 1e-12


def test_profiles_have_mean_one_and_no_ion_in_the_wall():
    factor, _ = Slits.of(SYSTEMS).bins()
    random = np.random.default_rng(1)
    profile = profile_of(5 * random.normal(size=(3, HALF)), factor)
    np.testing.assert_allclose(profile.mean(axis=-1), 1.0, rtol=1e-12)
    assert ((profile == 0) == (factor == 0)).all()


def test_a_fit_recovers_the_coefficients():
    slits = Slits.of(SYSTEMS)
    factor, place = slits.bins()
    random = np.random.default_rng(2)
    true = random.normal(size=(3, 2, TERMS)) / np.arange(1, TERMS + 1) ** 2
    logarithm = np.einsum("spk,sbk->spb", true, slits.basis(place))
    profiles = profile_of(logarithm, factor[:, None])
    found = coefficients_of(slits, profiles, np.full_like(profiles, 1e-4))
    np.testing.assert_allclose(found, true, atol=0.003)
    assert len(SPECIES) == 2
