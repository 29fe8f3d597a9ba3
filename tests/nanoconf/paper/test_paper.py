"""The paper's network, tables and figures."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from backend.files import write_json
from backend.profiles.bins import HALF, bin_centres
from backend.profiles.bins import HALF as FULL_BINS
from backend.system import SPECIES, InvalidInput, SlitSystem
from backend.walls import boltzmann_factor
from nanoconf.cli import main as cli
from nanoconf.data import dataset
from nanoconf.data.published import KEPT_OUT, SYSTEMS, TRENDS
from nanoconf.paper import accuracy, grid_search, speed_up
from nanoconf.paper import profile_figures as profiles
from nanoconf.paper import published_network as network
from nanoconf.paper.grid_search import GRID, search
from nanoconf.paper.histograms import Histograms
from nanoconf.paper.network_training import Task, fit, train
from nanoconf.paper.published_network import (
    INPUTS,
    PAPER,
    Hyperparameters,
    PaperNetwork,
    adam,
    scaled_network,
)
from nanoconf.paper.report import tidy
from nanoconf.paper.speed_up import Times
from nanoconf.surrogate import domain
from nanoconf.surrogate.domain import mean_density
from nanoconf.surrogate.simulations import Simulations, system_key

BLOCKS = 8
SECONDS = 3.0
TEST_SYSTEMS = 30
SMALL = (
    Hyperparameters((16, 8), 1e-3, 10, 0.0),
    Hyperparameters((16, 8), 1e-3, 10, 0.3),
    Hyperparameters((16, 8), 1e-4, 10, 0.0),
)


# --- small data sets from an analytic profile -----------------------------------------------


def density_at(system: SlitSystem, species: str, z: np.ndarray) -> np.ndarray:
    """Analytic density (M) with the engine's soft wall and a layer next to it."""
    depth = system.contact_planes[0] - np.abs(z)
    layers = 1 + 0.3 * np.exp(-3 * depth) * np.cos(4 * depth) / system.positive_valency
    return layers * boltzmann_factor(system, species, z) * mean_density(system, species)


def exact(system: SlitSystem, species: str = "positive") -> np.ndarray:
    """Analytic density (M) in the bins of the left half, shape (150,)."""
    return density_at(system, species, bin_centres(system)[:HALF])


def exact_prediction(systems) -> np.ndarray:
    """Predict the analytic density."""
    return np.array([exact(system) for system in systems])


def random_systems(count: int, seed: int = 5) -> list[SlitSystem]:
    random = np.random.default_rng(seed)
    return [
        SlitSystem(h, 1 + number % 3, -1, c, d)
        for number, (h, c, d) in enumerate(
            random.uniform((3.0, 0.3, 0.5), (4.0, 0.9, 0.75), (count, 3))
        )
    ]


def save(folder: Path, systems: list[SlitSystem], relative_error: float = 0.005) -> Path:
    """Write a data set of systems."""
    random = np.random.default_rng(3)
    rows = []
    for number, system in enumerate(systems):
        for species in SPECIES:
            density = exact(system, species)
            error = relative_error * density
            rows.append(
                dict.fromkeys(dataset.columns())
                | system.to_dict()
                | {
                    "system": number,
                    "species": species,
                    "seed": 1,
                    "inputs_hash": "",
                    "seconds": SECONDS,
                    "simulated_ns": 5.0,
                    "density": density + error * random.normal(size=HALF),
                    "error": error,
                }
            )
    dataset.save(folder, rows, {})
    return folder


def add_histograms(folder: Path, blocks: int = BLOCKS) -> None:
    """Add histograms to a data set: means of blocks that scatter about the exact density."""
    random = np.random.default_rng(4)
    frame = pandas.read_parquet(folder / dataset.FILE)
    histograms, errors = [], []
    for row in frame.to_dict("records"):
        true = exact(SlitSystem(**{name: row[name] for name in INPUTS}), row["species"])
        block = true * (1 + 0.05 * random.normal(size=(blocks, HALF)))
        histograms.append(block.mean(axis=0))
        errors.append(block.std(axis=0, ddof=1) / np.sqrt(blocks))
    frame["histogram"], frame["histogram_error"], frame["blocks"] = histograms, errors, blocks
    rewrite(folder, frame)


