"""Processes that evaluate finished simulations."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from backend.engines.cuda import evaluation
from backend.engines.cuda.evaluation import Evaluators
from backend.engines.cuda.simulation import Simulation
from backend.engines.cuda.slit import FIXED_POINT
from backend.profiles.bins import BINS
from backend.settings import RunSettings
from backend.system import SlitSystem

SETTINGS = RunSettings(engine="cuda", replicas=2, duration_ns=0.06)
SYSTEM = SlitSystem()


def finished(seed):
    """Return a simulation that is done, with sums as a kernel leaves them."""
    simulation = Simulation(SYSTEM, replace(SETTINGS, seed=seed))
    schedule, rng = simulation.schedule, np.random.default_rng(seed)
    typical = np.array([3 * SYSTEM.ion_count, 0, 80, 40, 200, -200, 100, 0])
    rows = 2, simulation.rhythm.rows, 1

    def chunk():
        noisy = typical + rng.standard_normal((*rows[:2], len(typical)))
        return (noisy * FIXED_POINT * simulation.rhythm.samples_per_row).astype(np.int64)

    simulation.equilibration = [chunk() for _ in range(schedule.equilibration)]
    for _ in range(schedule.stages[-1]):
        simulation.series += [chunk() for _ in range(schedule.chunks_per_tally)]
        profiles = rng.integers(1, 10, (2, 2, 3, BINS)) * FIXED_POINT
        profiles[:, :, 0] = rng.integers(1, 10, (2, 2, BINS)) * schedule.samples_per_tally
        simulation.tallies.append(profiles.astype(np.float32))
        simulation.energies.append(rng.standard_normal(2))
    simulation.chunks_done = len(simulation.equilibration) + len(simulation.series)
    simulation.sampling = simulation.done = True
    return simulation


def evaluated(processes, simulations):
    with Evaluators(processes, {"card": "none"}) as evaluators:
        for index, simulation in enumerate(simulations):
            evaluators.submit(index, simulation)
        return dict(evaluators.finished(all_of_them=True))


@pytest.mark.parametrize("command", [evaluation.COMMAND, (sys.executable, "-c", "")])
def test_results_do_not_depend_on_the_number_of_processes(command, monkeypatch):
    """They do not depend on whether the processes survive, either."""
    monkeypatch.setattr(evaluation, "COMMAND", command)
    simulations = [finished(seed) for seed in (1, 2, 3)]
    here, there = evaluated(1, simulations), evaluated(2, simulations)
    assert sorted(there) == [0, 1, 2]
    for index, result in here.items():
        other = there[index]
        assert other.profiles.files() == result.profiles.files()
        assert np.array_equal(other.residuals.left, result.residuals.left)
        ours, theirs = (each.summary.to_dict() | {"timings": None} for each in (result, other))
        assert ours == theirs
        assert other.summary.versions["card"] == "none"
