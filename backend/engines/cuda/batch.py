"""Replicas that advance together: one launch of a kernel, one block per replica."""

from __future__ import annotations

import time
from ctypes import c_int
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backend.engines.cuda.device import Device, packed
from backend.engines.cuda.memory import DeviceArray
from backend.engines.cuda.slit import (
    FIXED_POINT,
    NEIGHBOURS,
    NO_PROBLEM,
    SERIES_COLUMNS,
    SLIT,
    STATE_ROWS,
    Shape,
)
from backend.profiles.bins import BINS
from backend.sampling.dynamics import RELAXATION_STEPS

LAUNCH_SECONDS = 0.25
"""Intended duration of a launch: half of what display watchdogs allow."""


@dataclass(frozen=True)
class Rhythm:
    """Times that all replicas of a batch have in common.

    Attributes
    ----------
    rows : int
        Rows of the time series in a chunk.
    samples_per_row : int
        Samples averaged in a row.
    intervals : int
        Coulomb intervals per sample.
    split : int
        Time steps per Coulomb interval.
    """

    rows: int
    samples_per_row: int
    intervals: int
    split: int

    @property
    def samples(self) -> int:
        """Samples in a chunk."""
        return self.rows * self.samples_per_row


@dataclass(frozen=True)
class Chunk:
    """Sums over one chunk, by replica.

    Attributes
    ----------
    series : ndarray, shape (replicas, rows, 8)
        Sums over the samples of a row, in units of the kernel.
    energy : ndarray, shape (replicas,)
        Potential energy at the end without the constant of `slit.constant_energy` (k_BT).
    problem : ndarray, shape (replicas,)
        Problem of each replica, `NO_PROBLEM` if there is none.
    sample : ndarray, shape (replicas,)
        Sample of the chunk in which the problem occurred.
    """

    series: np.ndarray
    energy: np.ndarray
    problem: np.ndarray
    sample: np.ndarray

    @cached_property
    def any_problem(self) -> bool:
        """True if there is a problem in any replica."""
        return bool((self.problem != NO_PROBLEM).any())


class Batch:
    """Slots of a device for replicas with the same shape and rhythm; all slots start empty.

    Parameters
    ----------
    device : Device
    shape : Shape
    rhythm : Rhythm
    slots : int
        Largest number of replicas.
    """

    def __init__(self, device: Device, shape: Shape, rhythm: Rhythm, slots: int):
        self.shape, self.rhythm, self.slots = shape, rhythm, slots
        self._device = device

        def array(dtype: np.dtype | type, *row: int) -> DeviceArray:
            return DeviceArray(device, (slots, *row), dtype)

        self.slits = array(SLIT)
        self.state = array(np.float32, STATE_ROWS, shape.stride)
        self._list = array(np.uint16, NEIGHBOURS, shape.stride)
        self.profiles = array(np.int64, 2, 3, BINS)
        self._series = array(np.int64, rhythm.rows, SERIES_COLUMNS)
        self._energy = array(np.int64)
        self.clock = array(np.uint64)
        self._status = array(np.int32)
        self._rows_per_launch = 1

    def place(self, slot: int, slit: np.ndarray, state: np.ndarray, clock: int = 0) -> None:
        """Put a replica into a slot.

        Parameters
        ----------
        slot : int
        slit : ndarray, shape () of `SLIT`
        state : ndarray, shape (12, ions)
            Positions, velocities, contact and Coulomb forces in units of the kernel.
        clock : int
            Coulomb intervals since the start, which determine the noise.
        """
        padded = np.zeros((STATE_ROWS, self.shape.stride), np.float32)
        padded[:, : state.shape[1]] = state
        self.slits.set_row(slot, slit)
        self.state.set_row(slot, padded)
        self.clock.set_row(slot, np.array(clock))
        self.profiles.zero_row(slot)

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        self.slits.set_row(slot, np.zeros((), SLIT))

    def prepare(self, steps: int = RELAXATION_STEPS) -> np.ndarray:
        """Remove overlaps and compute all forces; return the energies as in `Chunk`."""
        self._energy.fill(0)
        self._status.fill(NO_PROBLEM)
        pointers = [a.pointer for a in (self.slits, self.state, self._list)]
        sums = [self._energy.pointer, self._status.pointer, c_int(steps)]
        self._device.launch("prepare", self.shape, self.slots, packed([*pointers, *sums]))
        return self._energy.get() / FIXED_POINT

    def advance(self) -> Chunk:
        """Advance all replicas by a chunk, in launches of bounded duration."""
        rows, per_row = self.rhythm.rows, self.rhythm.samples_per_row
        problem = np.full(self.slots, NO_PROBLEM, np.int64)
        sample = np.zeros(self.slots, np.int64)
        self._series.fill(0)
        first = 0
        while first < rows:
            many = min(self._rows_per_launch, rows - first)
            status = self._launch(first, many)
            new = (status != NO_PROBLEM) & (problem == NO_PROBLEM)
            problem[new], sample[new] = status[new] % 4, first * per_row + status[new] // 4
            first += many
        return Chunk(self._series.get(), self._energy.get() / FIXED_POINT, problem, sample)

    def _launch(self, first: int, rows: int) -> np.ndarray:
        """Advance by some rows of the chunk; return the status of all replicas."""
        rhythm = self.rhythm
        self._energy.fill(0)
        self._status.fill(NO_PROBLEM)
        arrays = (self.slits, self.state, self._list, self.profiles, self._series, self._energy)
        numbers = (first, rows, rhythm.rows, rhythm.samples_per_row, rhythm.intervals, rhythm.split)
        arguments = [
            *(each.pointer for each in (*arrays, self.clock, self._status)),
            *(c_int(number) for number in numbers),
        ]
        began = time.monotonic()
        self._device.launch("advance", self.shape, self.slots, packed(arguments))
        status = self._status.get()  # waits for the launch
        per_row = (time.monotonic() - began) / rows
        # the division into launches does not affect the results, so it may depend on timing
        self._rows_per_launch = max(1, min(2 * rows, int(LAUNCH_SECONDS / max(per_row, 1e-9))))
        return status

    def free(self) -> None:
        """Free the memory of the device."""
        for each in vars(self).values():
            if isinstance(each, DeviceArray):
                each.free()
