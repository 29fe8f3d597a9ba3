"""The time estimate of the page."""

from __future__ import annotations

import numpy as np
import pytest

from backend.engines.cost import START_UP_SECONDS
from backend.files import write_json
from backend.profiles.bins import bin_centres
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.sampling.result import SimulationResult
from backend.sampling.schedule import Schedule
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from tests.support.homes import QUICK, SYSTEM, until

STEPS_PER_SECOND = 3.0


def seconds(state: AppState) -> float:
    """Estimated seconds of the simulation alone."""
    return state.estimate - START_UP_SECONDS


def test_the_estimate_is_for_the_cores_that_runs_may_use(state, work, monkeypatch):
    assert state.settings.replicas == 2
    found = {}
    for cores in ("1", "2", "64"):
        monkeypatch.setenv("NANOCONF_CORES", cores)
        state.type("duration_ns", cores)  # the inputs change, so it is estimated anew
        state.type("duration_ns", "5")
        found[cores] = seconds(state)
    assert found["1"] == pytest.approx(2 * found["2"])
    assert found["64"] == found["2"]


@pytest.mark.parametrize("cores", ["1", "2"])
def test_the_last_run_was_simulated_on_those_cores_too(state, work, monkeypatch, cores):
    monkeypatch.setenv("NANOCONF_CORES", cores)
    state.choose(SYSTEM)
    a_run_as_slow_as(work, STEPS_PER_SECOND)
    before = state.estimate
    work.calibrate()
    until(lambda: state.estimate != before)
    steps = Schedule.of(SYSTEM, state.settings).steps(state.settings)
    assert seconds(state) == pytest.approx(steps / STEPS_PER_SECOND)


def a_run_as_slow_as(work: Work, steps_per_second: float) -> None:
    """Store a run of the two replicas that the page asks for, all of them counted."""
    run = work.archive.submit(SYSTEM, work.state.settings)
    z = bin_centres(SYSTEM)
    flat = DensityProfile(z, np.ones(len(z)), np.full(len(z), 0.01))
    SimulationResult(SYSTEM, QUICK, SlitProfiles(flat, flat)).save(run.folder)
    timings = {"seconds": 1.0, "steps": 1, "steps_per_second": steps_per_second}
    write_json(run.folder / "result.json", {"summary": {"timings": timings}})
