"""Snapshots of the ions, read back by analysis programs."""

import os
from dataclasses import replace

import MDAnalysis
import numpy as np
import pytest

from backend.engines.lammps import engine as lammps_engine
from backend.engines.numba import engine
from backend.sampling.trajectory import FILES, LARGEST_FILES, Trajectory, check_snapshots
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from nanoconf.cli.main import main
from tests.support.homes import QUICK, STEADY, SYSTEM, submit

SIX = replace(QUICK, snapshots=6)


@pytest.fixture(scope="module")
def trajectory() -> Trajectory:
    return engine.run(SYSTEM, SIX).trajectory


def read(trajectory: Trajectory, folder, name: str, **options: object) -> MDAnalysis.Universe:
    trajectory.save(folder)
    return MDAnalysis.Universe(str(folder / name), **options)


def folded(trajectory: Trajectory, k: int) -> np.ndarray:
    """Return positions (Å), shape (ions, 3), x and y within the box."""
    positions = trajectory.positions[k].T.copy()
    positions[:, :2] -= SYSTEM.box_length * np.floor(positions[:, :2] / SYSTEM.box_length)
    return 10 * positions


def test_snapshots_are_evenly_spaced_up_to_the_end_of_the_run(trajectory):
    result = engine.run(SYSTEM, SIX)
    sampled = result.summary.timings.steps - 5000  # without the equilibration, 100 τ
    assert len(set(np.diff(trajectory.steps, prepend=0))) == 1
    assert sampled - trajectory.steps[0] < trajectory.steps[-1] <= sampled
    assert trajectory.positions.shape == (6, 3, SYSTEM.ion_count)


def test_snapshots_do_not_change_the_run():
    some, none = (engine.run(SYSTEM, settings) for settings in (SIX, QUICK))
    assert np.array_equal(some.positive.density, none.positive.density)
    assert none.trajectory is None


def test_extended_xyz_can_be_read_back(trajectory, tmp_path):
    universe = read(trajectory, tmp_path, "trajectory.xyz")
    assert len(universe.trajectory) == 6
    assert list(universe.atoms.names).count("Na") == SYSTEM.counts[0]
    for k, frame in enumerate(universe.trajectory):
        np.testing.assert_allclose(frame.positions, folded(trajectory, k), atol=1e-4)
    count, header, first, *_ = (tmp_path / "trajectory.xyz").read_text().splitlines()
    assert int(count) == SYSTEM.ion_count
    side = f"{10 * SYSTEM.box_length:.4f}"
    assert f'Lattice="{side} 0 0 0 {side} 0 0 0 30.0000" Origin="0 0 -15.0000"' in header
    assert 'pbc="T T F" Properties=species:S:1:pos:R:3:charge:R:1:radius:R:1' in header
    assert f"Time={trajectory.steps[0] * trajectory.step_ps:.6g}" in header
    assert first.split()[0] == "Na" and first.split()[4:] == ["3", "2.5"]


def test_a_lammps_dump_can_be_read_back(trajectory, tmp_path):
    universe = read(
        trajectory,
        tmp_path,
        "trajectory.lammpstrj",
        format="LAMMPSDUMP",
        topology_format="LAMMPSDUMP",
    )
    assert len(universe.trajectory) == 6
    assert universe.select_atoms("type 2").n_atoms == SYSTEM.counts[1]
    assert universe.dimensions[:3] == pytest.approx(
        [10 * SYSTEM.box_length, 10 * SYSTEM.box_length, 30], rel=1e-5
    )
    for k, frame in enumerate(universe.trajectory):
        assert frame.data["step"] == trajectory.steps[k]
        # MDAnalysis measures from the lower corner of the box
        shift = [0, 0, 15]
        np.testing.assert_allclose(frame.positions, folded(trajectory, k) + shift, atol=2e-4)
    line = (tmp_path / "trajectory.lammpstrj").read_text().splitlines()[9]
    assert line.split()[:3] == ["1", "1", "3"] and line.split()[6] == "2.5"


