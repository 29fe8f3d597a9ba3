"""The CUDA engine on the CPU shim: the host code is the same as for a card."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from backend import extras
from backend.engines import registry
from backend.engines.cuda import engine
from backend.engines.numba import engine as numba_engine
from backend.inputs import InvalidInput
from backend.sampling.result import Cancelled, SimulationError
from backend.settings import RunSettings
from backend.system import SlitSystem
from tests.support.cuda_shim.compiled import ShimDevice

SYSTEM = SlitSystem(
    confinement_length=1.2, salt_concentration=2.0, positive_diameter=0.3, negative_ions=48
)
DIVALENT = SYSTEM.replace(positive_valency=2)
SETTINGS = RunSettings(engine="cuda", replicas=2, duration_ns=0.06, time_step=0.01)


def run(system=SYSTEM, settings=SETTINGS, **options):
    return engine.run(system, settings, device=ShimDevice(), **options)


@pytest.fixture(scope="module")
def result():
    return run()


def same(one, other):
    return one.profiles.files() == other.profiles.files() and np.array_equal(
        one.residuals.left, other.residuals.left
    )


def test_densities_agree_with_the_numba_engine(result):
    larger = SYSTEM.replace(negative_ions=120)
    expected = numba_engine.run(larger, replace(SETTINGS, engine="numba", duration_ns=0.15))
    for name in ("contact", "mid"):
        for species in ("positive", "negative"):
            ours, theirs = (
                (
                    each.summary.densities_M[species][name],
                    each.summary.density_errors_M[species][name],
                )
                for each in (result, expected)
            )
            assert abs(ours[0] - theirs[0]) < 4.5 * np.hypot(ours[1], theirs[1])


def test_a_result_has_the_checks_of_the_numba_engine(result):
    summary = result.summary
    assert summary.checks.temperature == pytest.approx(1, abs=0.03)
    assert summary.equilibration.lengths > 10
    assert summary.versions["cuda-shim"]
    assert result.profiles.finite


def test_an_interrupted_run_has_the_same_result(result, tmp_path):
    calls = iter(range(1000))
    with pytest.raises(Cancelled):
        run(checkpoint=tmp_path, should_stop=lambda: next(calls) == 70)
    lines = []
    assert same(run(checkpoint=tmp_path, log=lines.append), result)
    assert "resume from step" in lines[0]


def test_systems_side_by_side_have_the_same_results_as_alone(result):
    """There is room for one system at a time: the second takes the place of the first."""
    requests = [(DIVALENT, SETTINGS), (SYSTEM, SETTINGS)]
    found = dict(engine.run_many(requests, processes=2, slots=3, device=ShimDevice()))
    assert sorted(found) == [0, 1]
    assert same(found[1], result)
    assert found[0].system == DIVALENT and found[0].profiles.finite


def test_failures_have_the_same_names_as_in_the_numba_engine():
    with pytest.raises(SimulationError) as caught:
        run(settings=replace(SETTINGS, time_step=0.02, coulomb_split=9, thermostat="none"))
    assert caught.value.name in ("energy", "not-finite", "ion-through-wall", "too-many-pairs")


@pytest.mark.long
def test_a_run_can_be_finished_early():
    finished = run(settings=replace(SETTINGS, duration_ns=1.0), should_finish=lambda: True)
    assert 0.05 < finished.summary.simulated_ns < 0.2


def test_settings_that_the_engine_does_not_support_are_refused():
    for change in ({"thermostat": "nose-hoover"}, {"precision": "double"}):
        with pytest.raises(InvalidInput, match="The CUDA engine supports only"):
            RunSettings(engine="cuda", **change)
    with pytest.raises(InvalidInput, match="up to 4096: choose another engine"):
        engine.check_system(SlitSystem(negative_ions=2120))
    assert RunSettings(engine="cuda").replicas == 64
    assert RunSettings().replicas == 2


COMMAND = [sys.executable, "-m", "nanoconf", "simulate", "--engine", "cuda"]


@pytest.mark.skipif(sys.platform != "linux", reason="the extra is installed on Linux only")
def test_without_a_card_one_line_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("NANOCONF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = subprocess.run([*COMMAND, "-o", str(tmp_path / "out")], capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("nanoconf: The CUDA engine needs an NVIDIA card and its driver, but ")
    assert "install NVIDIA's driver" in line and "--engine numba" in line
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "home").glob("runs/*"))


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    with pytest.raises(SimulationError) as caught:
        registry.get("cuda").check()
    line = (
        'The CUDA engine needs CUDA\'s Python bindings and NVRTC: run pip install "nanoconf[cuda]"'
    )
    assert str(caught.value) == line
