"""The paper's regressors, and the baselines that predict whole profiles."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from backend.profiles.density import contact_density
from backend.system import SPECIES, InvalidInput, SlitSystem
from nanoconf.cli.compare import REGRESSORS
from nanoconf.cli.main import main
from nanoconf.data.plans import random_plan
from nanoconf.paper import compare as compare_module
from nanoconf.paper.compare import STANDARD_ERRORS, ceiling, compare, success_rate
from nanoconf.paper.points import POINTS, PointDensities, point_densities
from nanoconf.paper.published_network import Hyperparameters
from nanoconf.paper.regressors import NAMES, NeuralNetwork, regressor
from nanoconf.surrogate.baselines import (
    GaussianProcess,
    GridInterpolation,
    from_common,
    to_common,
)
from nanoconf.surrogate.domain import mean_density
from tests.support.analytic import half_profile, layers, simulations

FEW_FOLDS = 3
OTHERS = [name for name in NAMES if name != "ann"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    systems = [item.system for item in random_plan(90)]
    return simulations(tmp_path_factory.mktemp("data"), systems)


def with_few_folds(data, **options):
    """Compare the regressors with few folds, to save time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nanoconf.paper.compare.FOLDS", FEW_FOLDS)
        return compare(data, **options, progress=False)


@pytest.fixture(scope="module")
def comparison(data):
    return with_few_folds(data, epochs=3, fold_epochs=1)


# --- contact, midplane and peak densities ---------------------------------------------------


def test_point_densities_match_the_profile(data):
    points = point_densities(data)
    for row in (0, 1, 2):
        half = data.density["positive"][row]
        whole = np.append(half, half[::-1])
        contact = contact_density(data.systems[row], "positive", whole)
        assert points.density[row].tolist() == [contact, half[-1], half.max()]


def test_errors_of_points_are_interpolated_like_the_densities(data):
    """If every bin has a relative error of 1 %, so have contact, midplane and peak densities."""
    for species in SPECIES:
        points = point_densities(data, species)
        ratio = points.error / points.density
        assert np.abs(ratio - 0.01).max() < 5e-4  # the densities are noisy, their errors are not


# --- the regressors -------------------------------------------------------------------------


def parameters(name):
    return {
        key.rpartition("__")[2]: value
        for key, value in regressor(name).get_params().items()
        if not hasattr(value, "get_params")
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("polynomial", {"degree": 4}),
        ("kernel ridge", {"kernel": "rbf", "gamma": 0.1}),
        ("svr", {"kernel": "rbf", "gamma": 0.1, "C": 100.0, "epsilon": 0.1}),
        ("tree", {"max_depth": 4}),
        ("forest", {"n_estimators": 25, "max_depth": 4}),
    ],
)
def test_hyperparameters_are_those_of_the_paper(name, expected):
    assert expected.items() <= parameters(name).items()
    assert parameters(name)["feature_range"] == (0, 1)


def test_the_network_has_the_architecture_of_the_paper():
    network = regressor("ann", epochs=1).fit(
        np.random.default_rng(1).random((30, 5)), np.eye(30, 3)
    )
    found = [layer.get_config() for layer in network.network_.layers]
    units = [config.get("units", config.get("rate")) for config in found]
    assert units == [512, 0.15, 256, 0.15, 3]
    assert [config["activation"] for config in found[::2]] == ["relu", "sigmoid", "linear"]
    assert {config["kernel_initializer"]["class_name"] for config in found[::2]} == {
        "GlorotUniform"
    }
    assert (network.chosen.learning_rate, network.chosen.batch_size) == (1e-4, 25)


def network(epochs, dropout: float) -> NeuralNetwork:
    chosen = Hyperparameters(learning_rate=3e-3, dropout=dropout)
    return NeuralNetwork(epochs, 2, chosen=chosen)


