"""Accuracy of the shipped surrogate, and comparison with published results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.profiles.bins import bin_edges
from backend.profiles.density import DensityProfile
from backend.system import SPECIES, SlitSystem
from backend.walls import boltzmann_factor
from benchmarks.band_width import width_at
from nanoconf.data import dataset
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.domain import mean_density
from nanoconf.surrogate.evaluation import evaluate
from nanoconf.surrogate.lifecycle.registry import package_models
from nanoconf.surrogate.model import Prediction
from nanoconf.surrogate.simulations import Simulations
from tests.support.reference import published
from tests.support.synthetic import random_systems

README = Path(__file__).parents[3] / "README.md"


@pytest.fixture(scope="module")
def shipped() -> Surrogate:
    if not list(package_models().glob("*/card.json")):
        pytest.skip(f"no model in {package_models()}: the shipped model is NOT tested")
    return Surrogate.load(package_models())


def predictions(model: Surrogate) -> list[Prediction]:
    corners = [
        SlitSystem(h, zp, -1, c, d)
        for h in (3.0, 4.0)
        for zp in (1, 2, 3)
        for c in (0.3, 0.9)
        for d in (0.5, 0.75)
    ]
    return model.predict_many(corners + random_systems(200))


def test_the_band_of_the_shipped_model_widens_toward_the_bounds_of_its_domain_and_beyond(shipped):
    widths = [width_at(shipped, distance) for distance in (0.2, 0.6, 1.0, 1.1, 1.25, 1.5)]
    assert widths == sorted(widths)
    assert widths[-1] > 2 * widths[0]


def test_shipped_model_covers_the_papers_ranges(shipped):
    ranges = {name: (allowed.low, allowed.high) for name, allowed in shipped.domain.ranges.items()}
    assert ranges == {
        "confinement_length": (3.0, 4.0),
        "positive_valency": (1, 3),
        "negative_valency": (-1, -1),
        "salt_concentration": (0.3, 0.9),
        "positive_diameter": (0.5, 0.75),
    }


def test_shipped_model_is_the_same_in_both_runtimes(shipped):
    heavy = Surrogate.load(shipped.folder, runtime="tensorflow")
    systems = random_systems(100)
    for a, b in zip(shipped.predict_many(systems), heavy.predict_many(systems), strict=True):
        for species in SPECIES:
            np.testing.assert_allclose(
                getattr(a, species).density, getattr(b, species).density, rtol=0, atol=1e-5
            )


def test_shipped_model_conserves_the_number_of_ions_and_is_physical(shipped):
    for prediction in predictions(shipped):
        for species in SPECIES:
            found: DensityProfile = getattr(prediction, species)
            wall = boltzmann_factor(prediction.system, species, found.z)
            mean = mean_density(prediction.system, species)
            assert found.mean_density == pytest.approx(mean, rel=1e-5)
            assert found.density.min() == 0.0
            assert (found.density[wall < 1e-6] == 0.0).all()
            assert (found.error[wall > 0.5] > 0.0).all()


def test_the_readme_states_the_accuracy_of_the_shipped_model(shipped):
    folder = package_models().parent / "data" / "test"
    found = evaluate(shipped, Simulations.load(folder))["both"]
    rows = [line.strip("| ").split(" | ") for line in README.read_text().splitlines()]
    for charges in ("1:-1", "2:-1", "3:-1"):
        (row,) = (row for row in rows if row[0] == charges.replace("-", "−"))
        values = found[charges]
        profile = [values["observed"]["median"], values["observed"]["worst"]]
        profile.append(values["beyond"]["median"])
        densities = [values[name]["median"] for name in ("contact", "mid", "peak")]
        expected = [100 * value for value in (*profile, *densities)]
        # Rounded, and predicted by another processor.
        assert [float(cell) for cell in row[1:-1]] == pytest.approx(expected, abs=0.006)
        assert float(row[-1]) == pytest.approx(100 * values["coverage"]["all"], abs=0.06)


def test_shipped_model_has_the_metrics_of_its_card(shipped):
    folder = package_models().parent / "data" / "validation"
    if not (folder / dataset.FILE).is_file():
        pytest.skip(f"no data in {folder}: the metrics of the shipped model are NOT checked")
    simulations = Simulations.load(folder)
    assert simulations.sha256 == shipped.card.data.validation.sha256, "train it again"
    found = evaluate(shipped, simulations, include_seen=True)
    assert found["typical_error"] == pytest.approx(shipped.typical_error, rel=1e-3)
    assert shipped.typical_error < 0.003  # 0.0023


def test_shipped_model_agrees_with_the_published_network(shipped):
    """Positive ions; the published network is about 1 % below its own simulations."""
    rows = published("published_network_profiles.csv")
    deviations = []
    for case in np.unique(rows["case"]):
        points = rows[rows["case"] == case]
        h, zp, zn, c, d = (points[name][0] for name in ("h", "zp", "zn", "c", "d"))
        regular = np.abs(points["z_nm"] + h / 2 - d / 2) > 1e-4  # without the extra contact point
        theirs = points["rho_plus_M"][regular]
        ours = shipped.predict(SlitSystem(h, int(zp), int(zn), c, d)).positive
        difference = np.interp(points["z_nm"][regular], ours.z, ours.density) - theirs
        deviations.append(np.linalg.norm(difference) / np.linalg.norm(theirs))
    print("relative L2 difference from the published network:", np.round(deviations, 4))
    assert len(deviations) >= 6
    assert np.median(deviations) < 0.012  # 0.0082


def test_shipped_model_agrees_with_a_published_simulation(shipped):
    """Both ions of the default system, bins of 0.0357 nm; published error bars are about 1 %."""
    rows = published("published_md_h3.0_zp1_zn-1_c0.5_d0.714.csv")
    rows = rows[np.abs(np.abs(rows["z_nm"]) - 1.143) > 1e-4]  # without the extra contact points
    system, width = SlitSystem(), np.median(np.diff(rows["z_nm"]))
    prediction = shipped.predict(system)
    edges = bin_edges(system)
    for species in SPECIES:
        density = getattr(prediction, species).density
        ions_below = np.append(0.0, np.cumsum(density * np.diff(edges)))
        below, above = (np.interp(rows["z_nm"] + s * width / 2, edges, ions_below) for s in (-1, 1))
        theirs = rows[f"{species}_M"]
        difference = np.linalg.norm((above - below) / width - theirs) / np.linalg.norm(theirs)
        print(f"relative L2 difference from the published simulation, {species}: {difference:.4f}")
        assert difference < 0.013  # 0.0095 and 0.0096
