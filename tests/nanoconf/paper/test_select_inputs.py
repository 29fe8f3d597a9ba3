"""Selection of inputs by backward elimination."""

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from backend.system import InvalidInput
from nanoconf.cli.main import main
from nanoconf.data.plans import random_plan, varied_plan
from nanoconf.paper.points import POINTS
from nanoconf.paper.select_inputs import (
    CANDIDATES,
    Inputs,
    eliminate,
    format_choice,
    least_squares,
    p_values,
    select_inputs,
)
from tests.support.analytic import simulations


def standardised(values):
    return (values - values.mean(axis=0)) / values.std(axis=0)


@pytest.fixture(scope="module")
def inputs():
    values = np.random.default_rng(1).normal(size=(200, 5))
    values[:, 4] = np.sign(values[:, 4])
    return Inputs(("a", "b", "noise", "curved", "two"), standardised(values))


@pytest.fixture(scope="module")
def densities(inputs):
    a, b, _, curved, two = inputs.values.T
    error = 0.1 * np.random.default_rng(2).normal(size=(200, 3))
    exact = [2 * a + b + 0.3 * two, a + 0.2 * b, a - b + curved**2 - 0.3 * two]
    return np.column_stack(exact) + error


# --- least squares --------------------------------------------------------------------------


def test_a_single_input_agrees_with_linear_regression(inputs, densities):
    column, target = inputs.values[:, [2]], densities[:, [0]]
    fit, without = least_squares(column, target), least_squares(column[:, :0], target)
    expected = stats.linregress(column[:, 0], target[:, 0])
    assert fit.coefficients[0, 0] == pytest.approx(expected.slope)
    assert fit.r2[0] == pytest.approx(expected.rvalue**2)
    assert fit.adjusted_r2[0] == pytest.approx(1 - (1 - expected.rvalue**2) * 199 / 198)
    assert p_values(fit, without)[0] == pytest.approx(expected.pvalue)


def test_t_statistics_match_the_textbook_formula(inputs, densities):
    """Coefficients over their standard errors, from the inverse of XᵀX; p from Student's t."""
    step = eliminate(inputs, densities, "linear").steps[0]
    design = np.column_stack([np.ones(200), inputs.values])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ densities
    residual = np.sum((densities - design @ coefficients) ** 2, axis=0) / 194
    t = coefficients / np.sqrt(np.outer(np.diag(inverse), residual))
    p = 2 * stats.t.sf(np.abs(t), 194)
    for row, name in enumerate(inputs.names, 1):
        assert list(step.t[name].values()) == pytest.approx(t[row].tolist())
        assert list(step.p[name].values()) == pytest.approx(p[row].tolist(), rel=1e-4, abs=1e-12)


def test_adjusted_r2_of_random_inputs_averages_zero():
    """R² itself is positive, because random inputs explain some variance by chance."""
    random = np.random.default_rng(4)
    fits = [
        least_squares(random.normal(size=(30, 5)), random.normal(size=(30, 1))) for _ in "x" * 400
    ]
    assert np.mean([fit.r2 for fit in fits]) > 0.15
    assert abs(np.mean([fit.adjusted_r2 for fit in fits])) < 0.02


# --- elimination ----------------------------------------------------------------------------


def test_noise_is_dropped_first_and_relevant_inputs_are_kept(inputs, densities):
    linear = eliminate(inputs, densities[:, [0, 1, 0]], "linear", ("contact", "mid"))
    assert {linear.steps[0].dropped, linear.steps[1].dropped} == {"noise", "curved"}
    assert linear.chosen.inputs == ("a", "b", "two")


def test_squared_terms_detect_inputs_with_a_symmetric_effect(inputs, densities):
    linear = eliminate(inputs, densities, "linear", ("peak",))
    quadratic = eliminate(inputs, densities, "quadratic", ("peak",))
    # noise may raise adjusted R² by chance (p = 0.4), but it is always dropped first
    assert quadratic.steps[0].dropped == "noise" and quadratic.steps[0].p["noise"]["peak"] > 0.05
    assert {"a", "b", "curved", "two"} <= set(quadratic.chosen.inputs)
    assert quadratic.chosen.score > 0.99 > 0.8 > linear.chosen.score
    assert quadratic.steps[0].p["curved"]["peak"] < 1e-50
    assert linear.steps[0].p["curved"]["peak"] > 1e-6


