"""``python -m benchmarks``: compare the engine with LAMMPS on one core."""

from __future__ import annotations

import os

# set before NumPy is imported, which reads these variables only once
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import sys
from pathlib import Path

import numpy as np

from backend.engines.lammps.program import Program, find
from backend.engines.numba.replica import Replica
from backend.files import write_json
from backend.sampling.result import SimulationError
from backend.sampling.schedule import Schedule
from backend.system import SlitSystem
from benchmarks import cost, exactness, speed
from benchmarks.contenders import EVERY_STEP, MULTIPLE, OURS, SYSTEMS, lammps
from benchmarks.report import Machine, Results, as_json


def equilibrated(system: SlitSystem) -> np.ndarray:
    """Return an equilibrated configuration (nm), shape (3, ions)."""
    replica = Replica(system, MULTIPLE.settings, 0)
    replica.prepare()
    schedule = Schedule.of(system, MULTIPLE.settings)
    for _ in range(schedule.equilibration):
        replica.equilibrate(schedule)
    return replica.state.positions.copy()


def measure(name: str, program: Program, with_cost: bool) -> Results:
    """Run all benchmarks of one system."""
    system = SYSTEMS[name]
    contenders = OURS + lammps(program, system)
    positions = equilibrated(system)
    log(f"{name}: steps per second")
    speeds = speed.measure(system, positions, contenders)
    log(f"{name}: forces")
    errors = exactness.measure(system, positions, contenders)
    costs = []
    if with_cost:
        log(f"{name}: core-seconds to a given error")
        by_name = {each.contender: each.steps_per_second for each in speeds}
        # only the fastest LAMMPS setup: how it computes the forces hardly changes the errors
        chosen = [EVERY_STEP, MULTIPLE, contenders[len(OURS)]]
        costs = cost.measure(system, chosen, by_name)
    return Results(name, system.ion_count, speeds, errors, costs)


def log(task: str) -> None:
    """Report the current measurement on stderr."""
    print(f"measuring {task} …", file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print and optionally write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--system", choices=SYSTEMS, help="benchmark only this system")
    parser.add_argument("--no-cost", action="store_true", help="speeds and forces only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to FILE")
    options = parser.parse_args()
    try:
        program = find()
    except SimulationError as error:
        print(error, file=sys.stderr)
        return 1
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    machine = Machine.here(program)
    names = [options.system] if options.system else list(SYSTEMS)
    print(f"{machine.processor}, load {machine.load_before:.1f}, LAMMPS {program.version}")
    results = []
    for name in names:
        results.append(measure(name, program, not options.no_cost))
        print(f"\n{results[-1].table()}", flush=True)
    if options.json:
        write_json(options.json, as_json(machine, results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
