"""Benchmark results as tables and JSON."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numba
import numpy as np

from backend import __version__
from backend.engines.lammps.program import Program
from benchmarks.contenders import FAST_LAMMPS
from benchmarks.cost import TARGET, Cost
from benchmarks.exactness import ForceError
from benchmarks.speed import Speed
from nanoconf.tables import aligned


@dataclass(frozen=True)
class Machine:
    """Computer and software versions of a measurement."""

    processor: str
    cores: int
    load_before: float
    date: str
    versions: dict[str, str]

    @classmethod
    def here(cls, program: Program) -> Machine:
        """Describe this computer and its current load."""
        return cls(
            processor=_processor(),
            cores=os.cpu_count() or 1,
            load_before=os.getloadavg()[0],
            date=time.strftime("%Y-%m-%d"),
            versions={
                "nanoconf": __version__,
                "lammps": program.version,
                "python": platform.python_version(),
                "numba": numba.__version__,
                "numpy": np.__version__,
            },
        )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


@dataclass(frozen=True)
class Results:
    """Measurements of one system."""

    system: str
    ions: int
    speeds: list[Speed]
    force_errors: list[ForceError]
    costs: list[Cost]

    def table(self) -> str:
        """Return a table of speeds and force errors, followed by one of costs."""
        return "\n\n".join(part for part in (self._speed_table(), self._cost_table()) if part)

    def _speed_table(self) -> str:
        speeds = {speed.contender: speed for speed in self.speeds}
        rows = [["", "steps/s", "ratio (range)", "force error x, y | z (ε/σ)", "relative"]]
        for error in self.force_errors:
            speed = speeds[error.contender]
            ratio, lowest, highest = speed.against(speeds[FAST_LAMMPS])
            rows.append(
                [
                    error.contender,
                    f"{speed.steps_per_second:,.0f}",
                    f"{ratio:.2f} ({lowest:.1f}-{highest:.1f})",
                    f"{error.lateral:.1e} | {error.normal:.1e}",
                    f"{error.relative:.1e}",
                ]
            )
        return f"{self.system}: {self.ions} ions, one core\n" + aligned(rows)

    def _cost_table(self) -> str:
        if not self.costs:
            return ""
        reference = {
            (cost.species, cost.bin_width): cost.core_seconds
            for cost in self.costs
            if cost.contender == FAST_LAMMPS
        }
        rows = [["", "ions", "bins (nm)", f"τ to {TARGET:.1%}", "core-seconds", "speed-up"]]
        for cost in self.costs:
            speed_up = reference[cost.species, cost.bin_width] / cost.core_seconds
            rows.append(
                [
                    cost.contender,
                    cost.species,
                    f"{cost.bin_width:.3f}",
                    f"{cost.needed:,.0f}",
                    f"{cost.core_seconds:,.1f}",
                    f"{speed_up:.1f}",
                ]
            )
        return f"{self.system}: core-seconds to a median error of {TARGET:.1%}\n" + aligned(rows)


def as_json(machine: Machine, results: list[Results]) -> dict:
    """Return machine and results as JSON values."""
    return {"machine": asdict(machine), "results": [asdict(each) for each in results]}
