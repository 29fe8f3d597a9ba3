"""The surrogate: training it, asking it, judging it, finding it."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from backend.md.walls import boltzmann_factor
from backend.profiles import BINS, SPECIES, DensityProfile, bin_centres, bin_edges
from backend.system import InvalidInput, SlitSystem
from nanoconf import dataset
from nanoconf.surrogate import ExtrapolationWarning, Surrogate
from nanoconf.surrogate import registry as registry_module
from nanoconf.surrogate.data import Simulations, system_key
from nanoconf.surrogate.domain import INPUTS, Domain, mean_density
from nanoconf.surrogate.evaluation import evaluate, format_report, unseen
from nanoconf.surrogate.model import HALF, Prediction
from nanoconf.surrogate.network import MinMax, scaled_network
from nanoconf.surrogate.registry import ModelNotFound, models, package_models
from nanoconf.surrogate.training import fit_network, split_systems, train
from nanoconf.surrogate.uncertainty import expected_error, measured_error
from tests.reference import published

EPOCHS = 40
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
                    dict.fromkeys(dataset.COLUMNS, 0)
                    | system.to_dict()
                    | {
                        "system": number,
                        "species": species,
                        "seed": seed,
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


class Answers:
    """Stands for a network: gives what it was told, row by row."""

    def __init__(self, rows: np.ndarray):
        self.rows = rows

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return self.rows[: len(inputs)].astype(np.float32)


# --- network and training -------------------------------------------------------------------


def test_the_network_is_the_papers():
    network = scaled_network(5, 150, seed=1)
    layers = [layer.get_config() for layer in network.layers]
    assert [layer.get("units", layer.get("rate")) for layer in layers] == [
        512,
        0.15,
        256,
        0.15,
        150,
    ]
    assert [layer.get("activation") for layer in layers[::2]] == ["relu", "sigmoid", "linear"]
    assert {layer["kernel_initializer"]["class_name"] for layer in layers[::2]} == {"GlorotUniform"}
    assert network.count_params() == (5 + 1) * 512 + (512 + 1) * 256 + (256 + 1) * 150


def test_a_seed_gives_the_initial_weights():
    first, again, other = (scaled_network(5, 150, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_min_max_scaling_bears_a_constant_column():
    values = np.array([[1.0, -1.0], [3.0, -1.0], [2.0, -1.0]])
    scaled = MinMax.of(values).scaled(values)
    assert np.array_equal(scaled, [[0, 0], [1, 0], [0.5, 0]])


def test_the_split_keeps_the_runs_of_a_system_together(data):
    split = split_systems(data.systems, data.keys, 5, 0.2, 0.1)
    parts = [split.training, split.validation, split.test]
    assert sorted(np.concatenate(parts)) == list(range(len(data)))
    assert len(data) == 65
    keys = [{data.keys[row] for row in part} for part in parts]
    assert sum(len(part) for part in keys) == len(set(data.keys)) == 60
    assert [len(part) for part in keys] == [42, 6, 12]
    for part in parts:
        assert {data.systems[row].positive_valency for row in part} == {1, 2, 3}


def test_the_seed_decides_the_split(data):
    first, again, other = (
        split_systems(data.systems, data.keys, seed, 0.2, 0.1).test.tolist() for seed in (5, 5, 6)
    )
    assert first == again != other


def test_a_model_folder_is_whole_and_says_what_it_is(trained, data):
    files = {f"{species}.{kind}" for species in SPECIES for kind in ("keras", "tflite")}
    assert {path.name for path in trained.iterdir()} == files | {"card.json"}
    assert [path.name for path in trained.parent.iterdir()] == ["first"]
    card = json.loads((trained / "card.json").read_text())
    assert card["name"] == "first"
    assert card["data"] == {"sha256": data.sha256, "simulations": 65}
    assert card["training"]["seed"] == 3
    assert set(card["systems"]["test"]).isdisjoint(card["systems"]["training"])
    assert {"tensorflow", "keras", "ai-edge-litert"} < set(card["packages"])


def test_training_lowers_the_loss(model):
    for species in SPECIES:
        curves = model.card["training"][species]
        assert curves["epoch"][0] == 1
        assert curves["epoch"][-1] == EPOCHS
        assert curves["validation_loss"][-1] < 0.5 * curves["validation_loss"][0]
        assert curves["training_loss"][-1] < 0.5 * curves["training_loss"][0]


def test_the_same_seed_gives_the_same_network():
    random = np.random.default_rng(0)
    x, y = random.random((60, 5)), random.random((60, 150))

    def weights(seed: int) -> list[np.ndarray]:
        return fit_network((x[:50], y[:50]), (x[50:], y[50:]), 4, seed).network.get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[-1], other[-1])


def test_the_best_epochs_weights_are_kept():
    """The validation outputs contradict what is learnt, so the first epochs are the best."""
    random = np.random.default_rng(0)
    x = random.random((60, 5))
    y = np.full((60, 150), 1.0)
    fit = fit_network((x, y), (x, np.zeros_like(y)), 30, seed=1)
    assert fit.best_epoch < 5
    assert len(fit.validation_loss) == 30
    kept = np.mean(np.asarray(fit.network(x.astype("float32"), training=False)) ** 2)
    assert kept == pytest.approx(fit.validation_loss[fit.best_epoch - 1], rel=1e-4)
    assert kept < 0.5 * fit.validation_loss[-1]


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


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"test_fraction": 1.0}])
def test_settings_that_make_no_sense_are_refused(data_folder, tmp_path, wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        train(data_folder, tmp_path / "model", **wrong, progress=False, background=False)


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


def test_no_density_is_negative_or_where_ions_cannot_be(model):
    below_zero = Answers(np.full((1, HALF), -0.01))
    everywhere = Answers(np.full((1, HALF), 0.5))
    system = SlitSystem()
    one = Surrogate(model.folder, model.card, {"positive": below_zero, "negative": everywhere})
    prediction = one.predict(system)
    assert prediction.positive.density.max() == 0.0
    wall = boltzmann_factor(system, "negative", prediction.negative.z)
    behind = np.flatnonzero(prediction.negative.density == 0.0)
    assert wall[behind].max() <= 1e-4
    assert 20 <= (behind < HALF).sum() <= 30  # h = 3 nm, d = 0.714 nm: about the first 0.25 nm
    assert (prediction.negative.error[behind] == 0.0).all()
    assert (prediction.negative.density[wall > 1e-4] == 0.5 * 0.5).all()  # of the mean, 0.5 M


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
    assert Domain.from_dict(json.loads(json.dumps(domain.to_dict()))) == domain


# --- what it is worth -----------------------------------------------------------------------


def test_the_error_is_the_deviation_at_that_distance_from_the_wall():
    systems = [SlitSystem(h, zp) for h in (3.0, 3.5, 4.0) for zp in (1, 2)]
    z = [bin_centres(system)[:HALF] for system in systems]

    def deviation(system: SlitSystem, species: str, sign: int) -> np.ndarray:
        depth = system.contact_planes[0] - np.abs(bin_centres(system)[:HALF])
        size = 0.01 if species == "positive" else 0.02
        return sign * size * system.positive_valency * mean_density(system, species) * (depth > 0.5)

    deviations = {
        species: [deviation(system, species, (-1) ** row) for row, system in enumerate(systems)]
        for species in SPECIES
    }
    table = json.loads(json.dumps(measured_error(systems, z, deviations)))
    system = SlitSystem(3.3, 2)
    centres = bin_centres(system)[:HALF]
    for species, size in (("positive", 0.02 * 0.25), ("negative", 0.04 * 0.5)):
        found = expected_error(table, system, species, centres)
        depth = system.contact_planes[0] - np.abs(centres)
        np.testing.assert_allclose(found[depth > 0.54], size, rtol=1e-3)
        np.testing.assert_array_equal(found[depth < 0.46], 0.0)


def exact(model: Surrogate, data: Simulations, standard_errors: float = 0.0) -> Surrogate:
    """A model whose answers are the simulations, or lie so many standard errors beside them."""
    rows = unseen(model, data)

    def answers(species: str) -> Answers:
        told = data.density[species] + standard_errors * data.error[species]
        return Answers((told / data.mean_densities(species)[:, None])[rows])

    return Surrogate(model.folder, model.card, {name: answers(name) for name in SPECIES})


@pytest.fixture(scope="module")
def positive_data(data) -> Simulations:
    """The data set with no density where ions cannot be, and none below zero."""
    density = {
        species: np.array(
            [
                np.where(profile(system, species) > 1e-2, values, 0.0)
                for system, values in zip(data.systems, data.density[species], strict=True)
            ]
        )
        for species in SPECIES
    }
    return Simulations(data.systems, density, data.error, data.sha256)


def test_the_exact_answer_has_no_error(model, positive_data):
    metrics = evaluate(exact(model, positive_data), positive_data)
    assert metrics["typical_error"] < 1e-6
    for species in SPECIES:
        found = metrics[species]["all"]
        assert [found["A"][k]["value"] for k in ("1", "1.96", "3")] == [1.0, 1.0, 1.0]
        for name in ("contact", "mid", "peak"):
            assert found[name]["worst"] < 1e-6


def test_success_counts_standard_errors(model, positive_data):
    metrics = evaluate(exact(model, positive_data, 2.0), positive_data)
    for species in SPECIES:
        found = metrics[species]["all"]
        assert found["A"]["1"]["value"] == found["A"]["1.96"]["value"] == 0.0
        assert found["A"]["3"]["value"] == 1.0
        assert found["error"]["median"] == pytest.approx(2 * found["noise"], rel=0.15)
    assert metrics["positive"]["all"]["A"]["1.96"]["ceiling"] == pytest.approx(0.95, abs=1e-3)


def test_a_model_is_judged_by_systems_it_never_saw(model, data):
    judged = {data.keys[row] for row in unseen(model, data)}
    assert judged == set(model.card["systems"]["test"])
    assert len(judged) == 12
    metrics = evaluate(model, data)
    assert metrics["systems"] == 12
    assert metrics["positive"]["all"]["profiles"] == metrics["negative"]["all"]["profiles"] >= 12
    assert set(metrics["positive"]) == {"all", "1:-1", "2:-1", "3:-1"}


def test_the_card_holds_the_metrics_of_the_files(trained, data_folder):
    card = json.loads((trained / "card.json").read_text())
    assert evaluate(trained, data_folder) == card["metrics"]
    json.dumps(card["metrics"], allow_nan=False)


def test_data_without_an_unseen_system_are_refused(model, data):
    rows = [row for row, key in enumerate(data.keys) if key in model.card["systems"]["training"]]
    seen = Simulations(
        [data.systems[row] for row in rows],
        {species: data.density[species][rows] for species in SPECIES},
        {species: data.error[species][rows] for species in SPECIES},
        data.sha256,
    )
    with pytest.raises(InvalidInput, match="took part in the training"):
        evaluate(model, seen)


def test_the_report_names_what_it_shows(model, data):
    report = format_report(evaluate(model, data))
    assert "12 systems that it never saw" in report
    assert "positive  3:-1" in report
    assert "A(k=1.96)" in report
    assert "0.683, 0.950, 0.997" in report
    assert max(map(len, report.splitlines())) <= 120


def test_the_key_of_a_system_is_its_five_inputs():
    assert system_key(SlitSystem(3.2, 1, -1, 0.6, 0.65)) == "3.2 1 -1 0.6 0.65"
    assert len(INPUTS) == 5


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
print(time.perf_counter() - started, peak, *(name for name in heavy if name in sys.modules))
"""


