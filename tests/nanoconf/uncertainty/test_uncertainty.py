"""Uncertain inputs: known Sobol indices, samples, refused inputs, files and the command."""

import csv
import json
import re

import numpy as np
import pytest
from SALib.analyze import sobol as sobol_analyze
from SALib.sample import sobol as sobol_sample

from backend.profiles.charge import integrated_charge, net_charge_density
from backend.system import InvalidInput, Range, SlitSystem
from nanoconf.cli.main import main
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.lifecycle.registry import package_models
from nanoconf.uncertainty.propagation import NUMBERS, PROFILES, Gaussian, Uniform, propagate
from nanoconf.uncertainty.sobol import saltelli_samples, sobol_indices, sobol_indices_of_points

SYSTEM = SlitSystem(positive_valency=2, positive_diameter=0.65)
C, D, H = "salt_concentration", "positive_diameter", "confinement_length"
SAMPLES = 64


@pytest.fixture(scope="module")
def surrogate():
    return Surrogate.load(package_models())


@pytest.fixture(scope="module")
def found(surrogate):
    inputs = {C: Gaussian(0.5, 0.01), D: Uniform(0.6, 0.7)}
    return propagate(surrogate, SYSTEM, inputs, samples=256, seed=4)


# --- known Sobol indices --------------------------------------------------------------------


ISHIGAMI = {name: Uniform(-np.pi, np.pi) for name in ("x1", "x2", "x3")}


def ishigami(x, a=7.0, b=0.1):
    return np.sin(x[..., 0]) + a * np.sin(x[..., 1]) ** 2 + b * x[..., 2] ** 4 * np.sin(x[..., 0])


def ishigami_indices(a=7.0, b=0.1):
    first = (1 + b * np.pi**4 / 5) ** 2 / 2
    second = a**2 / 8
    together = 8 * b**2 * np.pi**8 / 225
    variance = first + second + together
    return (
        np.array([first, second, 0]) / variance,
        np.array([first + together, second, together]) / variance,
    )


def test_sobol_indices_of_the_ishigami_function_match_the_analytic_values():
    x = saltelli_samples(ISHIGAMI, dict.fromkeys(ISHIGAMI), 2048, seed=1)
    assert x.shape == (2048, 5, 3)
    indices = sobol_indices(ishigami(x), tuple(ISHIGAMI))
    first, total = ishigami_indices()
    np.testing.assert_allclose(indices.first, first, atol=0.02)
    np.testing.assert_allclose(indices.total, total, atol=0.02)
    assert np.all(np.abs(indices.first - first) < 2 * indices.first_confidence)
    # 0.058, 0.029, 0.018 and 0.044, 0.040, 0.039
    assert np.all((indices.total_confidence > 0.01) & (indices.total_confidence < 0.08))
    assert np.all((indices.first_confidence > 0.03) & (indices.first_confidence < 0.06))


@pytest.mark.parametrize("seed", [1, 7])
def test_samples_and_indices_equal_those_of_salib(seed):
    inputs = {"h": Gaussian(3.4, 0.1), "c": Uniform(0.4, 0.6), "d": Gaussian(0.5, 0.01)}
    limits = {"h": Range(3, 4, "nm"), "c": Range(0.3, 0.9, "M"), "d": Range(0.45, 0.75, "nm")}
    gaussian = [[limits[x].low, limits[x].high, inputs[x].mean, inputs[x].std] for x in "hd"]
    problem = {
        "num_vars": 3,
        "names": list(inputs),
        "dists": ["truncnorm", "unif", "truncnorm"],
        "bounds": [gaussian[0], [0.4, 0.6], gaussian[1]],
    }
    theirs = sobol_sample.sample(problem, 64, calc_second_order=False, seed=seed)
    ours = saltelli_samples(inputs, limits, 64, seed)
    np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=1e-14)
    output = 7 + ours[..., 0] ** 2 * ours[..., 1] - ours[..., 2]
    found = sobol_analyze.analyze(problem, output.ravel(), calc_second_order=False, seed=seed + 1)
    indices = sobol_indices(output, tuple(inputs), seed)
    for name, values in (
        ("S1", indices.first),
        ("S1_conf", indices.first_confidence),
        ("ST", indices.total),
        ("ST_conf", indices.total_confidence),
    ):
        np.testing.assert_allclose(values, found[name], rtol=1e-10)