def test_the_network_learns_and_is_reproducible_from_its_seed():
    random = np.random.default_rng(3)
    x = random.uniform(1, 3, (150, 2))
    y = np.column_stack([10 + x[:, 0] * x[:, 1], -x[:, 0]])
    first, again = (network(40, dropout=0.0).fit(x, y).predict(x) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.all(np.std(first - y, axis=0) < 0.2 * np.std(y, axis=0))


def test_every_regressor_fits_a_smooth_function(data):
    """Each explains at least 75 % of the variance."""
    random = np.random.default_rng(3)
    x = random.random((400, 5))
    y = np.column_stack([x[:, 0] + x[:, 1], x[:, 0] * x[:, 1], x[:, 2] ** 2])
    for name in OTHERS:
        fitted = regressor(name).fit(x[:300], y[:300])
        unexplained = np.var(fitted.predict(x[300:]) - y[300:]) / np.var(y[300:])
        assert unexplained < 0.25, name


# --- success --------------------------------------------------------------------------------


def test_an_exact_prediction_reaches_the_ceiling():
    random = np.random.default_rng(1)
    exact, error = random.uniform(1, 2, (20_000, 3)), np.full((20_000, 3), 0.05)
    truth = PointDensities(exact + error * random.normal(size=exact.shape), error)
    for k, rate in zip(STANDARD_ERRORS, (0.6827, 0.95, 0.9973), strict=True):
        assert math.isclose(ceiling(k), rate, abs_tol=1e-4)
        np.testing.assert_allclose(success_rate(exact, truth, k), rate, atol=0.01)


def test_wider_error_bars_raise_the_success_rate():
    truth = PointDensities(np.ones((4, 1)), np.full((4, 1), 0.1))
    prediction = np.array([[1.0], [1.15], [0.75], [2.0]])
    assert [success_rate(prediction, truth, k)[0] for k in (1, 2, 3)] == [0.25, 0.5, 0.75]


def test_a_regressor_that_can_represent_the_data_reaches_the_ceiling(tmp_path):
    systems = [item.system for item in random_plan(720)]
    data = simulations(tmp_path, systems, shape=lambda system, species, place: 1 + 0 * place)
    result = compare(data, without=[name for name in NAMES if name != "polynomial"], progress=False)
    assert len(result.held_out) == 216
    for k in STANDARD_ERRORS:
        np.testing.assert_allclose(result.success("polynomial", k), ceiling(k), atol=0.1)
    np.testing.assert_allclose(result.relative_error("polynomial"), 0.0067, rtol=0.25)


def test_thirty_percent_are_held_out_and_every_fold_is_scored(data, comparison):
    assert len(comparison.held_out) == 27
    for name in NAMES:
        assert comparison.trials[name].prediction.shape == (27, 3)
        assert comparison.trials[name].fold_mse.shape == (FEW_FOLDS, 3)


def test_predictions_do_not_depend_on_held_out_densities(data, comparison):
    changed = replace(data, density={s: rows.copy() for s, rows in data.density.items()})
    changed.density["positive"][comparison.held_out] *= 3
    again = with_few_folds(changed, without=["ann"])
    for name in OTHERS:
        predictions = (each.trials[name].prediction for each in (comparison, again))
        np.testing.assert_array_equal(*predictions)


def test_repeated_runs_of_a_system_stay_together(tmp_path):
    systems = [item.system for item in random_plan(30) for _ in range(2)]
    data = simulations(tmp_path, systems)
    held_out = compare(data, without=[n for n in NAMES if n != "tree"], progress=False).held_out
    keys = {data.keys[row] for row in held_out}
    assert len(keys) == 9 and len(held_out) == 18


def test_data_with_too_few_systems_are_refused(tmp_path):
    data = simulations(tmp_path, [item.system for item in random_plan(19)])
    with pytest.raises(InvalidInput, match="at least 20 systems"):
        compare(data, progress=False)


# --- the command ----------------------------------------------------------------------------


def test_the_command_line_offers_all_regressors():
    assert REGRESSORS == NAMES


def test_the_command_prints_and_writes_the_table_with_the_papers_values(data, tmp_path, capsys):
    folder = tmp_path / "results"
    command = ["compare", "--data", data.folder, "-o", str(folder)]
    assert main([*command, "--epochs", "2", "--fold-epochs", "1", "--without", "ann"]) == 0
    text = capsys.readouterr().out
    for numbers in ("61/61/62", "79/77/76", "80/80/82", "68/65/62", "74/71/75", "68/68/68"):
        assert numbers in text
    assert "96/92/95" not in text
    assert (folder / "parity.png").read_bytes().startswith(b"\x89PNG")
    values = json.loads((folder / "compare.json").read_text())
    assert list(values["regressors"]) == [name for name in NAMES if name != "ann"]
    assert values["epochs"] == {"held_out": 2, "folds": 1}
    assert values["folds"] == 20
    tree = values["regressors"]["tree"]
    assert tree["success_of_paper"] == {"contact": 0.68, "mid": 0.65, "peak": 0.62}
    assert tree["success"]["1"]["mid"] <= tree["success"]["1.96"]["mid"]
    assert set(tree["mse_M2"]) == set(POINTS)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["--epochs", "0"], "epochs = 0"),
        ([word for name in NAMES for word in ("--without", name)], "without"),
    ],
)
def test_bad_input_prints_one_line_and_writes_nothing(data, tmp_path, capsys, words, refusal):
    folder = tmp_path / "results"
    assert main(["compare", "--data", data.folder, "-o", str(folder), *words]) == 2
    error = capsys.readouterr().err
    assert refusal in error and error.count("\n") == 1
    assert not folder.exists()


@pytest.mark.long
def test_an_interrupted_comparison_resumes(data, tmp_path, monkeypatch):
    options = {"without": [name for name in NAMES if name not in ("tree", "ann")], "seed": 2}
    options |= {"epochs": 2, "fold_epochs": 1, "keep": tmp_path}
    first = with_few_folds(data, **options)
    stored = sorted(tmp_path.iterdir())
    assert len(stored) == 2 * (1 + FEW_FOLDS)
    stored[0].unlink()
    trained = []
    real = compare_module.regressor
    monkeypatch.setattr(compare_module, "regressor", lambda *a: trained.append(a[0]) or real(*a))
    again = with_few_folds(data, **options)
    assert len(trained) == 1
    for name, trial in first.trials.items():
        np.testing.assert_allclose(again.trials[name].prediction, trial.prediction, rtol=1e-5)
        np.testing.assert_allclose(again.trials[name].fold_mse, trial.fold_mse, rtol=1e-5)
    with_few_folds(data, **options | {"seed": 3})
    assert len(trained) == 1 + len(stored)


