"""Plans, datasets and sweeps, which can be interrupted and resumed."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from backend.files import read_json
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.system import MAXIMUM_PACKING, InvalidInput, SlitSystem
from nanoconf.cli.main import main
from nanoconf.data import dataset
from nanoconf.data.plans import (
    PAPER_RANGES,
    VARIED_RANGES,
    grid_plan,
    published_plan,
    random_plan,
    read_plan,
    varied_plan,
)
from nanoconf.data.published import KEPT_OUT
from tests.support.homes import PATIENCE, interruptible, until, workers

FEW = ["--duration-ns", "0.001", "--set", "time_step=0.02"]
"""Settings with which a system takes two or three seconds."""


def plan_file(folder, rows: list[str], columns="positive_valency,positive_diameter,seed"):
    path = folder / "plan.csv"
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


def test_random_systems_cover_the_ranges_evenly():
    plan = random_plan(300, seed=3)
    for valency in (1, 2, 3):
        group = [item.system for item in plan if item.system.positive_valency == valency]
        assert len(group) == 100
        for name, (low, high) in PAPER_RANGES.items():
            values = (np.array([getattr(s, name) for s in group]) - low) / (high - low)
            assert values.min() >= 0 and values.max() <= 1
            counts, _ = np.histogram(values, bins=10, range=(0, 1))
            assert counts.min() >= 8 and counts.max() <= 12, name
    assert {item.system.negative_valency for item in plan} == {-1}
    assert len({item.settings.seed for item in plan}) == 300


def test_a_longer_plan_begins_with_the_shorter_one():
    assert random_plan(50, seed=3)[:20] == random_plan(20, seed=3)
    assert random_plan(20, seed=4)[0].system != random_plan(20, seed=3)[0].system


def varied_inputs(system):
    ratio = {"diameter_ratio": system.negative_diameter / system.positive_diameter}
    return [ratio.get(name) or getattr(system, name) for name in VARIED_RANGES]


def test_varied_systems_vary_every_input_within_its_range():
    plan = varied_plan(600, seed=3)
    low, high = np.array(list(VARIED_RANGES.values())).T
    for pair in [(1, -1), (1, -2), (2, -1), (2, -2), (3, -1), (3, -2)]:
        group = [item.system for item in plan if item.system.valencies == pair]
        assert len(group) == 100
        values = (np.array([varied_inputs(system) for system in group]) - low) / (high - low)
        assert values.min() > -1e-3 and values.max() < 1 + 1e-3  # the ratio is of rounded diameters
        for name, column in zip(VARIED_RANGES, values.T, strict=True):
            counts, _ = np.histogram(column.clip(0, 1), bins=5, range=(0, 1))
            assert counts.min() >= 12 and counts.max() <= 28, (pair, name)
    assert len({item.settings.seed for item in plan}) == 600
    assert [item.system.valencies for item in plan[:2]] == [(1, -1), (1, -2)]


def test_varied_systems_exclude_slits_that_are_too_full():
    """The ranges contain systems that cannot be simulated."""
    assert max(item.system.packing_fraction for item in varied_plan(2000)) <= MAXIMUM_PACKING
    full = {"salt_concentration": 0.9, "positive_diameter": 0.75, "negative_diameter": 1.05}
    with pytest.raises(InvalidInput, match="salt_concentration"):
        SlitSystem(negative_valency=-2, **full)


@pytest.mark.parametrize("number", [1, 20, 63])
def test_a_longer_varied_plan_begins_with_the_shorter_one(number):
    longer = varied_plan(400, seed=3)
    assert varied_plan(number, seed=3) == longer[:number]
    assert varied_plan(number, seed=4)[0].system != longer[0].system


def test_the_random_plan_is_reproducible_across_versions():
    """The data in the repository were made with such plans."""
    system = random_plan(2, seed=7)[1].system
    first = (system.confinement_length, system.salt_concentration, system.positive_diameter)
    assert first == (3.3985, 0.5705, 0.6584)


def test_durations_may_differ_by_valency():
    plan = random_plan(6, durations_ns=(1, 2, 3))
    assert [item.settings.duration_ns for item in plan] == [1, 2, 3, 1, 2, 3]
    with pytest.raises(InvalidInput, match="duration_ns"):
        random_plan(6, durations_ns=(1, 2))


def test_inputs_that_a_plan_does_not_set_take_their_defaults(tmp_path):
    rows = ["3, 0.5, 7", "1,,"]
    first, second = read_plan(plan_file(tmp_path, rows), durations_ns=(2,), time_step=0.004)
    assert (first.system.positive_valency, first.settings.seed) == (3, 7)
    assert second.system.positive_diameter == 0.714
    assert second.settings.duration_ns == 2 and second.settings.time_step == 0.004


@pytest.mark.parametrize(
    ("row", "refusal"),
    [
        ("1,9,1", "row 1: positive_diameter = 9"),
        ("x,0.5,1", "row 1: positive_valency = 'x'"),
        ("1,0.5,1,4", "more cells"),
    ],
)
def test_the_error_names_a_bad_row(tmp_path, row, refusal):
    with pytest.raises(InvalidInput, match=refusal):
        read_plan(plan_file(tmp_path, [row]))


def test_the_grid_is_that_of_the_paper():
    plan = grid_plan(seed=1)
    assert len({item.system for item in plan}) == len(plan) == 3432
    assert {item.system.positive_diameter for item in plan} == {
        *(0.5, 0.55, 0.553, 0.6, 0.65, 0.7, 0.714, 0.75)
    }
    first = [item.system for item in plan[:200]]
    assert len({system.confinement_length for system in first}) == 11
    assert len({system.salt_concentration for system in first}) == 13


def test_runs_that_do_not_converge_are_tried_again_and_reported(home, tmp_path, capsys):
    plan = plan_file(tmp_path, ["3,0.5"], columns="positive_valency,positive_diameter")
    command = ["sweep", "--plan", str(plan), *FEW, "-o", str(tmp_path / "out")]
    assert main([*command, "--set", "target_error=0.001"]) == 1
    assert "failed 3 times: the median error is" in capsys.readouterr().err
    assert len({run.settings.seed for run in Archive(home).runs()}) == 3


def test_the_error_names_an_unknown_column(tmp_path):
    with pytest.raises(InvalidInput, match="column 'colour'"):
        read_plan(plan_file(tmp_path, ["red"], columns="colour"))


def test_a_sweep_makes_a_dataset_that_describes_itself(home, tmp_path):
    folder = tmp_path / "data"
    command = ["sweep", "--random", "3", *FEW, "--histogram", "-o", str(folder)]
    assert main(command) == 0
    assert sorted(os.listdir(folder)) == ["card.json", "profiles.parquet"]
    frame = dataset.load(folder)
    assert list(frame["species"]) == ["positive", "negative"] * 3
    assert list(frame["positive_valency"]) == [1, 1, 2, 2, 3, 3]
    negative = frame[frame["species"] == "negative"]
    density, error = (np.stack(negative[name].to_list()) for name in ("density", "error"))
    assert density.shape == error.shape == (3, 150)
    # ∫ρ = c over the whole width
    np.testing.assert_allclose(density.mean(axis=1), negative["salt_concentration"], rtol=1e-5)
    # the histogram has the same number of ions, with larger errors
    counted, errors = (np.stack(frame[name].to_list()) for name in ("histogram", "histogram_error"))
    np.testing.assert_allclose(
        counted.mean(axis=1), np.stack(frame["density"].to_list()).mean(axis=1), rtol=1e-5
    )
    assert errors.sum() > np.stack(frame["error"].to_list()).sum()
    assert (frame["blocks"] >= 20).all()
    card = dataset.load_card(folder)
    assert card["systems"] == 3 and card["made"]["complete"]
    assert card["made"]["command"] == "nanoconf " + " ".join(command)
    assert card["units"]["density"].startswith("M")
    # A short run; its error follows from the seed.
    assert card["relative_error"]["positive, z₊ = 3"]["median"] == pytest.approx(0.098, rel=0.2)
    run = Archive(home).runs()[0]
    half = frame[frame["inputs_hash"] == run.inputs_hash].iloc[0]["density"]
    np.testing.assert_allclose(half, run.result().positive.density[:150], rtol=1e-6)


def test_a_dataset_has_all_inputs_and_checks_of_systems_from_a_plan(home, tmp_path):
    inputs = {
        "confinement_length": 2.5,
        "positive_valency": 2,
        "negative_valency": -2,
        "salt_concentration": 0.4,
        "positive_diameter": 0.5,
        "negative_diameter": 0.6,
        "wall": "plane",
        "surface_charge_density": -0.01,
        "temperature": 310.0,
        "relative_permittivity": 100.0,
    }
    settings = {"seed": 5, "target_error": 0.4, "time_step": 0.01, "duration_ns": 0.5}
    values = inputs | settings
    plan = plan_file(tmp_path, [",".join(map(str, values.values()))], columns=",".join(values))
    folder = tmp_path / "data"
    assert main(["sweep", "--plan", str(plan), "-o", str(folder)]) == 0
    frame, system = dataset.load(folder), SlitSystem(**inputs)
    for name, value in (inputs | settings).items():
        if name in frame:
            assert set(frame[name]) == {value}, name
    assert set(inputs) <= set(frame)
    assert (frame["bjerrum_length"] == system.bjerrum_length).all()
    assert (frame["positive_ions"] == system.counts[0]).all()
    assert frame["equilibration_tau"].min() > 99
    assert (np.abs(frame["force_to_count"] - 1) < 5 * frame["force_to_count_error"]).all()
    assert len(set(frame["force_to_count"])) == 2
    card = dataset.load_card(folder)
    assert card["choices"] == {"wall": {"plane": 2}}
    assert card["ranges"]["relative_permittivity"] == [100.0, 100.0]


def test_the_same_command_resumes_a_killed_sweep(home, tmp_path):
    folder = tmp_path / "data"
    plan = plan_file(tmp_path, [f"3,0.5,{seed}" for seed in range(5)])
    command = ["sweep", "--plan", str(plan), *FEW, "-o", str(folder)]
    process = subprocess.Popen([sys.executable, "-m", "nanoconf", *command])
    until(lambda: any(run.finished for run in Archive(home).runs()), "the first run to end")
    process.kill()
    process.wait()
    assert main(command) == 0
    assert len(Archive(home).runs()) == 5
    assert len(dataset.load(folder)) == 10
    card = (folder / "card.json").read_bytes()
    assert main(command) == 0
    assert len(Archive(home).runs()) == 5
    assert (folder / "card.json").read_bytes() == card


def test_the_card_lists_all_commands_that_made_a_dataset(home, tmp_path):
    folder = tmp_path / "data"
    first = ["sweep", "--random", "2", *FEW, "-o", str(folder)]
    plan = plan_file(tmp_path, ["3,0.5,1"])
    more = ["sweep", "--plan", str(plan), *FEW, "--add", "-o", str(folder)]
    for command in (first, more, more):
        assert main(command) == 0
    made = dataset.load_card(folder)["made"]
    assert made["command"] == " && ".join("nanoconf " + " ".join(c) for c in (first, more))
    times = [
        time for sitting in made["sittings"] for time in (sitting["started"], sitting["saved"])
    ]
    assert len(times) == 4 and times == sorted(times)


def test_an_interrupted_sweep_stops_its_runs_and_keeps_its_results(home, tmp_path):
    plan = plan_file(
        tmp_path,
        ["3,0.5,1,0.001", "3,0.5,2,100", "3,0.5,3,100"],
        columns="positive_valency,positive_diameter,seed,duration_ns",
    )
    folder = tmp_path / "data"
    command = ["sweep", "--plan", str(plan), "--set", "time_step=0.02", "-o", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "nanoconf", *command],
        stderr=subprocess.DEVNULL,
        preexec_fn=interruptible,
    )
    until(lambda: any(run.state == RunState.DONE for run in Archive(home).runs()))
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 1
    until(lambda: all(run.finished for run in Archive(home).runs()), "all runs to end")
    until(lambda: not workers(home))
    assert len(dataset.load(folder)) == 2
    assert dataset.load_card(folder)["made"]["complete"] is False


def test_stored_systems_are_not_simulated_again_without_their_archive(home, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    command = ["sweep", "--random", "2", *FEW, "-o", str(folder)]
    assert main(command) == 0
    before = (folder / "profiles.parquet").read_bytes()
    monkeypatch.setenv("NANOCONF_HOME", str(tmp_path / "elsewhere"))
    assert main(command) == 0
    assert Archive(tmp_path / "elsewhere").runs() == []
    assert (folder / "profiles.parquet").read_bytes() == before


def test_a_dataset_of_other_systems_is_not_overwritten(home, tmp_path, capsys):
    folder = tmp_path / "data"
    plans = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        plans.append(plan_file(tmp_path / str(seed), [f"3,0.5,{seed}"]))
    first, second = (["sweep", "--plan", str(plan), *FEW, "-o", str(folder)] for plan in plans)
    assert main(first) == 0
    capsys.readouterr()
    assert main(second) == 2
    assert "not in this plan" in capsys.readouterr().err
    assert sorted(dataset.load(folder)["seed"]) == [1, 1]
    assert main([*second, "--add"]) == 0
    assert sorted(dataset.load(folder)["seed"]) == [1, 1, 2, 2]


def test_a_system_that_fails_is_tried_with_other_seeds_and_reported(home, tmp_path, capsys):
    plan = plan_file(tmp_path, ["3,0.5,1"])
    unstable = ["thermostat=none", "coulomb_split=9", "time_step=0.02"]
    settings = [word for setting in unstable for word in ("--set", setting)]
    folder = tmp_path / "data"
    command = ["sweep", "--plan", str(plan), "--duration-ns", "0.01", *settings]
    assert main([*command, "-o", str(folder)]) == 1
    assert "failed 3 times" in capsys.readouterr().err
    runs = Archive(home).runs()
    assert [run.state for run in runs] == [RunState.FAILED] * 3
    assert len({run.settings.seed for run in runs}) == 3


def test_a_dataset_is_written_atomically(tmp_path):
    row = {name: 1 for name in dataset.columns()} | {
        "species": "positive",
        "wall": "ion",
        "engine": "numba",
        "version": "0",
        "inputs_hash": "0",
        "converged": True,
        "histogram": None,
        "histogram_error": None,
        "density": np.ones(150, np.float32),
        "error": np.ones(150, np.float32),
    }
    dataset.save(tmp_path, [row], {"what": "a test"})
    with pytest.raises(Exception, match="FLOAT"):
        dataset.save(tmp_path, [row | {"density": "nonsense"}], {})
    assert sorted(os.listdir(tmp_path)) == ["card.json", "profiles.parquet"]
    assert len(dataset.load(tmp_path)) == 1
    assert json.loads((tmp_path / "card.json").read_text())["what"] == "a test"
    assert read_json(tmp_path / "card.json")["sha256"]["profiles.parquet"]


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="holds no dataset"):
        dataset.load(tmp_path)


def test_the_published_systems_have_a_plan():
    plan = published_plan(seed=4, durations_ns=(5.0,))
    assert [item.system for item in plan] == list(KEPT_OUT)
    assert {item.settings.duration_ns for item in plan} == {5.0}
    assert len({item.settings.seed for item in plan}) == 10