def test_dropping_an_input_drops_all_its_terms(inputs, densities):
    terms = [step.terms for step in eliminate(inputs, densities, "quadratic").steps]
    # n + n(n + 1)/2, minus the square of the two-valued input while it is present
    assert inputs.terms("quadratic").count((4, 4)) == 0
    assert terms[0] == 5 + 15 - 1
    with_two = ["two" in step.inputs for step in eliminate(inputs, densities, "quadratic").steps]
    full = [n + n * (n + 1) // 2 for n in (5, 4, 3, 2, 1)]
    assert terms == [number - has for number, has in zip(full, with_two, strict=True)]


@pytest.mark.parametrize("model", ["linear", "quadratic"])
def test_each_step_drops_the_least_useful_input_until_every_removal_lowers_the_score(
    inputs, densities, model
):
    elimination = eliminate(inputs, densities, model)
    steps = elimination.steps
    assert [len(step.inputs) for step in steps] == [5, 4, 3, 2, 1]
    for step, following in itertools.pairwise(steps):
        assert step.score_without[step.dropped] == max(step.score_without.values())
        assert following.score == pytest.approx(step.score_without[step.dropped])
        assert set(step.inputs) - set(following.inputs) == {step.dropped}
    chosen = elimination.chosen
    assert max(chosen.score_without.values()) < chosen.score
    for step in steps[: steps.index(chosen)]:
        assert max(step.score_without.values()) >= step.score


def test_inputs_are_standardised_and_constant_inputs_are_listed():
    inputs = Inputs.of([item.system for item in random_plan(30)])
    assert inputs.names == ("h", "z+", "c", "d")
    assert inputs.constant == {"z-": -1, "d-/d+": 1, "T": 298, "eps": 78.5}
    np.testing.assert_allclose(inputs.values.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(inputs.values.std(axis=0), 1)


def test_equal_diameters_have_a_constant_ratio():
    """d₋/d₊ is 1 for any diameter; rounding must not make it vary."""
    systems = [item.system for item in random_plan(30)]
    assert (
        Inputs.of([system.replace(negative_diameter=None) for system in systems]).constant["d-/d+"]
        == 1
    )


# --- from data ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Profiles that do not depend on temperature and permittivity."""
    systems = [item.system for item in varied_plan(120)]
    return simulations(tmp_path_factory.mktemp("data"), systems)


def test_all_varying_inputs_are_candidates(data):
    choice = select_inputs(data)
    assert choice.inputs.names == tuple(CANDIDATES) and choice.inputs.constant == {}
    for elimination in choice.together:
        assert elimination.targets == POINTS
        assert {"z+", "z-", "c", "d"} <= set(elimination.chosen.inputs)
        assert {elimination.steps[0].dropped, elimination.steps[1].dropped} <= {
            "T",
            "eps",
            "h",
            "d-/d+",
        }
    assert len(choice.apart) == 6


def test_the_command_prints_and_writes_each_step(data, tmp_path, capsys):
    folder = tmp_path / "results"
    assert main(["select-inputs", "--data", data.folder, "-o", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "Rule: each step drops" in text
    for number in range(1, 9):
        assert text.count(f"step {number}: ") == 2
    assert (folder / "select-inputs.png").read_bytes().startswith(b"\x89PNG")
    values = json.loads((folder / "select-inputs.json").read_text())
    assert [each["model"] for each in values["together"]] == ["linear", "quadratic"]
    first = values["together"][0]["steps"][0]
    assert first["inputs"] == list(CANDIDATES)
    assert set(first["p"]["T"]) == set(first["t"]["T"]) == set(POINTS)


def test_the_output_lists_constant_inputs(tmp_path):
    data = simulations(tmp_path, [item.system for item in random_plan(60)])
    text = format_choice(select_inputs(data))
    for line in ("z- = -1 in all", "d-/d+ = 1 in all", "T = 298 in all", "eps = 78.5 in all"):
        assert line in text


def test_data_with_too_few_simulations_are_refused(tmp_path, capsys):
    data = simulations(tmp_path, [item.system for item in varied_plan(40)])
    with pytest.raises(InvalidInput, match="40 simulations are too few for the 43 terms"):
        select_inputs(data)
    folder = tmp_path / "results"
    assert main(["select-inputs", "--data", data.folder, "-o", str(folder)]) == 2
    assert "too few" in capsys.readouterr().err and not folder.exists()


def test_data_without_varying_inputs_are_refused(tmp_path):
    system = random_plan(1)[0].system
    with pytest.raises(InvalidInput, match="vary at least two inputs"):
        select_inputs(simulations(tmp_path, [system] * 3))
