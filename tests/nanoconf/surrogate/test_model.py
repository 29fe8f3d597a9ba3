"""Predictions of a surrogate."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from backend.profiles.bins import BINS, bin_centres, bin_edges
from backend.profiles.density import DensityProfile
from backend.system import SPECIES, SlitSystem
from backend.walls import boltzmann_factor
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.domain import mean_density
from nanoconf.surrogate.network import SHIPPED
from nanoconf.surrogate.shape import TERMS
from tests.support.synthetic import random_systems


def test_litert_and_tensorflow_agree(trained, model):
    systems = random_systems(50)
    full = Surrogate.load(trained, runtime="tensorflow")
    for light, heavy in zip(model.predict_many(systems), full.predict_many(systems), strict=True):
        for species in SPECIES:
            a, b = getattr(light, species).density, getattr(heavy, species).density
            assert a.max() > 0.1
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_an_unknown_runtime_is_refused(trained):
    with pytest.raises(ValueError, match="litert, tensorflow"):
        Surrogate.load(trained, runtime="onnx")


def test_profiles_lie_on_the_bins_and_are_symmetric(model):
    system = SlitSystem(3.2, 2, -1, 0.6, 0.65)
    prediction = model.predict(system)
    assert prediction.system == system
    assert prediction.model == "first"
    for species in SPECIES:
        found: DensityProfile = getattr(prediction, species)
        np.testing.assert_array_equal(found.z, bin_centres(system))
        assert found.density.shape == found.error.shape == (BINS,)
        np.testing.assert_array_equal(found.density, found.density[::-1])
        np.testing.assert_array_equal(found.error, found.error[::-1])


def test_profiles_are_physical_for_any_output_of_the_network(model):
    """Symmetric, never negative, zero inside the walls, with the correct number of ions."""
    random = np.random.default_rng(5)

    def random_network(inputs: np.ndarray) -> np.ndarray:
        return random.normal(size=(len(inputs), SHIPPED.members, 2, TERMS)).astype(np.float32)

    for prediction in Surrogate(model.folder, model.card, random_network).predict_many(
        random_systems(10)
    ):
        system = prediction.system
        for species in SPECIES:
            found: DensityProfile = getattr(prediction, species)
            assert found.density.min() == 0.0
            np.testing.assert_array_equal(found.density, found.density[::-1])
            assert found.mean_density == pytest.approx(mean_density(system, species), rel=1e-5)
            wall = boltzmann_factor(system, species, found.z)
            assert (found.density[wall < 1e-6] == 0.0).all()
            assert (found.density[wall > 1e-3] > 0.0).all()
            assert (found.error[found.density == 0.0] == 0.0).all()


def test_ions_that_differ_only_in_the_sign_of_their_charge_have_equal_profiles(model):
    prediction = model.predict(SlitSystem(3.3, 1, -1, 0.6, 0.6))
    np.testing.assert_array_equal(prediction.positive.density, prediction.negative.density)
    prediction = model.predict(SlitSystem(3.3, 2, -1, 0.6, 0.6))
    assert not np.array_equal(2 * prediction.positive.density, prediction.negative.density)


def test_densities_at_points_average_to_those_of_bins(model):
    system = SlitSystem(3.3, 2, -1, 0.6, 0.6)
    edges = bin_edges(system)
    points = (edges[:-1, None] + (np.arange(20) + 0.5) / 20 * np.diff(edges)[:, None]).ravel()
    inside = model.density_at(system, points).reshape(2, BINS, 20).mean(axis=2)
    prediction = model.predict(system)
    for ion, species in enumerate(SPECIES):
        density = getattr(prediction, species).density
        np.testing.assert_allclose(inside[ion], density, rtol=0, atol=2e-4 * density.max())
    assert (model.density_at(system, [-1.7, 5.0]) == 0).all()


def test_systems_predicted_together_and_one_by_one_agree(model):
    systems = random_systems(7)
    for system, together in zip(systems, model.predict_many(systems), strict=True):
        alone = model.predict(system)
        np.testing.assert_allclose(
            together.positive.density, alone.positive.density, rtol=0, atol=1e-6
        )
    assert model.predict_many([]) == []


def test_predictions_are_thread_safe(model):
    systems = random_systems(40)
    expected = [model.predict(system).negative.density for system in systems]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(model.predict, systems * 5))
    for answer, right in zip(answers, expected * 5, strict=True):
        np.testing.assert_array_equal(answer.negative.density, right)


def test_the_files_contain_the_prediction(model, tmp_path):
    prediction = model.predict(SlitSystem())
    assert set(prediction.files()) == {
        "ml_positive_density.csv",
        "ml_negative_density.csv",
        "ml_predicted_p_density_profile.dat",
        "ml_predicted_n_density_profile.dat",
    }
    prediction.save(tmp_path)
    read = DensityProfile.from_csv((tmp_path / "ml_negative_density.csv").read_text())
    np.testing.assert_allclose(read.density, prediction.negative.density, rtol=1e-7)
    columns = np.loadtxt(tmp_path / "ml_predicted_p_density_profile.dat", delimiter="\t")
    np.testing.assert_allclose(columns[:, 1], prediction.positive.density, rtol=1e-7)
    np.testing.assert_allclose(columns[:, 2], prediction.positive.error, rtol=1e-7)


COLD = """
import sys
from backend.system import SlitSystem
from nanoconf.surrogate import Surrogate
peak = Surrogate.load(sys.argv[1]).predict(SlitSystem()).positive.peak_density
heavy = "tensorflow keras numba pandas pyarrow duckdb matplotlib IPython".split()
# not getrusage, which counts the process that this one was forked from
memory = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(memory, peak, *(name for name in heavy if name in sys.modules))
"""


def test_the_first_prediction_needs_little_memory_and_no_tensorflow(trained):
    answer = subprocess.run(
        [sys.executable, "-c", COLD, str(trained)], capture_output=True, text=True, check=True
    )
    kilobytes, peak, *heavy = answer.stdout.split()
    assert heavy == []
    expected = Surrogate.load(trained).predict(SlitSystem()).positive.peak_density
    assert float(peak) == pytest.approx(expected, rel=1e-6)
    assert int(kilobytes) < 80_000  # 47 MB; 720 MB with TensorFlow
    assert answer.stderr == ""
