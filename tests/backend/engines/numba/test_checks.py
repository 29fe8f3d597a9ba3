"""Errors of a simulation have a name, and a message with their place and a remedy."""

import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from backend.engines.numba import engine
from backend.engines.numba.replica import Replica
from backend.sampling import checks
from backend.sampling.lattice import lattice
from backend.sampling.result import SimulationError
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import SlitSystem
from tests.support.homes import QUICK, SYSTEM, UNSTABLE


def disturbed(settings: RunSettings = QUICK) -> tuple[Replica, Schedule]:
    """Return a replica after its first chunk, to be disturbed."""
    replica, schedule = Replica(SYSTEM, settings, 0), Schedule.of(SYSTEM, settings)
    replica.equilibrate(schedule)
    return replica, schedule


def error_of(call, *arguments: object) -> SimulationError:
    with pytest.raises(SimulationError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_nonfinite_position_is_an_error():
    replica, schedule = disturbed()
    steps = replica.steps_done
    replica.state.positions[0, 5] = np.nan
    error = error_of(replica.equilibrate, schedule)
    assert error.name == "not-finite"
    detected = steps + QUICK.steps_per_sample
    assert f"at step {detected} of replica 0" in str(error)
    assert "try a smaller time step than 0.02 τ" in str(error)


def test_an_ion_that_passes_through_a_wall_is_an_error():
    error = error_of(engine.run, SYSTEM, UNSTABLE)
    assert error.name == "ion-through-wall"
    assert "an ion went through a wall at step" in str(error)
    assert "try a smaller time step than 0.02 τ" in str(error)


def test_a_full_neighbour_list_is_an_error():
    replica, schedule = Replica(SYSTEM, QUICK, 0), Schedule.of(SYSTEM, QUICK)
    replica.stepping = replica.stepping._replace(skin=SYSTEM.box_length)
    error = error_of(replica.equilibrate, schedule)
    assert error.name == "too-many-pairs"
    assert "lower concentration" in str(error)


def test_a_wrong_temperature_is_an_error():
    replica, schedule = disturbed()
    replica.state.velocities[:] *= 1.5
    error = error_of(replica.sample, schedule, threading.Event())
    assert error.name == "temperature"
    assert "the temperature is off by +" in str(error) and "smaller time step" in str(error)
    assert replica.tallies == []


def test_energy_drift_is_an_error():
    settings = replace(QUICK, thermostat="none", duration_ns=0.02)
    error = error_of(engine.run, SlitSystem(), settings)
    assert error.name == "energy"
    assert "of the kinetic energy at step" in str(error) and "smaller time step" in str(error)


@pytest.mark.parametrize("crowd", [lambda x: 0.02 * x, lambda x: x[:, [0, 0, *range(2, 284)]]])
def test_overlapping_ions_are_an_error(crowd):
    """The lattice of a valid system has no overlaps, so the test creates them."""
    crowded = partial(engine.run, start=lambda system, rng: crowd(lattice(system, rng)))
    error = error_of(crowded, SYSTEM, QUICK)
    assert error.name == "overlap"
    assert "at step 0 of replica 0" in str(error) and "lower concentration" in str(error)


def test_nan_is_never_within_a_limit():
    assert checks.within(-0.1, 0.2) and not checks.within(-0.3, 0.2)
    assert not checks.within(np.nan, 0.2)