def test_indices_computed_for_many_points_equal_those_of_each_point():
    x = saltelli_samples(ISHIGAMI, dict.fromkeys(ISHIGAMI), 512, seed=2)
    points = np.stack([ishigami(x), 1e6 + x[..., 2], np.ones(x.shape[:2])], axis=-1)
    together = sobol_indices_of_points(points, tuple(ISHIGAMI))
    for point in (0, 1):
        alone = sobol_indices(points[..., point], tuple(ISHIGAMI))
        np.testing.assert_allclose(together.first[:, point], alone.first, atol=1e-8)
        np.testing.assert_allclose(together.total[:, point], alone.total, atol=1e-8)
    assert np.isnan(together.first[:, 2]).all() and np.isnan(together.total[:, 2]).all()
    assert np.isnan(together.first_confidence).all()


def test_indices_of_a_sum_are_the_variance_shares_of_its_terms():
    """In y = 2 x₁ + x₂ with standard deviations of 1 and 2, both shares are equal."""
    inputs = {"x1": Gaussian(10.0, 1.0), "x2": Gaussian(-3.0, 2.0)}
    limits = dict.fromkeys(inputs, Range(-100, 100, ""))
    x = saltelli_samples(inputs, limits, 2048, seed=3)
    indices = sobol_indices(2 * x[..., 0] + x[..., 1], tuple(inputs), seed=0)
    np.testing.assert_allclose(indices.first, 0.5, atol=0.03)
    np.testing.assert_allclose(indices.total, 0.5, atol=0.03)


def test_samples_have_the_requested_distributions():
    inputs = {C: Gaussian(0.5, 0.05), D: Uniform(0.6, 0.7)}
    limits = {C: Range(0.4, 0.9, "M"), D: Range(0.5, 0.75, "nm")}
    x = saltelli_samples(inputs, limits, 1024, seed=1)[:, [0, -1]].reshape(-1, 2)
    assert x[:, 0].min() >= 0.4  # 2.3 % beyond two standard deviations is cut off
    assert inputs[C].share_outside(limits[C]) == pytest.approx(0.02275, rel=1e-3)
    assert np.quantile(x[:, 0], 0.84) == pytest.approx(0.55, abs=0.003)
    assert (x[:, 1].min(), x[:, 1].max()) == pytest.approx((0.6, 0.7), abs=1e-3)
    np.testing.assert_allclose(np.histogram(x[:, 1], 10)[0], 205, atol=6)
    assert abs(np.corrcoef(x.T)[0, 1]) < 0.02


# --- propagation through the surrogate ------------------------------------------------------


def test_every_row_is_the_prediction_for_its_inputs(surrogate, found):
    assert found.inputs.shape == (256, 4, 2)
    for sample, row in ((0, 0), (7, 1), (100, 2), (255, 3)):
        c, d = found.inputs[sample, row]
        system = SYSTEM.replace(salt_concentration=c, positive_diameter=d, negative_diameter=d)
        prediction = surrogate.predict(system)
        densities = np.array([prediction.positive.density, prediction.negative.density])
        for species in ("positive", "negative"):
            profile = getattr(prediction, species)
            for output, expected in {
                "contact": profile.contact_density(system, species),
                "peak": profile.peak_density,
                "mid": profile.mid_density,
            }.items():
                value = found.values(f"{species}_{output}_density")[sample, row]
                assert value == pytest.approx(expected, rel=1e-4), output
        for z in (-1.2, -0.003, 0.4):
            for output, over_z in {
                "positive_density": densities[0],
                "negative_density": densities[1],
                "net_charge_density": net_charge_density(system, densities),
                "integrated_charge": integrated_charge(system, densities),
            }.items():
                expected = np.interp(z, prediction.positive.z, over_z)
                value = found.values(output, z)[sample, row]
                assert value == pytest.approx(expected, rel=1e-5, abs=1e-8), (output, z)


def test_profiles_for_an_uncertain_width_are_aligned_at_the_wall(surrogate):
    wider = propagate(surrogate, SYSTEM, {H: Uniform(3.1, 3.5)}, samples=SAMPLES)
    assert wider.system.confinement_length == pytest.approx(3.3)
    assert wider.z[0] == pytest.approx(-1.65 + 3.3 / 600)
    for sample, row in ((3, 0), (20, 1), (63, 2)):
        h = wider.inputs[sample, row, 0]
        system = SYSTEM.replace(confinement_length=h)
        moved = wider.z + (3.3 - h) / 2
        at_points = surrogate.density_at(system, moved)
        free = wider.z + 1.65 > 1.2 * SYSTEM.positive_diameter / 2
        for ion, species in enumerate(("positive", "negative")):
            found = wider.profiles[f"{species}_density"][sample, row]
            scale = at_points[ion].max()
            np.testing.assert_allclose(found[free], at_points[ion][free], atol=2e-3 * scale)
            np.testing.assert_allclose(found, at_points[ion], atol=0.05 * scale)
    # close to the wall, the width has little effect
    near = np.abs(wider.z + 1.65 - SYSTEM.positive_diameter / 2) < 0.02
    band = wider.band("negative_density")
    assert np.all(band.std[near] < 0.03 * band.mean[near])