def test_the_first_prediction_of_a_process_is_light(trained, record_property):
    answer = subprocess.run(
        [sys.executable, "-c", COLD, str(trained)], capture_output=True, text=True, check=True
    )
    seconds, peak, *heavy = answer.stdout.split()
    record_property("cold_seconds", seconds)
    print(f"first prediction of a process after {float(seconds):.2f} s")
    assert heavy == []
    assert float(peak) > 0
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


def test_shipped_model_keeps_the_number_of_ions(shipped):
    deviation = [
        getattr(prediction, species).mean_density / mean_density(prediction.system, species) - 1
        for prediction in predictions(shipped)
        for species in SPECIES
    ]
    assert np.median(np.abs(deviation)) < 0.01
    assert np.abs(deviation).max() < 0.05


def test_shipped_model_gives_nothing_negative_and_nothing_in_the_wall(shipped):
    for prediction in predictions(shipped):
        for species in SPECIES:
            found: DensityProfile = getattr(prediction, species)
            wall = boltzmann_factor(prediction.system, species, found.z)
            assert found.density.min() >= 0.0
            assert (found.density[wall < 1e-4] == 0.0).all()
            assert (found.density[wall > 0.5] > 0.0).all()
            assert (found.error[wall > 0.5] > 0.0).all()


def test_shipped_model_treats_equal_ions_alike(shipped):
    for prediction in predictions(shipped):
        if prediction.system.positive_valency == 1:
            difference = prediction.positive.density - prediction.negative.density
            assert np.linalg.norm(difference) < 0.1 * np.linalg.norm(prediction.negative.density)


def test_shipped_model_is_as_good_as_its_card_says(shipped):
    folder = package_models().parent / "data" / "training"
    if not (folder / dataset.FILE).is_file():
        pytest.skip(f"no data in {folder}: the metrics of the shipped model are NOT checked")
    simulations = Simulations.load(folder)
    assert simulations.sha256 == shipped.card["data"]["sha256"], "train the model again: new data"
    assert evaluate(shipped, simulations) == shipped.card["metrics"]
    assert shipped.typical_error < 0.03


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
