"""Time steps per second on one core, including integrator, thermostat and sampling."""

from __future__ import annotations

import re
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.engines.lammps import script
from backend.engines.lammps.program import Process, find
from backend.engines.numba.replica import Replica
from backend.sampling.dynamics import FRICTION
from backend.sampling.schedule import Schedule
from backend.system import SPECIES, SlitSystem
from benchmarks.contenders import Contender

ROUNDS = 9
SECONDS = 1.0
"""CPU time of each measurement (s); short, because the speed of a machine varies within minutes."""

SAMPLE_EVERY = 10


@dataclass(frozen=True)
class Speed:
    """Time steps per second of CPU time: the median over the rounds, and all values."""

    contender: str
    steps_per_second: float
    rounds: list[float]

    def against(self, peer: Speed) -> tuple[float, float, float]:
        """Return the median, lowest and highest ratio to a peer over the rounds."""
        ratios = [ours / theirs for ours, theirs in zip(self.rounds, peer.rounds, strict=True)]
        return statistics.median(ratios), min(ratios), max(ratios)


def measure(system: SlitSystem, positions: np.ndarray, contenders: list[Contender]) -> list[Speed]:
    """Measure all contenders in turn, in several rounds, so that a slow minute affects all alike.

    Parameters
    ----------
    system : SlitSystem
    positions : ndarray, shape (3, ions)
        Initial positions (nm).
    contenders : list of Contender
    """
    timers = [_timer(system, positions, contender) for contender in contenders]
    rounds = [[timer() for timer in timers] for _ in range(ROUNDS)]
    return [
        Speed(contender.name, statistics.median(speeds), list(speeds))
        for contender, speeds in zip(contenders, zip(*rounds, strict=True), strict=True)
    ]


def _timer(system: SlitSystem, positions: np.ndarray, contender: Contender) -> Callable[[], float]:
    """Return a function that measures steps per second, after one run to compile everything."""
    measure_once = lammps_speed if contender.method else _ours
    steps = 2000
    speed = measure_once(system, positions, contender, steps)
    steps = max(steps, int(SECONDS * speed / 1000) * 1000)
    return lambda: measure_once(system, positions, contender, steps)


def _ours(system: SlitSystem, positions: np.ndarray, contender: Contender, steps: int) -> float:
    replica = Replica(system, contender.settings, 0)
    replica.prepare()
    replica.state.positions[:] = positions
    schedule = Schedule.of(system, contender.settings)
    chunk = schedule.samples_per_chunk * contender.settings.steps_per_sample
    replica.equilibrate(schedule)  # relaxes from the new positions
    before, started = replica.steps_done, time.process_time()
    while replica.steps_done < before + steps - chunk / 2:
        replica.sample(schedule, threading.Event())
    return (replica.steps_done - before) / (time.process_time() - started)


def lammps_speed(
    system: SlitSystem, positions: np.ndarray, contender: Contender, steps: int
) -> float:
    """Measure the speed of LAMMPS in time steps per second of CPU time."""
    assert contender.method
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / script.DATA_FILE).write_text(script.data_text(system, positions))
        (folder / script.RUN_FILE).write_text(_input(system, contender, steps))
        lines: list[str] = []
        command = find().command("-in", script.RUN_FILE, *contender.method.options)
        process = Process(command, folder, lines.append)
        process.wait()
        if problem := process.problem():
            raise problem
    text = "".join(lines)
    seconds = float(re.findall(r"Loop time of (\S+)", text)[-1])
    cpu_fraction = float(re.findall(r"([\d.]+)% CPU", text)[-1]) / 100
    return steps / (seconds * cpu_fraction)


def _input(system: SlitSystem, contender: Contender, steps: int) -> str:
    """LAMMPS input for a histogram only; the other output of a run would cost another 3 %."""
    assert contender.method
    width = system.confinement_length / system.smaller_diameter / 300
    counts = "\n".join(
        f"fix count_{name} {name} ave/chunk {SAMPLE_EVERY} 100 {100 * SAMPLE_EVERY} bins "
        f"density/number norm all file {name}.histograms"
        for name in SPECIES
    )
    return f"""\
{script.interactions(system, contender.method)}
timestep {contender.settings.time_step}
velocity all create 1.0 1 dist gaussian
fix move all nve
fix bath all langevin 1.0 1.0 {system.diameter_ratio / FRICTION:.12g} 1
thermo 0
run 400
compute bins all chunk/atom bin/1d z lower {width:.15g} units box
{counts}
run {steps}
"""
