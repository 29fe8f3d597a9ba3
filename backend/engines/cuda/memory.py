"""Arrays in the memory of a device."""

from __future__ import annotations

import ctypes
import math

import numpy as np

from backend.engines.cuda.device import Device

MANY = 4
"""All rows are copied at once if more than 1/MANY of them are requested."""


class DeviceArray:
    """Array in the memory of a device, with one row for each replica.

    Parameters
    ----------
    device : Device
    shape : tuple of int
        The first dimension is the number of replicas.
    dtype : data type
    """

    def __init__(self, device: Device, shape: tuple[int, ...], dtype: np.dtype | type):
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._device = device
        self._row = math.prod(shape[1:]) * self.dtype.itemsize
        self.address = device.allocate(shape[0] * self._row)

    @property
    def pointer(self) -> ctypes.c_void_p:
        """Address of the array as the argument of a kernel."""
        return ctypes.c_void_p(self.address)

    def get(self) -> np.ndarray:
        """Return a copy of all rows."""
        values = np.empty(self.shape, self.dtype)
        self._device.read(self.address, values)
        return values

    def get_row(self, index: int) -> np.ndarray:
        """Return a copy of one row."""
        values = np.empty(self.shape[1:], self.dtype)
        self._device.read(self.address + index * self._row, values)
        return values

    def set_row(self, index: int, values: np.ndarray) -> None:
        """Overwrite one row."""
        row = np.ascontiguousarray(np.broadcast_to(values, self.shape[1:]), self.dtype)
        self._device.write(self.address + index * self._row, row)

    def get_rows(self, indices: list[int]) -> np.ndarray:
        """Return a copy of some rows."""
        if len(indices) * MANY > self.shape[0]:
            return self.get()[indices]
        return np.array([self.get_row(index) for index in indices])

    def zero_row(self, index: int) -> None:
        """Set one row to zero."""
        self._device.zero(self.address + index * self._row, self._row)

    def fill(self, value: int) -> None:
        """Set all elements to a value."""
        if value == 0:
            self._device.zero(self.address, self.shape[0] * self._row)
        else:
            self._device.write(self.address, np.full(self.shape, value, self.dtype))

    def free(self) -> None:
        """Free the memory."""
        self._device.free(self.address)