# --- baselines ------------------------------------------------------------------------------


def grid(points=4) -> list[SlitSystem]:
    axes = (
        np.linspace(3, 4, points),
        np.linspace(0.3, 0.9, points),
        np.linspace(0.5, 0.75, points),
    )
    return [
        SlitSystem(h, valency, -1, c, d)
        for valency in (1, 2)
        for h in axes[0].round(4).tolist()
        for c in axes[1].round(4).tolist()
        for d in axes[2].round(4).tolist()
    ]


def multilinear(system, species, place):
    """A function y that is linear in each of h, c and d."""
    h, c, d = system.confinement_length, system.salt_concentration, system.positive_diameter
    strength = (0.2 if species == "positive" else 0.4) + h * c * d - 0.3 * c + 0.1 * h * d
    return 2 + strength * np.cos(5 * np.minimum(place, 1))


def off_grid(count=12) -> list[SlitSystem]:
    plan = [item.system for item in random_plan(2 * count) if item.system.positive_valency < 3]
    return plan[:count]


def error_of(predicted, systems, shape) -> float:
    """Largest relative L2 error over systems and ions."""
    exact = {s: np.array([half_profile(system, s, shape) for system in systems]) for s in SPECIES}
    return max(
        float(
            np.max(
                np.linalg.norm(predicted[s] - exact[s], axis=1) / np.linalg.norm(exact[s], axis=1)
            )
        )
        for s in SPECIES
    )


def test_the_common_coordinate_preserves_profiles():
    for system in off_grid(4):
        for species in SPECIES:
            density = half_profile(system, species)
            again = from_common(system, species, to_common(system, species, density))
            np.testing.assert_allclose(again, density, atol=1e-3 * density.max())


def test_interpolation_is_exact_at_grid_points(tmp_path):
    systems = grid()
    fitted = GridInterpolation.fit(simulations(tmp_path, systems, layers, noise=0))
    assert error_of(fitted.predict(systems), systems, layers) < 5e-4
    assert fitted.filled == {(1, -1): 0, (2, -1): 0}


def test_interpolation_is_exact_for_multilinear_functions(tmp_path):
    data = simulations(tmp_path, grid(2), multilinear, noise=0, normed=False)
    systems = off_grid()
    assert error_of(GridInterpolation.fit(data).predict(systems), systems, multilinear) < 5e-4


def test_missing_points_are_filled_from_their_neighbours_and_counted(tmp_path):
    systems = grid()
    missing = [systems[0], systems[21], systems[64 + 42]]  # one at a corner, two inside
    simulated = [system for system in systems if system not in missing]
    fitted = GridInterpolation.fit(simulations(tmp_path, simulated, layers, noise=0))
    assert fitted.filled == {(1, -1): 2, (2, -1): 1}
    assert error_of(fitted.predict(missing), missing, layers) < 0.02
    assert error_of(fitted.predict(simulated), simulated, layers) < 5e-4


def test_data_that_do_not_form_a_grid_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="must lie on a grid"):
        GridInterpolation.fit(simulations(tmp_path, off_grid(80)))


@pytest.fixture(scope="module")
def baselines(tmp_path_factory):
    data = simulations(tmp_path_factory.mktemp("grid"), grid(), error=0.002)
    return {kind.__name__: kind.fit(data) for kind in (GridInterpolation, GaussianProcess)}


def test_baselines_beat_the_mean(baselines):
    systems = off_grid()
    mean = {
        species: np.mean([half_profile(system, species) for system in grid()], axis=0)[None]
        for species in SPECIES
    }
    by_mean = error_of(mean, systems, layers)
    assert (
        error_of(baselines["GridInterpolation"].predict(systems), systems, layers) < 0.1 * by_mean
    )
    assert error_of(baselines["GaussianProcess"].predict(systems), systems, layers) < 0.1 * by_mean


@pytest.mark.parametrize("name", ["GridInterpolation", "GaussianProcess"])
def test_predictions_have_the_mean_density_set_by_the_inputs(baselines, name):
    systems = off_grid()
    predicted = baselines[name].predict(systems)
    for species in SPECIES:
        assert predicted[species].shape == (len(systems), 150)
        means = [mean_density(system, species) for system in systems]
        np.testing.assert_allclose(predicted[species].mean(axis=1), means, rtol=1e-9)


@pytest.mark.parametrize("name", ["GridInterpolation", "GaussianProcess"])
@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"confinement_length": 5.0}, "confinement_length"),
        ({"positive_valency": 3}, "positive_valency"),
        ({"temperature": 310.0}, "temperature"),
    ],
)
def test_systems_outside_the_range_of_the_data_are_refused(baselines, name, changes, parameter):
    with pytest.raises(InvalidInput, match=parameter):
        baselines[name].predict([grid()[5].replace(**changes)])