def test_exact_inputs_leave_no_spread(surrogate):
    exact = propagate(surrogate, SYSTEM, {}, samples=16)
    assert exact.system == SYSTEM
    for output, z in exact.outputs(at=[-1.0]):
        summary = exact.summary(output, z)
        assert summary.std == pytest.approx(0, abs=1e-12)
        assert exact.sobol_indices(output, z).first.shape == (0,)
    assert np.all(exact.band("positive_density").std < 1e-12)
    assert exact.sobol_indices_over_z("positive_density").total.shape == (0, 150)


def test_constant_outputs_have_no_indices(surrogate):
    equal = propagate(surrogate, SlitSystem(), {C: Uniform(0.45, 0.55)}, samples=SAMPLES)
    assert np.isnan(equal.sobol_indices("net_charge_density", -1.0).first).all()
    assert np.isnan(equal.sobol_indices_over_z("integrated_charge").total).all()
    behind = equal.sobol_indices_over_z("positive_density").first[0]
    assert np.isnan(behind[0]) and behind[100] == pytest.approx(1, abs=0.1)


def test_the_same_seed_gives_the_same_samples(surrogate):
    inputs = {C: Gaussian(0.5, 0.01)}
    one, again, other = (
        propagate(surrogate, SYSTEM, inputs, samples=SAMPLES, seed=seed) for seed in (0, 0, 1)
    )
    assert one.to_dict([-1.0]) == again.to_dict([-1.0])
    assert not np.array_equal(one.inputs, other.inputs)


def test_spread_and_model_error_are_separate(found):
    summary = found.summary("negative_mid_density")
    # the midplane density is proportional to the concentration
    assert summary.std == pytest.approx(0.01 * summary.mean / 0.5, rel=0.15)
    assert summary.low < summary.median < summary.high
    assert summary.high - summary.low == pytest.approx(2 * 1.645 * summary.std, rel=0.1)
    assert 0.0005 < summary.model_error / summary.mean < 0.003  # 0.0017
    assert np.isnan(found.summary("integrated_charge", -1.0).model_error)
    band = found.band("negative_density")
    assert band.mean.shape == band.model_error.shape == (150,)
    assert band.mean[-1] == pytest.approx(summary.mean)
    density, edges = found.histogram("negative_mid_density", bins=20)
    assert np.sum(density * np.diff(edges)) == pytest.approx(1)
    indices = found.sobol_indices("negative_mid_density")
    assert indices.inputs == (C, D)
    assert indices.first == pytest.approx([1, 0], abs=0.01)
    assert indices.total == pytest.approx([1, 0], abs=0.02)


def test_integrated_charge_is_odd_and_vanishes_at_the_midplane(found):
    left, right = (found.values("integrated_charge", z) for z in (-0.7, 0.7))
    np.testing.assert_allclose(left, -right)
    assert np.abs(left).min() > 0
    np.testing.assert_allclose(found.values("integrated_charge", 0.0), 0, atol=1e-15)


# --- refused inputs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "refusal"),
    [
        (
            {C: Gaussian(0.85, 0.05)},
            r"salt_concentration = 'gaussian\(0.85, 0.05\)': mean ± 3 .*"
            "must lie between 0.3 and 0.9 M, the training range of the surrogate",
        ),
        ({C: Gaussian(0.5, 0.0)}, "the standard deviation must be positive"),
        ({C: Gaussian(float("nan"), 0.1)}, "must lie between"),
        ({D: Uniform(0.7, 0.6)}, "the first bound must be less"),
        ({D: Uniform(0.7, float("nan"))}, "the first bound must be less"),
        ({H: Uniform(2.9, 3.1)}, "both bounds must lie between 3 and 4 nm"),
        ({"positive_valency": Uniform(1, 3)}, "positive_valency = .*must be exact"),
    ],
)
def test_inputs_outside_the_training_range_give_a_one_line_error(surrogate, inputs, refusal):
    with pytest.raises(InvalidInput, match=refusal) as caught:
        propagate(surrogate, SYSTEM, inputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"samples": 100}, "samples = 100: .*power of 2"),
        ({"samples": 2**20}, "samples = 1048576: must lie"),
        ({"seed": -1}, "seed = -1: must lie"),
        ({"system": SYSTEM.replace(salt_concentration=2.0)}, "salt_concentration = 2.0: must lie"),
        ({"system": SYSTEM.replace(negative_diameter=0.5)}, "negative_diameter = 0.5: must equal"),
    ],
)
def test_invalid_numbers_and_systems_are_refused(surrogate, changes, refusal):
    arguments = {"system": SYSTEM, "distributions": {D: Uniform(0.6, 0.7)}} | changes
    with pytest.raises(InvalidInput, match=refusal):
        propagate(surrogate, **arguments)


