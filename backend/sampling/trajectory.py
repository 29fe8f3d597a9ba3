"""Snapshots of the ions, for visualisation and analysis programs.

Lengths in the files are in Å, as those programs expect; in Python they are in nm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.engines import registry
from backend.files import write_text
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from backend.untrusted import read_text

LARGEST_FILES = 50_000_000
"""Largest total size of both files (bytes)."""

BYTES_PER_ION = 110
"""Upper limit on the bytes per ion and snapshot in both files together."""

ANGSTROM = 10.0
"""Number of Å in 1 nm."""

FILES = ("trajectory.xyz", "trajectory.lammpstrj")
"""Extended XYZ file and LAMMPS dump file."""

NAMES = ("Na", "Cl")
"""Element names, chosen only because programs draw them in different colours and sizes."""


def check_snapshots(system: SlitSystem, settings: RunSettings) -> None:
    """Check that a run can save the requested number of snapshots.

    Raises
    ------
    InvalidInput
        The files would be too large, the run is too short, or it may end before the first
        snapshot.
    """
    by_size = LARGEST_FILES // (BYTES_PER_ION * system.ion_count)
    schedule = Schedule.of(system, settings)
    by_time = schedule.samples_per_replica
    if settings.snapshots > by_size:
        limit = f"at most {by_size} with {system.ion_count} ions (file size limit: 50 MB)"
    elif settings.snapshots > by_time:
        limit = f"at most {by_time} in a run this short"
    elif settings.snapshots and _may_end_before_the_first(schedule, settings.snapshots):
        limit = (
            "the target error may end the run before the first snapshot: "
            "request more snapshots, or a run without a target error"
        )
    else:
        return
    raise InvalidInput("snapshots", settings.snapshots, limit)


def affordable_snapshots(system: SlitSystem, settings: RunSettings, wanted: int) -> int:
    """Return the number of snapshots closest to `wanted` that `check_snapshots` allows, or 0."""
    schedule = Schedule.of(system, settings)
    first_end = schedule.stages[0] * schedule.samples_per_tally
    fewest = -(-schedule.samples_per_replica // first_end)
    largest = LARGEST_FILES // (BYTES_PER_ION * system.ion_count)
    # what advances all replicas at the same time saves them between two chunks
    interval = schedule.samples_per_chunk if registry.get(settings.engine).all_at_once else 1
    number = min(max(wanted, fewest), largest, schedule.samples_per_replica // interval)
    try:
        check_snapshots(system, replace(settings, snapshots=number))
    except InvalidInput:
        return 0
    return number


def _may_end_before_the_first(schedule: Schedule, snapshots: int) -> bool:
    first_end = schedule.stages[0] * schedule.samples_per_tally
    return first_end < schedule.samples_per_snapshot(snapshots)


@dataclass(frozen=True)
class Trajectory:
    """Configurations of the first replica, evenly spaced in time.

    Parameters
    ----------
    system : SlitSystem
    positions : ndarray, shape (snapshots, 3, ions)
        Positions (nm), positive ions first. x and y may lie outside the box.
    steps : ndarray, shape (snapshots,)
        Number of time steps since sampling began.
    step_ps : float
        Length of a time step (ps).
    """

    system: SlitSystem
    positions: np.ndarray
    steps: np.ndarray
    step_ps: float

    @classmethod
    def of(
        cls, system: SlitSystem, settings: RunSettings, snapshots: list[np.ndarray]
    ) -> Trajectory:
        """Return the trajectory of the snapshots of a run, each of shape (3, ions), in nm."""
        every = Schedule.of(system, settings).samples_per_snapshot(settings.snapshots)
        return cls(
            system,
            np.array(snapshots),
            np.arange(1, len(snapshots) + 1) * every * settings.steps_per_sample,
            settings.time_step * system.time_unit_ns * 1000,
        )

    @classmethod
    def load(cls, folder: Path, system: SlitSystem, settings: RunSettings) -> Trajectory:
        """Read the trajectory that `save` wrote into a folder; x and y lie within the box.

        Parameters
        ----------
        folder : Path
            Folder with ``trajectory.xyz``.
        system : SlitSystem
            System of the run.
        settings : RunSettings
            Settings of the run, which give the length of a time step.

        Raises
        ------
        FileNotFoundError
            There is no trajectory.
        ValueError
            The trajectory is incomplete or belongs to another system.
        """
        path = folder / FILES[0]
        lines = read_text(path, 2 * LARGEST_FILES).splitlines()
        ions = system.ion_count
        frames = [lines[k : k + ions + 2] for k in range(0, len(lines), ions + 2)]
        if (
            not frames
            or len(frames[-1]) != ions + 2
            or {frame[0] for frame in frames} != {str(ions)}
        ):
            raise ValueError(f"{path} does not contain complete snapshots of {ions} ions")
        rows = np.loadtxt([row for frame in frames for row in frame[2:]], usecols=(1, 2, 3))
        times = np.array([float(frame[1].rpartition("Time=")[2]) for frame in frames])  # ps
        step_ps = settings.time_step * system.time_unit_ns * 1000
        return cls(
            system,
            rows.reshape(len(frames), ions, 3).transpose(0, 2, 1) / ANGSTROM,
            np.rint(times / step_ps).astype(int),
            step_ps,
        )

    def files(self) -> dict[str, str]:
        """Return the text of each file, by file name."""
        formats = (self._xyz, self._dump)
        return {
            name: "".join(text(k) for k in range(len(self.steps)))
            for name, text in zip(FILES, formats, strict=True)
        }

    def save(self, folder: Path) -> None:
        """Write the files into a folder."""
        for name, text in self.files().items():
            write_text(folder / name, text)

    def _xyz(self, k: int) -> str:
        """Return a snapshot in extended XYZ format."""
        length, width = self._box()
        lines = [
            str(self.system.ion_count),
            f'Lattice="{length:.4f} 0 0 0 {length:.4f} 0 0 0 {width:.4f}" '
            f'Origin="0 0 {-width / 2:.4f}" pbc="T T F" '
            "Properties=species:S:1:pos:R:3:charge:R:1:radius:R:1 "
            f"Time={self.steps[k] * self.step_ps:.6g}",
        ]
        for s, (x, y, z) in zip(self._species(), self._folded(k), strict=True):
            charge, radius = self.system.valencies[s], self.system.diameters[s] * ANGSTROM / 2
            lines.append(f"{NAMES[s]} {x:.4f} {y:.4f} {z:.4f} {charge} {radius:.6g}")
        return "\n".join(lines) + "\n"

    def _dump(self, k: int) -> str:
        """Return a snapshot in LAMMPS dump format."""
        length, width = self._box()
        lines = [
            f"ITEM: TIMESTEP\n{self.steps[k]}",
            f"ITEM: NUMBER OF ATOMS\n{self.system.ion_count}",
            f"ITEM: BOX BOUNDS pp pp ff\n0 {length:.4f}\n0 {length:.4f}",
            f"{-width / 2:.4f} {width / 2:.4f}",
            "ITEM: ATOMS id type q x y z radius",
        ]
        ions = zip(self._species(), self._folded(k), strict=True)
        for i, (s, (x, y, z)) in enumerate(ions, 1):
            charge, radius = self.system.valencies[s], self.system.diameters[s] * ANGSTROM / 2
            lines.append(f"{i} {s + 1} {charge} {x:.4f} {y:.4f} {z:.4f} {radius:.6g}")
        return "\n".join(lines) + "\n"

    def _box(self) -> tuple[float, float]:
        """Return the side of the box and the width of the slit (Å)."""
        return self.system.box_length * ANGSTROM, self.system.confinement_length * ANGSTROM

    def _species(self) -> np.ndarray:
        return np.repeat([0, 1], self.system.counts)

    def _folded(self, k: int) -> np.ndarray:
        """Return positions (Å), x and y within the box, shape (ions, 3)."""
        positions = self.positions[k].copy()
        positions[:2] %= self.system.box_length
        return positions.T * ANGSTROM