def test_a_saved_trajectory_can_be_loaded(trajectory, tmp_path):
    trajectory.save(tmp_path)
    loaded = Trajectory.load(tmp_path, SYSTEM, SIX)
    assert loaded.positions.shape == trajectory.positions.shape
    for k in range(len(trajectory.steps)):
        np.testing.assert_allclose(10 * loaded.positions[k].T, folded(trajectory, k), atol=1e-4)
    np.testing.assert_allclose(loaded.steps, trajectory.steps, rtol=1e-5)
    assert loaded.step_ps == trajectory.step_ps


def test_an_incomplete_or_missing_trajectory_is_not_loaded(trajectory, tmp_path):
    with pytest.raises(FileNotFoundError):
        Trajectory.load(tmp_path, SYSTEM, SIX)
    trajectory.save(tmp_path)
    with pytest.raises(ValueError, match="does not contain complete snapshots of 424 ions"):
        Trajectory.load(tmp_path, SlitSystem(), SIX)
    path = tmp_path / "trajectory.xyz"
    text = path.read_text()
    path.write_text(text[: text.rstrip().rindex("\n") + 1])
    with pytest.raises(ValueError, match=f"complete snapshots of {SYSTEM.ion_count} ions"):
        Trajectory.load(tmp_path, SYSTEM, SIX)


def test_trajectory_times_are_those_of_the_run():
    trajectory = engine.run(SYSTEM, replace(SIX, duration_ns=0.2)).trajectory
    assert trajectory.steps[-1] * trajectory.step_ps == pytest.approx(200, rel=0.05)


@pytest.mark.long
def test_lammps_saves_snapshots_too(tmp_path):
    result = lammps_engine.run(SYSTEM, replace(SIX, time_step=0.01))
    snapshots = result.trajectory
    assert snapshots.positions.shape == (6, 3, SYSTEM.ion_count)
    assert np.abs(snapshots.positions[:, 2]).max() < SYSTEM.confinement_length / 2
    assert np.all(np.diff(snapshots.positions[:, 2], axis=0).any(axis=1))
    assert len(read(snapshots, tmp_path, "trajectory.xyz").trajectory) == 6


def test_a_request_for_too_many_snapshots_is_refused_before_anything_starts(home, tmp_path):
    many = replace(STEADY, snapshots=5000)
    with pytest.raises(InvalidInput, match=r"snapshots = 5000: at most \d+ with 284 ions"):
        submit(home, many)
    with pytest.raises(InvalidInput, match="in a run this short"):
        check_snapshots(SYSTEM, replace(QUICK, snapshots=1000))
    folder = tmp_path / "result"
    assert main(["simulate", "--snapshots", "5000", "-o", str(folder)]) == 2
    assert main(["simulate", "--snapshots", "-1", "-o", str(folder)]) == 2
    assert not folder.exists()


def test_files_are_smaller_than_the_limit(trajectory):
    bytes_per_snapshot = sum(len(text) for text in trajectory.files().values()) / 6
    by_size = LARGEST_FILES // (110 * SYSTEM.ion_count)
    assert 0.5 * LARGEST_FILES < by_size * bytes_per_snapshot < LARGEST_FILES


def test_the_command_line_copies_the_trajectory(home, tmp_path):
    folder = tmp_path / "result"
    typed = ["simulate", "-p", "3", "-d", "0.5", "--duration-ns", "0.01", "--replicas", "1"]
    typed += ["--set", "time_step=0.02", "-o", str(folder)]
    assert main([*typed, "--snapshots", "3"]) == 0
    assert {*FILES} <= set(os.listdir(folder))
    universe = MDAnalysis.Universe(str(folder / "trajectory.xyz"))
    assert universe.atoms.n_atoms == SYSTEM.ion_count and len(universe.trajectory) == 3
    assert main(typed) == 0
    assert not {*FILES} & set(os.listdir(folder))


def test_snapshots_are_refused_if_a_target_error_may_end_the_run_before_the_first():
    settings = RunSettings(duration_ns=100.0, target_error=0.01, snapshots=5)
    with pytest.raises(InvalidInput, match="snapshots = 5: the target error may end the run"):
        check_snapshots(SlitSystem(), settings)
    check_snapshots(SlitSystem(), replace(settings, snapshots=1000))
    check_snapshots(SlitSystem(), replace(settings, target_error=None))