def test_the_exact_value_of_an_uncertain_input_is_ignored(surrogate):
    system = SYSTEM.replace(salt_concentration=2.0)
    found = propagate(surrogate, system, {C: Uniform(0.4, 0.6)}, samples=16)
    assert found.system.salt_concentration == pytest.approx(0.5)


def test_unknown_outputs_and_positions_outside_the_slit_are_refused(found):
    with pytest.raises(
        InvalidInput, match=r"output = 'colour': must be one of .* if no z is given"
    ):
        found.values("colour")
    with pytest.raises(InvalidInput, match="output = 'positive_peak_density': must be one of"):
        found.values("positive_peak_density", -1.0)
    with pytest.raises(InvalidInput, match=r"z = 2: must lie between -1\.5 and 1\.5 nm"):
        found.values("positive_density", 2)


# --- files and the command ------------------------------------------------------------------


def test_files_contain_samples_bands_and_indices(found):
    tables = {name: list(csv.DictReader(text.splitlines())) for name, text in found.files().items()}
    assert len(tables["samples.csv"]) == 512
    assert set(tables["samples.csv"][0]) == {C, D} | {f"{name}_M" for name in NUMBERS}
    assert len(tables["bands.csv"]) == len(tables["sobol_over_z.csv"]) == 150
    last = tables["bands.csv"][-1]
    mid = found.summary("positive_mid_density")
    assert float(last["positive_density_mean"]) == pytest.approx(mid.mean, rel=1e-6)
    for profile in PROFILES:
        assert f"{profile}_total_{D}" in tables["sobol_over_z.csv"][0]


def nanoconf(*arguments) -> int:
    try:
        return main(["uncertainty", *map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)


FLAGS = [
    "-p",
    "2",
    "--gaussian",
    "c",
    "0.5",
    "0.01",
    "--uniform",
    "d",
    "0.6",
    "0.7",
    "--samples",
    "64",
    "--seed",
    "3",
]


def test_the_command_prints_tables_and_writes_files(tmp_path, capsys):
    assert nanoconf(*FLAGS, "--at", "-1.2", "-o", tmp_path / "o") == 0
    printed = capsys.readouterr().out
    for text in ("salt_concentration: gaussian 0.5 0.01", "95 %", "model error", "d first-order"):
        assert text in printed
    assert "net charge density (e mol/L) at -1.2 nm" in printed
    report = json.loads((tmp_path / "o" / "uncertainty.json").read_text())
    assert report["samples"] == 64 and report["predictions"] == 256
    assert {path.name for path in (tmp_path / "o").iterdir()} == {
        "uncertainty.json",
        "samples.csv",
        "bands.csv",
        "sobol_over_z.csv",
    }


def test_the_command_prints_json(capsys):
    assert nanoconf(*FLAGS, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    answers = {answer["output"]: answer for answer in report["outputs"]}
    assert set(answers) == set(NUMBERS)
    shares = answers["positive_mid_density"]["sobol_indices"]
    assert shares[C]["total"] > 0.8 > shares[D]["total"]
    assert report["uncertain"][D] == {"kind": "uniform", "low": 0.6, "high": 0.7}


def test_the_command_reports_how_much_of_a_gaussian_was_truncated(capsys):
    assert nanoconf(*["--gaussian", "c", "0.348", "0.016", "--samples", "16"]) == 0
    assert "truncated: 0.1% lies outside the training range" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "refusal"),
    [
        ("--gaussian c 0.85 0.05", r"salt_concentration = gaussian\(0.85, 0.05\): mean ± 3"),
        ("--uniform z 1 3", "uniform = z 1 3: NAME must be h, c or d"),
        ("--uniform c 0.4 x", "salt_concentration = x: is not a number; it must lie "),
        ("-c 0.5 --uniform c 0.4 0.5", "uniform = c 0.4 0.5: c is given twice"),
        ("--gaussian d 0.6 0.01 --uniform d 0.6 0.7", "d is given twice"),
        ("--at 5 --samples 16", "z = 5: must lie between -1.5 and 1.5 nm"),
        ("--at x", "at = x: must be a number"),
        ("--samples 100", "samples = 100: .*power of 2"),
        ("--seed x", "seed = x: must be"),
    ],
)
def test_bad_input_prints_one_line_and_writes_nothing(flags, refusal, tmp_path, capsys):
    assert nanoconf(*flags.split(), "-o", tmp_path / "o") == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert re.search(refusal, printed.err), printed.err
    assert not (tmp_path / "o").exists()