def rewrite(folder: Path, frame: pandas.DataFrame) -> None:
    """Replace the rows of a data set."""
    frame.to_parquet(folder / dataset.FILE)
    digest = hashlib.sha256((folder / dataset.FILE).read_bytes()).hexdigest()
    card = dataset.load_card(folder) | {"sha256": {dataset.FILE: digest}}
    write_json(folder / dataset.CARD, card)


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    """Training data, including the published systems."""
    return save(tmp_path_factory.mktemp("grid"), [*random_systems(60), *KEPT_OUT])


@pytest.fixture(scope="module")
def histogram_folder(tmp_path_factory) -> Path:
    """Test systems and the published systems, with histograms."""
    systems = [*random_systems(TEST_SYSTEMS, seed=8), *KEPT_OUT]
    folder = save(tmp_path_factory.mktemp("histograms"), systems)
    add_histograms(folder)
    return folder


@pytest.fixture(scope="module")
def trained(grid, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("networks") / "paper"
    train(grid, folder, epochs=30, seed=2, progress=False)
    return folder


def run(*arguments: object) -> int:
    return cli.main(["paper", *map(str, arguments)])


# --- the network ----------------------------------------------------------------------------


def test_the_network_has_the_architecture_of_the_paper():
    network = scaled_network(5, 150, seed=1)
    layers = [layer.get_config() for layer in network.layers]
    assert [type(layer).__name__ for layer in network.layers] == [
        *("Dense", "Dropout"),
        *("Dense", "Dropout"),
        "Dense",
    ]
    assert [layer["units"] for layer in layers[::2]] == [512, 256, 150]
    assert [layer["activation"] for layer in layers[::2]] == ["relu", "sigmoid", "linear"]
    assert [layer["rate"] for layer in layers[1::2]] == [0.15, 0.15]
    assert {layer["kernel_initializer"]["class_name"] for layer in layers[::2]} == {"GlorotUniform"}
    assert network.count_params() == (5 + 1) * 512 + (512 + 1) * 256 + (256 + 1) * 150
    assert type(adam()).__name__ == "Adam"
    assert float(adam().learning_rate.numpy()) == pytest.approx(1e-4)
    assert PAPER.batch_size == 25
    assert Hyperparameters.from_dict(json.loads(json.dumps(PAPER.to_dict()))) == PAPER


def test_an_epoch_uses_the_papers_batch_size(grid, monkeypatch):
    used = []
    monkeypatch.setattr(network, "adam", lambda chosen: used.append(adam(chosen)) or used[-1])
    task = Task.of(Simulations.load(grid), seed=1)
    fit(task, epochs=3, seed=1)
    assert int(used[0].iterations.numpy()) == 3 * np.ceil(len(task.training) / 25)
    assert float(used[0].learning_rate.numpy()) == pytest.approx(1e-4)


def test_scaling_maps_columns_to_the_unit_interval_and_constants_to_zero(grid):
    task = Task.of(Simulations.load(grid), seed=1)
    assert not np.ptp(task.inputs, axis=0).all()  # z₋ is constant
    for scaled, values in zip(task.scaled(task.training), (task.inputs, task.outputs), strict=True):
        training = values[task.training]
        low, span = training.min(axis=0), np.ptp(training, axis=0)
        constant = span < 1e-14  # scikit-learn's threshold; bins behind the walls are below it
        assert (np.abs(scaled[:, constant]) < 1e-14).all()
        expected = (training - low) / np.where(constant, 1, span)
        np.testing.assert_allclose(scaled, expected, rtol=0, atol=1e-12)


def test_the_saved_network_includes_the_scaling(grid, tmp_path):
    task = Task.of(Simulations.load(grid), seed=2)
    fitted = fit(task, epochs=5, seed=2)
    inputs, _ = task.scaled(task.test)
    scaled = np.asarray(fitted.network(inputs.astype(np.float32), training=False))
    expected = task.scale_outputs.inverse_transform(scaled.astype(float))
    train(grid, tmp_path, epochs=5, seed=2, progress=False)
    found = PaperNetwork.load(tmp_path)([task.data.systems[row] for row in task.test])
    assert found == pytest.approx(expected, abs=1e-5)


def test_outputs_are_raw_densities_of_positive_ions(grid):
    data = Simulations.load(grid)
    task = Task.of(data, seed=1)
    assert np.array_equal(task.outputs, data.density["positive"])
    _, scaled = task.scaled(task.training)
    assert (scaled.min(), scaled.max()) == pytest.approx((0, 1), abs=1e-12)


# --- training -------------------------------------------------------------------------------


def test_the_published_systems_are_excluded_from_training_and_test(grid):
    data = Simulations.load(grid)
    published = {system_key(system) for system in KEPT_OUT}
    assert published <= set(data.keys)
    for seed in range(5):
        task = Task.of(data, seed)
        training, test = task.keys(task.training), task.keys(task.test)
        assert not published & {*training, *test}
        assert not set(training) & set(test)
        assert len(training) + len(test) == 60
        assert len(test) == 12


def test_training_is_reproducible_from_the_seed(grid):
    task = Task.of(Simulations.load(grid), seed=1)
    first, again, other = (fit(task, 3, seed) for seed in (1, 1, 2))
    assert first.training_loss == again.training_loss
    assert first.validation_loss == again.validation_loss
    for one, two in zip(first.network.get_weights(), again.network.get_weights(), strict=True):
        assert np.array_equal(one, two)
    assert first.training_loss != other.training_loss


def test_training_reduces_the_loss_and_the_card_records_it(trained, grid):
    card = json.loads((trained / "card.json").read_text())
    training = card["training"]
    assert training["curves"]["epoch"][-1] == training["epochs"] == 30
    assert training["validation_loss"] < 0.3 * training["curves"]["validation_loss"][0]
    assert training["curves"]["validation_loss"][-1] == training["validation_loss"]
    assert training["seconds"] > 0
    assert training["cpu_seconds"] > 0
    assert card["data"]["sha256"] == Simulations.load(grid).sha256
    assert not {system_key(s) for s in KEPT_OUT} & {*card["systems"]["training"]}


def test_unsuitable_training_data_are_refused(tmp_path):
    few = save(tmp_path / "few", [*random_systems(2), *KEPT_OUT])
    with pytest.raises(InvalidInput, match="too few"):
        train(few, tmp_path / "network", epochs=1, progress=False)
    warm = [*random_systems(10), SlitSystem(temperature=310.0)]
    with pytest.raises(InvalidInput, match="temperature"):
        train(save(tmp_path / "warm", warm), tmp_path / "network", epochs=1, progress=False)
    assert not (tmp_path / "network").exists()


def test_a_system_that_the_inputs_do_not_describe_is_refused(trained):
    network = PaperNetwork.load(trained)
    assert network([SlitSystem()]).shape == (1, HALF)
    with pytest.raises(InvalidInput, match="wall"):
        network([SlitSystem(wall="plane")])
    with pytest.raises(InvalidInput, match="negative_diameter"):
        network([SlitSystem(negative_diameter=0.6)])


def test_the_papers_network_ignores_additional_inputs_of_the_surrogate(
    trained, grid, histogram_folder, tmp_path, monkeypatch
):
    histograms = Histograms.load(histogram_folder)
    references = accuracy.references_of([Simulations.load(histogram_folder)])
    expected = accuracy.evaluate(exact_prediction, histograms, references)
    monkeypatch.setattr(domain, "INPUTS", (*domain.INPUTS, "temperature"))
    seen = Simulations.load(histogram_folder).keys
    assert seen[0].endswith(" 298")
    train(grid, tmp_path / "again", epochs=30, seed=2, progress=False)
    before, now = (json.loads((f / "card.json").read_text()) for f in (trained, tmp_path / "again"))
    for name in ("inputs", "systems"):
        assert now[name] == before[name]
    assert len(now["inputs"]) == 5
    one, two = (PaperNetwork.load(f)(KEPT_OUT) for f in (trained, tmp_path / "again"))
    assert np.array_equal(one, two)
    assert (
        accuracy.evaluate(exact_prediction, Histograms.load(histogram_folder), references)
        == expected
    )
    with pytest.raises(InvalidInput, match="no test system"):
        accuracy.evaluate(exact_prediction, histograms, references, seen)


# --- grid search ----------------------------------------------------------------------------


def test_the_grid_contains_the_papers_choice():
    assert PAPER in GRID
    assert len(set(GRID)) == len(GRID) == 36


@pytest.mark.long
def test_an_interrupted_search_resumes(grid, tmp_path, monkeypatch):
    calls: list[tuple[Hyperparameters, int]] = []

    def counted(task, epochs, seed, chosen, after_epoch):
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        calls.append((chosen, epochs))
        return fit(task, epochs, seed, chosen, after_epoch)

    monkeypatch.setattr(grid_search, "fit", counted)
    options = {"epochs": 3, "full_epochs": 6, "grid": SMALL, "progress": False}
    stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        search(grid, tmp_path, **options)
    stop_at = -1
    found = search(grid, tmp_path, **options)
    assert calls[: len(SMALL)] == [(chosen, 3) for chosen in SMALL]  # each trained once
    assert [epochs for _, epochs in calls[len(SMALL) :]] == [6, 6, 6]
    calls.clear()
    assert search(grid, tmp_path, **options) == found
    assert calls == []
    losses = [result["validation_loss"] for result in found["combinations"]]
    assert losses == sorted(losses)
    assert {result["epochs"] for result in found["best"]} == {6}


def test_search_results_equal_those_of_separate_training(grid, tmp_path):
    found = search(grid, tmp_path, epochs=2, full_epochs=2, grid=SMALL[1:2], progress=False)
    alone = fit(Task.of(Simulations.load(grid), seed=1), 2, 1, SMALL[1])
    assert found["combinations"][0]["validation_loss"] == tidy(alone.validation_loss[-1])
    assert found["best"] == found["combinations"]


def test_a_search_never_reuses_results_for_other_data_epochs_or_seeds(grid, tmp_path):
    options = {"full_epochs": 1, "grid": SMALL[:1], "progress": False}
    one = search(grid, tmp_path, epochs=1, seed=1, **options)
    other_seed = search(grid, tmp_path, epochs=1, seed=2, **options)
    longer = search(grid, tmp_path, epochs=3, seed=1, **options)
    other_grid = save(tmp_path / "data", random_systems(40, seed=9))
    other_data = search(other_grid, tmp_path, epochs=1, seed=1, **options)
    losses = {r["combinations"][0]["validation_loss"] for r in (one, other_seed, longer)}
    assert len(losses | {other_data["combinations"][0]["validation_loss"]}) == 4


# --- the success rate -----------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [3, 5, 10])
def test_the_success_rate_of_an_exact_prediction_equals_the_ceiling(blocks):
    """Monte Carlo experiment with many histograms of known exact density."""
    random = np.random.default_rng(blocks)
    systems = random_systems(400)
    true = exact_prediction(systems)
    samples = true[:, None] * (1 + 0.03 * random.normal(size=(len(systems), blocks, HALF)))
    histograms = Histograms(
        systems,
        samples.mean(axis=1),
        samples.std(axis=1, ddof=1) / np.sqrt(blocks),
        np.full(len(systems), blocks),
        np.full(len(systems), 5.0),
    )
    found = accuracy.evaluate(exact_prediction, histograms, {})
    for k in accuracy.STANDARD_ERRORS:
        success = found["A"][f"{k:g}"]
        assert success["value"] == pytest.approx(success["ceiling"], abs=0.008)


def test_the_ceiling_follows_students_t_distribution():
    assert accuracy.ceiling(10, 1.96) == pytest.approx(0.918, abs=5e-4)
    assert accuracy.ceiling(2, 1.0) == pytest.approx(0.5)  # Cauchy
    assert accuracy.ceiling(10**6, 1.96) == pytest.approx(0.95, abs=1e-4)


def test_the_success_rate_counts_only_accessible_bins(histogram_folder):
    histograms = Histograms.load(histogram_folder)
    found = accuracy.evaluate(exact_prediction, histograms, {})
    assert found["test_systems"] == TEST_SYSTEMS
    assert set(found["systems"]) == {*SYSTEMS, *TRENDS}
    systems = np.array(found["bins"]["systems"])
    assert systems[0] == 0
    assert systems[-1] == TEST_SYSTEMS
    in_bins = found["A"]["1"]["A_n"]
    assert [value is None for value in in_bins] == (systems == 0).tolist()
    counted = [value for value in in_bins if value is not None]
    mean = np.average(counted, weights=systems[systems > 0])
    assert mean == pytest.approx(found["A"]["1"]["value"], abs=1e-4)


def test_a_biased_prediction_succeeds_less_often_and_its_error_is_reported(histogram_folder):
    histograms = Histograms.load(histogram_folder)
    references = accuracy.references_of([Simulations.load(histogram_folder)])
    right = accuracy.evaluate(exact_prediction, histograms, references)
    wrong = accuracy.evaluate(
        lambda systems: 1.05 * exact_prediction(systems), histograms, references
    )
    for k in ("1", "1.96", "3"):
        assert wrong["A"][k]["value"] < right["A"][k]["value"] - 0.1
        assert wrong["systems"]["III"]["A"][k]["value"] < right["systems"]["III"]["A"][k]["value"]
    assert wrong["error"]["beyond_noise"] == pytest.approx(0.05, rel=0.05)
    assert right["error"]["observed"] == pytest.approx(right["error"]["noise"], rel=0.2)


def test_training_systems_are_not_counted(histogram_folder):
    histograms = Histograms.load(histogram_folder)
    found = accuracy.evaluate(exact_prediction, histograms, {}, seen=histograms.keys[:7])
    assert found["test_systems"] == TEST_SYSTEMS - 7
    with pytest.raises(InvalidInput, match="no test system"):
        accuracy.evaluate(exact_prediction, histograms, {}, seen=histograms.keys)


def test_the_most_precise_of_repeated_runs_is_the_reference(tmp_path):
    systems = random_systems(3)
    rough = Simulations.load(save(tmp_path / "rough", systems, 0.02))
    fine = Simulations.load(save(tmp_path / "fine", systems, 0.001))
    for order in ((rough, fine), (fine, rough)):
        found = accuracy.references_of(order)
        for row, key in enumerate(fine.keys):
            assert np.array_equal(found[key][0], fine.density["positive"][row])


def test_data_without_histograms_are_refused(grid, tmp_path):
    with pytest.raises(InvalidInput, match="no histograms"):
        Histograms.load(grid)
    folder = save(tmp_path, random_systems(2))
    frame = pandas.read_parquet(folder / dataset.FILE)
    for name in ("histogram", "histogram_error", "blocks"):
        frame[name] = None
    rewrite(folder, frame)
    with pytest.raises(InvalidInput, match="no histograms"):
        Histograms.load(folder)


# --- profiles -------------------------------------------------------------------------------


def test_the_papers_systems_are_compared(histogram_folder):
    data = Simulations.load(histogram_folder)
    found = profiles.compare(lambda systems: 1.02 * exact_prediction(systems), data)
    assert set(found) == {*SYSTEMS, *TRENDS}
    for one in found.values():
        assert one.deviation["beyond_noise"] == pytest.approx(0.02, rel=0.1)
        points = one.points()
        for name in ("contact", "peak", "mid"):
            assert points["network"][name] == pytest.approx(1.02 * points["md"][name], rel=0.03)


def test_data_without_a_published_system_are_refused(tmp_path):
    data = Simulations.load(save(tmp_path, [*random_systems(2), *KEPT_OUT[1:]]))
    with pytest.raises(InvalidInput, match="lacks system I "):
        profiles.compare(exact_prediction, data)


def write_published(path: Path, factor: float) -> Path:
    """Write a file in the published format: 0.013 nm bins and an extra point at contact."""
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(profiles.PUBLISHED_COLUMNS)
        for name, system in SYSTEMS.items():
            h, d = system.confinement_length, system.positive_diameter
            inputs = (h, system.positive_valency, -1, system.salt_concentration, d)
            z = -h / 2 + 0.013 * (np.arange(int(h / 2 / 0.013)) + 0.5)
            points = z[:, None] + 0.013 * ((np.arange(50) + 0.5) / 50 - 0.5)
            density = factor * density_at(system, "positive", points).mean(axis=1)
            for row in [*zip(z, density, strict=True), (-(h - d) / 2, 9.9)]:
                writer.writerow([f"paper_{name}", *inputs, *row])
    return path


def test_published_curves_are_compared_in_their_own_bins(histogram_folder, tmp_path):
    published = profiles.read_published(write_published(tmp_path / "published.csv", 1.03))
    found = profiles.compare(exact_prediction, Simulations.load(histogram_folder), published)
    for name in SYSTEMS:
        assert found[name].published_error == pytest.approx(0.03, rel=0.1)
        stored = found[name].to_dict()
        assert [key for key in stored if "published" in key] == ["published_error"]
    assert all(found[name].published_error is None for name in TRENDS)
    (tmp_path / "no.csv").write_text("case,h\nI,3\n")
    with pytest.raises(InvalidInput, match="published"):
        profiles.read_published(tmp_path / "no.csv")


def test_rebinning_conserves_the_number_of_ions():
    system = SYSTEMS["I"]
    density = exact(system)
    z = bin_centres(system)[:HALF]
    assert profiles.rebinned(system, density, z) == pytest.approx(density, abs=1e-9)
    width = system.confinement_length / FULL_BINS
    coarse = profiles.rebinned(system, density, z.reshape(50, 3)[:, 1])
    assert coarse == pytest.approx(density.reshape(50, 3).mean(axis=1), abs=1e-9)
    assert coarse.sum() * 3 * width == pytest.approx(density.sum() * width)


# --- speed-up -------------------------------------------------------------------------------

TIMES = Times(sequential=100.0, training=20.0, learning=5.0, lookup=0.01, simulations=1000)
SLOW_TRAINING = Times(sequential=100.0, training=100.0, learning=5.0, lookup=0.01, simulations=1000)


def test_limiting_values_of_the_speedup():
    assert TIMES.speed_up(0) == pytest.approx(100 / (20 + 5))
    assert TIMES.speed_up(1e15) == pytest.approx(100 / 0.01)
    assert TIMES.limit == pytest.approx(100 / 0.01)
    assert TIMES.speed_up_of_predictions(0) == 0
    assert TIMES.speed_up_of_predictions(1e15) == pytest.approx(100 / 0.01)
    assert TIMES.speed_up(2000) == pytest.approx(100 * 3000 / (20 + 25 * 1000))


def test_the_break_even_point_is_where_the_speedup_is_one():
    assert TIMES.break_even == 0
    assert SLOW_TRAINING.break_even > 0
    assert SLOW_TRAINING.speed_up(SLOW_TRAINING.break_even) == pytest.approx(1)
    for times in (TIMES, SLOW_TRAINING):
        even = times.break_even_of_predictions
        assert times.speed_up_of_predictions(even) == pytest.approx(1)
    useless = Times(sequential=1.0, training=1.0, learning=1.0, lookup=2.0, simulations=10)
    assert useless.break_even == float("inf")


def test_times_come_from_the_data_and_the_card(grid, trained):
    network = PaperNetwork.load(trained)
    cores = [{"speed_up": 1.0}, {"speed_up": 1.9}]
    times = speed_up.measured_times(grid, network, cores)
    assert times.sequential == pytest.approx(SECONDS)
    assert times.training == pytest.approx(SECONDS / 1.9)
    assert times.simulations == 60
    assert times.learning * 60 == pytest.approx(network.card["training"]["seconds"])
    assert times.lookup > 0
    assert speed_up.measured_times(grid, network, []).training == pytest.approx(SECONDS)


def test_scaling_with_the_number_of_cores(tmp_path):
    file = tmp_path / "scaling.json"
    assert speed_up.scaling(file) == []
    measured = [{"cores": 2, "seconds": 5.0}, {"cores": 1, "seconds": 8.0}]
    file.write_text(json.dumps({"cores": measured}))
    one, two = speed_up.scaling(file)
    assert (one["speed_up"], one["efficiency"]) == (1.0, 1.0)
    assert (two["speed_up"], two["efficiency"]) == (1.6, 0.8)
    file.write_text("{}")
    with pytest.raises(InvalidInput, match="scaling"):
        speed_up.scaling(file)


# --- the command line -----------------------------------------------------------------------


def results(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_train_writes_the_network_with_its_figure_and_metrics(grid, tmp_path, capsys):
    arguments = ("--data", grid, "--results", tmp_path / "results")
    assert run("train", *arguments, "--epochs", 2, "-o", tmp_path / "network") == 0
    assert "validation loss" in capsys.readouterr().out
    assert results(tmp_path / "results") == {"paper-training.png", "paper-training.json"}
    assert results(tmp_path / "network") == {"network.keras", "card.json"}


def test_grid_search_marks_the_papers_choice(grid, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(search, "__kwdefaults__", search.__kwdefaults__ | {"grid": (PAPER,)})
    options = ("--data", grid, "--results", tmp_path / "results", "-o", tmp_path / "search")
    assert run("grid-search", *options, "--epochs", 1, "--full-epochs", 2) == 0
    assert "paper's choice" in capsys.readouterr().out
    stored = json.loads((tmp_path / "results" / "paper-grid-search.json").read_text())
    assert "curves" in stored["best"][0]
    assert "curves" not in stored["combinations"][0]


@pytest.mark.parametrize("verb", ["accuracy", "profiles", "speed-up"])
def test_evaluation_commands_print_tables_and_write_figures(
    verb, trained, histogram_folder, tmp_path, capsys
):
    options = {
        "accuracy": ["--reference"],
        "profiles": ["--published", write_published(tmp_path / "published.csv", 1.03)],
        "speed-up": ["--scaling", tmp_path / "none.json"],
    }[verb]
    folder = tmp_path / "results"
    arguments = ("--data", histogram_folder, "--results", folder, "--network", trained)
    assert run(verb, *arguments, *options) == 0
    assert len(capsys.readouterr().out.splitlines()) > 10
    pictures = {"profiles": ["paper-profiles.png", "paper-trends.png"]}
    expected = {*pictures.get(verb, [f"paper-{verb}.png"]), f"paper-{verb}.json"}
    assert results(folder) == expected
    for name in expected:
        assert (folder / name).stat().st_size > 500


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("train", "--epochs", "0", "-o", "network"), "epochs = 0"),
        (("train", "--data", "nowhere", "-o", "network"), "data = nowhere"),
        (("accuracy", "--data", "nowhere"), "data = nowhere"),
        (("accuracy", "--network", "nowhere"), "network = nowhere"),
        (("speed-up", "--network", "nowhere"), "network = nowhere"),
    ],
)
def test_bad_input_prints_one_line(arguments, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1
