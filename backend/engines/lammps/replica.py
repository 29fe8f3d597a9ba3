"""One independent LAMMPS simulation: its input, its process and its samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.engines.lammps import script
from backend.engines.lammps.program import Process, Program
from backend.engines.lammps.script import Method
from backend.profiles.bins import BINS
from backend.sampling.equilibration import SLOW, Measured, longer
from backend.sampling.lattice import lattice
from backend.sampling.samples import SERIES, Samples
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem

LARGEST_SEED = 900_000_000
"""Largest seed that LAMMPS accepts."""


class Replica:
    """One independent simulation.

    Parameters
    ----------
    system, settings
        The simulated system and the settings of the run.
    index : int
        Index of the replica; the seed and the index determine its random numbers.
    folder : Path
        Parent of the replica's folder.
    schedule : Schedule, optional
        Schedule of the run, with the length of the equilibration; by default the shortest.
    """

    def __init__(
        self,
        system: SlitSystem,
        settings: RunSettings,
        index: int,
        folder: Path,
        schedule: Schedule | None = None,
    ):
        self.system, self.settings, self.index = system, settings, index
        self.schedule = schedule or Schedule.of(system, settings)
        self.folder = folder / f"{index}-{self.schedule.equilibration}"
        self.equilibrated = False
        self.slow_rows: list[list[float]] = []
        self.phase = "relaxing"
        self.steps_done = 0
        self.rows: list[list[float]] = []
        self.energies: list[float] = []
        self.tallies: dict[str, list[np.ndarray]] = {name: [] for name in SPECIES}
        self.process: Process | None = None
        self._read_up_to = dict.fromkeys(SPECIES, 0)

    def start(self, program: Program, method: Method, ranks: int) -> None:
        """Write the input and start LAMMPS."""
        rng = np.random.default_rng([self.settings.seed, self.index])
        positions = lattice(self.system, rng)
        seed = int(rng.integers(1, LARGEST_SEED))
        snapshots = self.settings.snapshots if self.index == 0 else 0
        text = script.run_text(self.system, self.settings, self.schedule, method, seed, snapshots)
        self.folder.mkdir()
        (self.folder / script.DATA_FILE).write_text(script.data_text(self.system, positions))
        (self.folder / script.RUN_FILE).write_text(text)
        command = program.command("-in", script.RUN_FILE, *method.options, ranks=ranks)
        self.process = Process(command, self.folder, self._read_line)

    def _read_line(self, line: str) -> None:
        words = line.split()
        if words[:1] == ["phase"]:
            self.phase = words[1]
            return
        width = {"equilibrating": 1 + len(SLOW), "sampling": 2 + len(SERIES)}.get(self.phase)
        if len(words) != width or not words[0].isdigit():
            return
        self.steps_done = int(words[0])
        if self.phase == "equilibrating" and words[0] != "0":
            self.slow_rows.append([float(word) for word in words[1:]])
        if self.phase == "sampling":
            self.steps_done += self.schedule.equilibration_steps(self.settings)
            if words[0] != "0":  # there are no averages before the first step
                energy, *row = (float(word) for word in words[1:])
                self.energies.append(energy)
                self.rows.append(row)

    def replacement(self) -> Replica | None:
        """Return the replica to start instead of this one, with a longer equilibration.

        Return None if this one may continue: its equilibration is not over, or long enough. LAMMPS
        cannot be told to equilibrate for longer, so the replacement begins again with the same
        random numbers.
        """
        if self.equilibrated or self.phase != "sampling":
            return None
        chunks = self.schedule.equilibration
        following = longer(chunks, Schedule.of(self.system, self.settings).equilibration)
        if Measured.of([self.equilibration_series()]).sufficient or not following:
            self.equilibrated = True
            return None
        schedule = replace(self.schedule, equilibration=following)
        return Replica(self.system, self.settings, self.index, self.folder.parent, schedule)

    def equilibration_series(self) -> np.ndarray:
        """Return the series of the equilibration, shape (rows, len(SLOW))."""
        return np.array(self.slow_rows)

    def read_tallies(self) -> int:
        """Read new output; return the number of complete tallies, 0 before `equilibrated`."""
        if not self.equilibrated:
            return 0
        for name, tallies in self.tallies.items():
            path = self.folder / script.histogram_file(name)
            more, self._read_up_to[name] = read_tallies(path, self._read_up_to[name])
            tallies += more
        rows = len(self.rows) // self._rows_per_tally
        return min(rows, *(len(tallies) for tallies in self.tallies.values()))

    @property
    def _rows_per_tally(self) -> int:
        return self.schedule.samples_per_tally // script.samples_per_row(self.schedule)

    def snapshots(self, tallies: int) -> list[np.ndarray]:
        """Return the configurations saved during the first `tallies` tallies (nm).

        Each has shape (3, ions).
        """
        path = self.folder / script.SNAPSHOT_FILE
        if not path.exists():
            return []
        wanted = self.settings.snapshots
        taken = tallies * self.schedule.samples_per_tally
        kept = min(wanted, taken // self.schedule.samples_per_snapshot(wanted))
        # the first frame precedes the first step
        frames = read_snapshots(path, self.system.ion_count)[1 : kept + 1]
        return [frame * self.system.smaller_diameter for frame in frames]

    def samples(self, tallies: int) -> Samples:
        """Return the first `tallies` tallies, one block per tally."""
        unit = self.system.smaller_diameter
        means = np.array([self.tallies[name][:tallies] for name in SPECIES])
        sums = self.schedule.samples_per_tally * np.moveaxis(means, 0, 1)
        return Samples(
            sums[..., 0],
            sums[..., 1] / unit,
            sums[..., 2] / unit,
            self.schedule.samples_per_tally,
            self._rows_per_tally,
        )

    def series(self, tallies: int) -> np.ndarray:
        """Return the time series of the first `tallies` tallies, shape (rows, len(SERIES))."""
        return np.array(self.rows[: tallies * self._rows_per_tally])

    def potential_energies(self, tallies: int) -> np.ndarray:
        """Return the potential energies of the first `tallies` tallies (k_BT), shape (rows,)."""
        per_ion = np.array(self.energies[: tallies * self._rows_per_tally])
        return self.system.ion_count * per_ion


def read_snapshots(path: Path, ions: int) -> list[np.ndarray]:
    """Read the positions in a LAMMPS dump file, in its units, each of shape (3, ions)."""
    lines = path.read_text().splitlines()
    starts = range(9, len(lines) - ions + 1, 9 + ions)
    return [np.loadtxt(lines[start : start + ions])[:, 1:].T for start in starts]


def read_tallies(path: Path, offset: int) -> tuple[list[np.ndarray], int]:
    """Read the complete tallies in a file, starting at an offset.

    A tally is a line with step, bins and ions, followed by a line for each bin: its number, z, and
    the means over the samples of the number of ions, of their forces and of their weighted forces.

    Returns
    -------
    tallies : list of ndarray, each of shape (BINS, 3)
        Due to rounding, LAMMPS may add an extra bin, which is always empty; it is dropped.
    offset : int
        Offset of the first byte after the last complete tally.
    """
    if not path.exists():
        return [], offset
    with open(path, encoding="ascii") as stream:
        stream.seek(offset)
        lines = stream.read().splitlines(keepends=True)
    tallies: list[np.ndarray] = []
    first = 0
    while first < len(lines) and lines[first].endswith("\n"):
        end = first + 1
        if not lines[first].startswith("#"):
            end += int(lines[first].split()[1])
            if end > len(lines) or not lines[end - 1].endswith("\n"):
                break
            rows = [line.split()[2:] for line in lines[first + 1 : first + 1 + BINS]]
            tallies.append(np.array(rows, dtype=float))
        offset, first = offset + sum(len(line) for line in lines[first:end]), end
    return tallies, offset
