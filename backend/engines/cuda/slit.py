"""Constants and layout of the data that ``slit.cu`` shares with the host.

The source defines the same numbers and the same structure; a test compares them. Its units are the
side L of the box, k_BT and the mass of an ion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.electrostatics import LATERAL_WAVES, Splitting, splitting
from backend.profiles.bins import BINS
from backend.sampling.dynamics import (
    FRICTION,
    LARGEST_RELAXATION,
    RELAXATION_MOBILITY,
    SKIN,
)
from backend.sampling.samples import empty_tally
from backend.settings import RunSettings
from backend.system import SlitSystem
from backend.walls import wall_geometry

SOURCE = Path(__file__).with_name("slit.cu")

KERNELS = ("prepare", "advance", "philox_words")

LARGEST_COUNT = 4096
"""Largest number of ions of a replica."""

WARP = 32
LATERAL, NORMAL = 5, 9
NEIGHBOURS = 64
SERIES_COLUMNS = 8
STATE_ROWS = 12
FIXED_POINT = 2.0**20
"""Units of the sums in fixed point: 1/FIXED_POINT."""

ORDERS = [
    ((a + 1) // 2, (b + 1) // 2, (m + 1) // 2)
    for a in range(LATERAL)
    for b in range(LATERAL)
    for m in range(NORMAL)
    if ((a + 1) // 2) ** 2 + ((b + 1) // 2) ** 2 <= LATERAL_WAVES
]
"""Wave numbers (a, b, m) of the products of functions, in the order of the source."""

WAVES = len(ORDERS)

NO_PROBLEM = np.iinfo(np.int32).max
"""Status of a replica without problems."""

SLIT = np.dtype(
    [
        ("positive_count", np.int32),
        ("count", np.int32),
        ("seed", np.uint32, 2),
        ("replica", np.uint32),
        ("time_step", np.float32),
        ("memory", np.float32),
        ("coulomb_scale", np.float32),
        ("pair_size", np.float32, 3),
        ("wall_size", np.float32, 2),
        ("wall_position", np.float32, 2),
        ("valency", np.float32, 2),
        ("short_terms", np.float32, 5),
        ("short_range2", np.float32),
        ("inverse_height", np.float32),
        ("skin", np.float32),
        ("half_width", np.float32),
        ("middle", np.float32),
        ("contact", np.float32),
        ("mobility", np.float32),
        ("largest_move", np.float32),
        ("weights", np.float32, WAVES),
    ]
)
"""The structure ``Slit`` of the source."""


@dataclass(frozen=True)
class Shape:
    """Division of the ions of a replica among the threads of a block.

    It depends only on the number of ions, because the order of the sums depends on it.

    Attributes
    ----------
    ions_per_thread : int
    threads : int
        Number of threads, a multiple of the warp size.
    """

    ions_per_thread: int
    threads: int

    @classmethod
    def of(cls, count: int) -> Shape:
        """Return the shape for a number of ions."""
        per_thread = 2 if count <= 512 else 4 if count <= 2048 else 8
        return cls(per_thread, WARP * math.ceil(count / per_thread / WARP))

    @property
    def stride(self) -> int:
        """Number of ions including ghosts: the length of a row in the arrays of a replica."""
        return self.ions_per_thread * self.threads

    @property
    def most_threads(self) -> int:
        """Largest number of threads of the compiled kernel."""
        return 256 if self.ions_per_thread == 2 else 512

    @property
    def blocks_per_processor(self) -> int:
        """Blocks on a multiprocessor, for which the compiler limits the registers."""
        return 3 if self.ions_per_thread == 2 else 1

    @property
    def definitions(self) -> dict[str, int]:
        """Constants that the host defines when it compiles the source."""
        return {
            "IONS_PER_THREAD": self.ions_per_thread,
            "MOST_THREADS": self.most_threads,
            "BLOCKS_PER_PROCESSOR": self.blocks_per_processor,
        }

    @property
    def shared_bytes(self) -> int:
        """Dynamic shared memory of a block."""
        floats = 4 * self.stride + (WAVES + 3) + self.threads // WARP * WAVES
        return 4 * floats


def slit_record(system: SlitSystem, settings: RunSettings, replica: int) -> np.ndarray:
    """Return the constants of a replica, shape () of `SLIT`."""
    length = system.box_length
    split = splitting(system.confinement_length / length, settings.electrostatics)
    d_positive, d_negative = system.diameters
    wall_size, wall_position = wall_geometry(system)
    _, middle, contact = empty_tally(system, BINS, 0).limits
    low = settings.seed & 0xFFFFFFFF
    record = np.zeros((), SLIT)
    record["positive_count"], record["count"] = system.counts[0], system.ion_count
    record["seed"], record["replica"] = (low, settings.seed >> 32), replica
    record["time_step"] = settings.time_step * system.smaller_diameter / length
    record["memory"] = memory(system, settings)
    record["coulomb_scale"] = system.bjerrum_length / length
    mean = (d_positive + d_negative) / 2
    record["pair_size"] = np.array([d_positive, mean, d_negative]) / length
    record["wall_size"], record["wall_position"] = wall_size / length, wall_position / length
    record["valency"] = system.valencies
    record["short_terms"], record["short_range2"] = split.short, split.short_range**2
    record["inverse_height"] = 1 / split.height
    record["skin"] = SKIN * max(system.diameters) / length
    record["half_width"] = system.confinement_length / 2 / length
    record["middle"], record["contact"] = middle / length, contact / length
    record["mobility"] = RELAXATION_MOBILITY / length**2
    record["largest_move"] = LARGEST_RELAXATION * system.smaller_diameter / length
    record["weights"] = _weights(split)
    return record


def memory(system: SlitSystem, settings: RunSettings) -> float:
    """Return the factor by which the thermostat damps velocities in a Coulomb interval."""
    if settings.thermostat != "langevin":
        return 1.0
    interval = settings.time_step * settings.coulomb_split
    return math.exp(-FRICTION / system.diameter_ratio * interval)


def constant_energy(system: SlitSystem, settings: RunSettings) -> float:
    """Return the energy of the ions with all images minus that computed by the kernel (k_BT).

    The kernel includes the energy of each ion in its own waves.
    """
    split = splitting(system.confinement_length / system.box_length, settings.electrostatics)
    squares = np.dot(system.counts, np.square(system.valencies))
    own = split.constant - 0.5 * float(split.waves.sum())
    return float(system.bjerrum_length / system.box_length * own * squares)


def _weights(split: Splitting) -> np.ndarray:
    table = np.zeros(np.max(ORDERS, axis=0) + 1)
    a, b, m = split.waves.shape
    table[:a, :b, :m] = split.waves
    return table[tuple(np.transpose(ORDERS))]
