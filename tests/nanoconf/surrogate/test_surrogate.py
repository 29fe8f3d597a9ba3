"""The surrogate: training it, asking it, judging it, finding it."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from backend.profiles.bins import BINS, bin_centres, bin_edges
from backend.profiles.density import DensityProfile
from backend.system import SPECIES, InvalidInput, SlitSystem
from backend.walls import boltzmann_factor
from benchmarks.band_width import width_at
from nanoconf.data import dataset
from nanoconf.data.published import KEPT_OUT
from nanoconf.surrogate import ExtrapolationWarning, Surrogate, band
from nanoconf.surrogate.domain import INPUTS, Domain, mean_density, network_inputs
from nanoconf.surrogate.evaluation import evaluate, format_report, unseen
from nanoconf.surrogate.fitting import Lessons, fit
from nanoconf.surrogate.lifecycle import registry as registry_module
from nanoconf.surrogate.lifecycle.registry import ModelNotFound, models, package_models
from nanoconf.surrogate.model import Prediction
from nanoconf.surrogate.network import SHIPPED, Scaling, build
from nanoconf.surrogate.shape import HALF, TERMS
from nanoconf.surrogate.simulations import Simulations, system_key
from nanoconf.surrogate.training import split, train
from tests.support.reference import published

EPOCHS = 150
RELATIVE_ERROR = 0.01


# --- a small data set made from a formula ---------------------------------------------------


def profile(system: SlitSystem, species: str) -> np.ndarray:
    """A profile (M) with the right wall, mean and symmetry, and some layers; left half."""
    z = bin_centres(system)
    depth = system.contact_planes[0] - np.abs(z)
    layers = 1 + 0.3 * np.exp(-3 * depth) * np.cos(9 * depth)
    if species == "positive":
        layers -= 0.1 * (system.positive_valency - 1) * np.exp(-5 * np.abs(depth))
    density = layers * boltzmann_factor(system, species, z)
    return (density * mean_density(system, species) / density.mean())[:HALF]


def synthetic_rows(count: int, repeats: int = 0) -> list[dict]:
    """Rows of a data set of random systems; the first few are there twice."""
    random = np.random.default_rng(7)
    rows = []
    for number in range(count):
        h, c, d = random.uniform((3.0, 0.3, 0.5), (4.0, 0.9, 0.75))
        system = SlitSystem(h, 1 + number % 3, -1, c, d)
        for seed in range(2 if number < repeats else 1):
            for species in SPECIES:
                density = profile(system, species)
                error = np.full(HALF, RELATIVE_ERROR * mean_density(system, species))
                rows.append(
                    dict.fromkeys(dataset.columns())
                    | system.to_dict()
                    | {
                        "system": number,
                        "species": species,
                        "seed": seed,
                        "converged": True,
                        "density": density + error * random.normal(size=HALF) * (density > 0.01),
                        "error": error,
                        **dict.fromkeys(("engine", "version", "inputs_hash"), ""),
                    }
                )
    return rows


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    dataset.save(folder, synthetic_rows(60, repeats=5), {})
    return folder


@pytest.fixture(scope="module")
def data(data_folder) -> Simulations:
    return Simulations.load(data_folder)


@pytest.fixture(scope="module")
def trained(data_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "first"
    train(data_folder, folder, epochs=EPOCHS, seed=3, progress=False, background=False)
    return folder


@pytest.fixture(scope="module")
def model(trained) -> Surrogate:
    return Surrogate.load(trained)


def random_systems(count: int) -> list[SlitSystem]:
    random = np.random.default_rng(11)
    return [
        SlitSystem(h, int(zp), -1, c, d)
        for h, zp, c, d in random.uniform((3.0, 1, 0.3, 0.5), (4.0, 3.99, 0.9, 0.75), (count, 4))
    ]


# --- network and training -------------------------------------------------------------------


SAME = Scaling(np.zeros(5), np.ones(5)), Scaling(np.zeros(2 * TERMS), np.ones(2 * TERMS))


def test_a_seed_gives_the_initial_weights_and_every_member_its_own():
    first, again, other = (build(*SAME, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert len({weights.tobytes() for weights in first[0]}) == SHIPPED.members


def test_scaling_bears_a_constant_column():
    values = np.array([[1.0, -1.0], [3.0, -1.0], [2.0, -1.0]])
    scaling = Scaling.of_ranges(values)
    scaled = (values - scaling.centre) * scaling.inverse_size
    assert np.array_equal(scaled, [[-1, 0], [1, 0], [0, 0]])


def test_what_is_held_back_is_whole_systems_of_every_valency(data):
    held = split(data, seed=5)
    assert len(data) == 65 and len(set(data.keys)) == 60
    assert len(held) == 6
    assert {key.split()[1] for key in held} == {"1", "2", "3"}
    assert held == split(data, seed=5) != split(data, seed=6)


def test_a_model_folder_is_whole_and_says_what_it_is(trained, data):
    assert {path.name for path in trained.iterdir()} == {
        "profiles.keras",
        "profiles.tflite",
        "card.json",
    }
    assert [path.name for path in trained.parent.iterdir()] == ["first"]
    card = json.loads((trained / "card.json").read_text())
    assert card["name"] == "first"
    assert {card["data"][part]["sha256"] for part in ("training", "validation")} == {data.sha256}
    assert sum(card["data"][part]["systems"] for part in ("training", "validation")) == 60
    assert card["training"]["seed"] == 3
    assert set(card["systems"]["validation"]).isdisjoint(card["systems"]["training"])
    assert {"tensorflow", "keras", "ai-edge-litert"} < set(card["packages"])


def test_training_lowers_the_loss(model):
    for name in ("training_loss", "validation_loss"):
        curve = model.card.training[name]
        assert curve["epoch"][0] == 1
        assert curve["epoch"][-1] == EPOCHS
        assert curve["loss"][-1] < 0.3 * curve["loss"][0]


def test_the_same_seed_gives_the_same_network(data):
    lessons = Lessons.of(data[range(20)])

    def weights(seed: int) -> list[np.ndarray]:
        return fit(lessons, lessons, 3, seed).network.get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[-1], other[-1])


def test_what_was_learnt_is_the_profile_behind_the_noise(model):
    """Noise is 1 % of the mean density in every bin; the network sees through it."""
    for system in random_systems(20):
        prediction = model.predict(system)
        for species in SPECIES:
            true = profile(system, species)
            found = getattr(prediction, species).density[:HALF]
            assert np.linalg.norm(found - true) < 0.05 * np.linalg.norm(true)


def test_the_published_systems_and_those_of_the_validation_do_not_train(tmp_path, data_folder):
    rows = synthetic_rows(60)
    for row in rows[:2]:
        row |= KEPT_OUT[0].to_dict()
    dataset.save(tmp_path / "data", rows, {})
    dataset.save(tmp_path / "validation", rows[2:8], {})
    card = train(
        tmp_path / "data",
        tmp_path / "model",
        validation_folder=tmp_path / "validation",
        epochs=1,
        progress=False,
        background=False,
    )
    assert card.data.training.systems == 56
    assert card.data.validation.systems == 3
    assert system_key(KEPT_OUT[0]) not in card.systems.training


def test_training_that_breaks_off_leaves_the_old_model(trained, data_folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nanoconf.surrogate.training.save", fail)
    with pytest.raises(KeyboardInterrupt):
        train(data_folder, trained, epochs=1, progress=False, background=False)
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before
    assert [path.name for path in trained.parent.iterdir()] == [trained.name]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"wall": "plane"}, "wall"),
        ({"temperature": 300.0}, "temperature"),
        ({"negative_diameter": 0.4}, "diameters"),
    ],
)
def test_data_that_the_network_cannot_tell_apart_are_refused(tmp_path, change, named):
    rows = synthetic_rows(30)
    rows[0] |= change
    rows[1] |= change
    dataset.save(tmp_path / "data", rows, {})
    with pytest.raises(InvalidInput, match=named):
        train(tmp_path / "data", tmp_path / "model", epochs=1, progress=False, background=False)
    assert not (tmp_path / "model").exists()


def test_too_few_systems_are_refused(tmp_path):
    dataset.save(tmp_path / "data", synthetic_rows(6), {})
    with pytest.raises(InvalidInput, match="too few"):
        train(tmp_path / "data", tmp_path / "model", epochs=1, progress=False, background=False)


def test_no_epochs_are_refused(data_folder, tmp_path):
    with pytest.raises(InvalidInput, match="epochs = 0: must be 1 or more"):
        train(data_folder, tmp_path / "model", epochs=0, progress=False, background=False)


# --- predicting -----------------------------------------------------------------------------


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


def test_whatever_the_network_says_the_profile_is_physical(model):
    """Symmetric, never negative, nothing in the wall, exactly as many ions as there are."""
    random = np.random.default_rng(5)

    def nonsense(inputs: np.ndarray) -> np.ndarray:
        return random.normal(size=(len(inputs), SHIPPED.members, 2, TERMS)).astype(np.float32)

    for prediction in Surrogate(model.folder, model.card, nonsense).predict_many(
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


def test_ions_that_differ_in_the_sign_of_their_charge_only_have_one_profile(model):
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


def test_many_systems_at_once_and_one_by_one_agree(model):
    systems = random_systems(7)
    for system, together in zip(systems, model.predict_many(systems), strict=True):
        alone = model.predict(system)
        np.testing.assert_allclose(
            together.positive.density, alone.positive.density, rtol=0, atol=1e-6
        )
    assert model.predict_many([]) == []


def test_threads_get_their_own_answers(model):
    systems = random_systems(40)
    expected = [model.predict(system).negative.density for system in systems]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(model.predict, systems * 5))
    for answer, right in zip(answers, expected * 5, strict=True):
        np.testing.assert_array_equal(answer.negative.density, right)


def test_the_files_hold_the_prediction(model, tmp_path):
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


# --- domain ---------------------------------------------------------------------------------


def test_the_domain_is_what_was_learnt(model):
    ranges = {name: (allowed.low, allowed.high) for name, allowed in model.domain.items()}
    assert ranges == {
        "confinement_length": (3.0, 4.0),
        "positive_valency": (1, 3),
        "negative_valency": (-1, -1),
        "salt_concentration": (0.3, 0.9),
        "positive_diameter": (0.5, 0.75),
    }


@pytest.mark.parametrize(
    "inside",
    [
        {},
        {"confinement_length": 4.0, "salt_concentration": 0.9, "positive_diameter": 0.75},
        {"confinement_length": 3.0, "salt_concentration": 3 * 0.1, "positive_diameter": 0.5},
        {"salt_concentration": 9 * 0.1 + 1e-16},
    ],
)
def test_the_edges_belong_to_the_domain(model, inside):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict(SlitSystem(**inside)).positive.peak_density > 0


NUMBERS_OUTSIDE = {
    "confinement_length": (4.5, "between 3 and 4 nm"),
    "salt_concentration": (0.2, "between 0.3 and 0.9 M"),
    "positive_diameter": (0.8, "between 0.5 and 0.75 nm"),
}
NEVER_LEARNT = {
    "negative_valency": (-2, "must be -1 e"),
    "negative_diameter": (0.6, "must equal positive_diameter, 0.714 nm"),
    "wall": ("plane", "must be ion"),
    "surface_charge_density": (-0.01, "must be 0 C/m²"),
    "temperature": (310.0, "must be 298 K"),
    "relative_permittivity": (40.0, "must be 78.5"),
}


@pytest.mark.parametrize("name", [*NUMBERS_OUTSIDE, *NEVER_LEARNT])
def test_a_system_outside_the_domain_is_refused_by_name(model, name):
    value, said = (NUMBERS_OUTSIDE | NEVER_LEARNT)[name]
    with pytest.raises(InvalidInput) as refusal:
        model.predict(SlitSystem(**{name: value}))
    assert refusal.value.parameter == name
    assert refusal.value.value == value
    assert said in refusal.value.allowed
    assert "learnt" in refusal.value.allowed
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", NUMBERS_OUTSIDE)
def test_a_number_outside_can_be_extrapolated_with_a_warning(model, name):
    system = SlitSystem(**{name: NUMBERS_OUTSIDE[name][0]})
    with pytest.warns(ExtrapolationWarning, match=name):
        prediction = model.predict(system, extrapolate=True)
    assert np.isfinite(prediction.positive.density).all()


@pytest.mark.parametrize("name", NEVER_LEARNT)
def test_what_was_never_learnt_cannot_be_extrapolated(model, name):
    with pytest.raises(InvalidInput, match=name):
        model.predict(SlitSystem(**{name: NEVER_LEARNT[name][0]}), extrapolate=True)


def test_the_domain_survives_the_disk(data):
    domain = Domain.of(data.systems)
    assert Domain.from_dict(json.loads(json.dumps(asdict(domain)))) == domain


# --- what it is worth -----------------------------------------------------------------------


def test_the_band_holds_nine_of_ten_true_densities_in_every_group():
    """Deviations with a common part and a part that the spread knows of; noise is not counted."""
    random = np.random.default_rng(3)
    systems = [SlitSystem(h, zp) for h in np.linspace(3, 4, 60) for zp in (1, 2)]
    place = np.abs(np.array([bin_centres(system)[:HALF] for system in systems]))
    shape = (len(systems), 2, HALF)
    density, spread = np.ones(shape), np.full(shape, 0.01)
    noise = np.full(shape, 0.005)
    size = np.hypot(0.01, np.array([0.0, 0.03])[:, None])  # negative ions are worse

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

    assert width(outside) > 2 * width(inside)


def as_simulated(model: Surrogate, data: Simulations, standard_errors: float) -> Simulations:
    """Data that lie so many standard errors beside what the model says."""
    halves = model.predict_halves(data.systems)
    density = {
        species: halves.density[:, ion] + standard_errors * data.error[species]
        for ion, species in enumerate(SPECIES)
    }
    return Simulations(data.systems, density, data.error, data.sha256)


def test_the_exact_answer_has_no_error(model, data):
    metrics = evaluate(model, as_simulated(model, data, 0.0), seen_too=True)
    assert metrics["typical_error"] == metrics["worst_error"] == 0.0
    for species in SPECIES:
        found = metrics[species]["all"]
        assert found["coverage"] == {"tail": 1.0, "contact": 1.0, "middle": 1.0, "all": 1.0}
        for name in ("contact", "mid", "peak"):
            assert found[name]["worst"] == 0.0


def test_noise_is_told_apart_from_error(model, data):
    metrics = evaluate(model, as_simulated(model, data, 2.0), seen_too=True)
    for species in SPECIES:
        found = metrics[species]["all"]
        assert found["observed"]["median"] == pytest.approx(2 * found["noise"], rel=0.02)
        assert found["beyond"]["median"] == pytest.approx(3**0.5 * found["noise"], rel=0.02)


def test_a_model_is_judged_by_systems_it_never_saw(model, data):
    assert unseen(model, data) == []
    with pytest.raises(InvalidInput, match="took part in the training"):
        evaluate(model, data)
    others = Simulations(
        [SlitSystem(3.1, 1, -1, 0.41, 0.6), *data.systems[1:]],
        data.density,
        data.error,
        data.sha256,
    )
    metrics = evaluate(model, others)
    assert metrics["systems"] == 1
    assert set(metrics["positive"]) == {"all", "1:-1"}


def test_the_card_holds_the_metrics_of_the_systems_held_back(trained, data):
    card = json.loads((trained / "card.json").read_text())
    held = data[[row for row, key in enumerate(data.keys) if key in card["systems"]["validation"]]]
    assert evaluate(trained, held, seen_too=True) == card["metrics"]
    json.dumps(card["metrics"], allow_nan=False)


def test_the_report_names_what_it_shows(model, data):
    report = format_report(evaluate(model, data, seen_too=True))
    assert "on 60 systems" in report
    assert "positive  3:-1" in report
    assert "inside the predicted 90 % band" in report
    assert max(map(len, report.splitlines())) <= 120


def test_the_key_of_a_system_is_its_five_inputs():
    assert system_key(SlitSystem(3.2, 1, -1, 0.6, 0.65)) == "3.2 1 -1 0.6 0.65"
    assert network_inputs([SlitSystem()]).shape == (1, len(INPUTS))


# --- finding models -------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path, monkeypatch, trained):
    """Empty places to look for models in, and a function that puts a model somewhere."""
    home, package = tmp_path / "home", tmp_path / "package"
    monkeypatch.setenv("NANOCONF_HOME", str(home))
    monkeypatch.delenv("NANOCONF_MODELS", raising=False)
    monkeypatch.setattr(registry_module, "package_models", lambda: package)

    def put(place: Path, name: str, created: str = "2026-01-01T00:00:00+00:00") -> Path:
        folder = place / name
        folder.mkdir(parents=True)
        for source in trained.iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps(card | {"name": name, "created": created}))
        return folder

    put.home, put.package, put.other = home / "models", package, tmp_path / "other"
    return put


def test_no_model_anywhere_is_said_with_what_to_do(places):
    assert models() == []
    with pytest.raises(ModelNotFound, match="nanoconf train"):
        Surrogate.load()


def test_models_are_looked_for_in_order(places, monkeypatch):
    places(places.package, "shipped", created="2027-01-01T00:00:00+00:00")
    assert Surrogate.load().name == "shipped"
    places(places.home, "retrained")
    assert Surrogate.load().name == "retrained"
    places(places.other, "chosen")
    monkeypatch.setenv("NANOCONF_MODELS", str(places.other))
    assert Surrogate.load().name == "chosen"
    assert Surrogate.load(places.package).name == "shipped"
    assert Surrogate.load(places.package / "shipped").name == "shipped"
    assert [(model.name, model.source, model.current) for model in models()] == [
        ("chosen", "NANOCONF_MODELS", True),
        ("retrained", "home", False),
        ("shipped", "package", False),
    ]


def test_the_newest_model_is_current_unless_another_is_chosen(places):
    places(places.home, "old")
    places(places.home, "new", created="2026-01-02T00:00:00+00:00")
    places(places.home, ".half-written", created="2026-01-03T00:00:00+00:00")
    assert [model.name for model in models()] == ["new", "old"]
    assert Surrogate.load().name == "new"
    (places.home / "current.json").write_text('{"model": "old"}')
    assert Surrogate.load().name == "old"


def test_an_empty_folder_that_was_named_is_not_passed_over(places, monkeypatch):
    places(places.package, "shipped")
    monkeypatch.setenv("NANOCONF_MODELS", str(places.other))
    with pytest.raises(ModelNotFound, match="other"):
        Surrogate.load()
    with pytest.raises(ModelNotFound, match="other"):
        Surrogate.load(places.other)


@pytest.mark.parametrize("card", ["{", "[]", '{"name": "broken"}'])
def test_a_damaged_model_does_not_hide_the_others(places, card):
    places(places.home, "good")
    damaged = places(places.home, "damaged", created="2027-01-01T00:00:00+00:00")
    (damaged / "card.json").write_text(card)
    with pytest.warns(UserWarning, match="damaged holds no usable model"):
        assert Surrogate.load().name == "good"


def test_a_model_of_another_kind_is_refused(places):
    folder = places(places.home, "strange")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"kind": "splines"}))
    with pytest.raises(ModelNotFound, match="splines"):
        Surrogate.load()


# --- a new process --------------------------------------------------------------------------

COLD = """
import sys, time
started = time.perf_counter()
from backend.system import SlitSystem
from nanoconf.surrogate import Surrogate
peak = Surrogate.load(sys.argv[1]).predict(SlitSystem()).positive.peak_density
heavy = "tensorflow keras numba pandas pyarrow matplotlib IPython".split()
# not getrusage, which counts the process that this one was forked from
memory = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
seconds = time.perf_counter() - started
print(seconds, memory, peak, *(name for name in heavy if name in sys.modules))
"""


def test_the_first_prediction_of_a_process_is_light(trained, record_property):
    answer = subprocess.run(
        [sys.executable, "-c", COLD, str(trained)], capture_output=True, text=True, check=True
    )
    seconds, kilobytes, peak, *heavy = answer.stdout.split()
    record_property("cold_seconds", seconds)
    print(f"first prediction of a process after {float(seconds):.2f} s")
    assert heavy == []
    assert float(peak) > 0
    assert int(kilobytes) < 200_000
    assert float(seconds) < 10  # 0.5 s on an idle machine; importing TensorFlow alone takes more
    assert answer.stderr == ""


# --- the model that ships -------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> Surrogate:
    if not list(package_models().glob("*/card.json")):
        pytest.skip(f"no model in {package_models()}: its promises are NOT checked")
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


def test_shipped_models_band_widens_toward_the_edge_of_its_domain_and_beyond(shipped):
    widths = [width_at(shipped, distance) for distance in (0.2, 0.6, 1.0, 1.1, 1.25, 1.5)]
    assert widths == sorted(widths)
    assert widths[-1] > 2 * widths[0]


def test_shipped_model_covers_the_papers_ranges(shipped):
    ranges = {name: (allowed.low, allowed.high) for name, allowed in shipped.domain.items()}
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


def test_shipped_model_keeps_the_number_of_ions_and_gives_no_nonsense(shipped):
    for prediction in predictions(shipped):
        for species in SPECIES:
            found: DensityProfile = getattr(prediction, species)
            wall = boltzmann_factor(prediction.system, species, found.z)
            mean = mean_density(prediction.system, species)
            assert found.mean_density == pytest.approx(mean, rel=1e-5)
            assert found.density.min() == 0.0
            assert (found.density[wall < 1e-6] == 0.0).all()
            assert (found.error[wall > 0.5] > 0.0).all()


def test_shipped_model_is_as_good_as_its_card_says(shipped):
    folder = package_models().parent / "data" / "validation"
    if not (folder / dataset.FILE).is_file():
        pytest.skip(f"no data in {folder}: the metrics of the shipped model are NOT checked")
    simulations = Simulations.load(folder)
    assert simulations.sha256 == shipped.card.data.validation.sha256, "train it again"
    found = evaluate(shipped, simulations, seen_too=True)
    assert found["typical_error"] == pytest.approx(shipped.typical_error, rel=1e-3)
    assert shipped.typical_error < 0.01


# --- published results, where they are at hand ----------------------------------------------


def test_shipped_model_agrees_with_the_published_network(shipped):
    """Positive ions; the published network is about 1 % low against its own simulations."""
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
    assert np.median(deviations) < 0.04


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
        assert difference < 0.03
