"""Scaling of the cost of a step with the number of ions, and of a run with the number of cores.

LAMMPS is included for comparison: its mesh scales better than a loop over pairs, so beyond some
size it is faster.
"""

from __future__ import annotations

import os
import time
from typing import Any

from backend.engines.lammps.program import find
from backend.engines.numba.engine import run
from backend.engines.numba.replica import Replica
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import SlitSystem
from benchmarks.contenders import lammps
from benchmarks.speed import lammps_speed
from benchmarks.studies.report import figure, log, save

IONS = (106, 212, 424, 848, 1500, 3000, 6000, 10000)
SECONDS = 3.0

CURVES = {
    "multiple_time_steps": ("o-", "nanoconf, multiple time steps (default)"),
    "every_step": ("s--", "nanoconf, all forces every step"),
    "lammps": ("^:", "LAMMPS, PPPM 1e-3, 6 σ"),
}
"""Line style and label of each measured setup."""


def measure() -> dict[str, Any]:
    """Measure steps per second on one core by number of ions, and run time by number of cores."""
    return {"ions": [_speed(ions) for ions in IONS], "cores": _cores()}


def _speed(ions: int) -> dict[str, Any]:
    system = SlitSystem(2.2, 1, -1, 0.9, 0.5, negative_ions=ions // 2)
    found: dict[str, Any] = {"ions": system.ion_count}
    for name, split in (("multiple_time_steps", 5), ("every_step", 1)):
        replica = Replica(system, RunSettings(replicas=1, coulomb_split=split), 0)
        replica.prepare()
        found[name] = _steps_per_second(replica)
    contender = lammps(find(), system)[0]
    found["lammps"] = lammps_speed(
        system, replica.state.positions, contender, max(100, 1_000_000 // ions)
    )
    log(f"{ions} ions: " + ", ".join(f"{found[name]:.0f} steps/s ({name})" for name in CURVES))
    return found


def _steps_per_second(replica: Replica) -> float:
    schedule = Schedule.of(replica.system, replica.settings)
    replica.equilibrate(schedule)
    before, started = replica.steps_done, time.process_time()
    while time.process_time() - started < SECONDS:
        replica.equilibrate(schedule)
    return (replica.steps_done - before) / (time.process_time() - started)


def _cores() -> list[dict[str, Any]]:
    available = os.cpu_count() or 1
    found = []
    for threads in sorted({1, 2, available}):
        if threads > available:
            continue
        settings = RunSettings(duration_ns=2.0, replicas=max(2, available))
        started = time.monotonic()
        run(SlitSystem(), settings, threads=threads)
        found.append({"cores": threads, "seconds": time.monotonic() - started})
        log(f"{threads} cores: {found[-1]['seconds']:.1f} s")
    return found


def rows(measured: dict[str, Any]) -> list[list[str]]:
    """Table of steps per second by number of ions, and of run times by number of cores."""
    table = [["ions", *(f"{label}, steps/s" for _, label in CURVES.values())]]
    for each in measured["ions"]:
        table.append([str(each["ions"]), *(f"{each[name]:,.0f}" for name in CURVES)])
    for each in measured["cores"]:
        table.append([f"{each['cores']} cores", f"{each['seconds']:.1f} s", "", ""])
    return table


def draw(measured: dict[str, Any]) -> None:
    """Draw steps per second against the number of ions."""
    picture, axes = figure(1, 1)
    axis = axes[0, 0]
    ions = [each["ions"] for each in measured["ions"]]
    for name, (style, label) in CURVES.items():
        axis.loglog(ions, [each[name] for each in measured["ions"]], style, label=label)
    axis.set_xlabel("ions")
    axis.set_ylabel("time steps per second, one core")
    axis.grid(True, which="both", linewidth=0.3)
    axis.legend(fontsize=8)
    save(picture, "scaling")
