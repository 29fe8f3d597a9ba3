"""Interface of a device that runs the kernels of ``slit.cu``.

`backend.engines.cuda.nvidia` implements it for graphics cards. The engine uses nothing else, so
another implementation can run it without a card.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from backend.engines.cuda.slit import Shape


class Device(Protocol):
    """Device with its own memory. Launches are queued; `read` waits for them.

    Attributes
    ----------
    name : str
        Name of the device, for messages and results.
    versions : dict of str to str
        Versions of the programs that compile and run the kernels.
    """

    name: str
    versions: dict[str, str]

    def allocate(self, size: int) -> int:
        """Return the address of `size` bytes of device memory, all zero."""

    def free(self, address: int) -> None:
        """Free memory that `allocate` returned."""

    def write(self, address: int, values: np.ndarray) -> None:
        """Copy an array to device memory."""

    def read(self, address: int, values: np.ndarray) -> None:
        """Copy device memory to an array."""

    def zero(self, address: int, size: int) -> None:
        """Set device memory to zero."""

    def launch(self, kernel: str, shape: Shape, blocks: int, arguments: ctypes.Array) -> None:
        """Run a kernel, compiled for a shape, with `shape.threads` threads in every block.

        `arguments` is what `packed` returns.
        """


def packed(arguments: Sequence[Any]) -> ctypes.Array:
    """Return an array of pointers to the arguments of a kernel, which are ctypes values."""
    pointers = (ctypes.c_void_p * len(arguments))()
    for i, each in enumerate(arguments):
        pointers[i] = ctypes.cast(ctypes.pointer(each), ctypes.c_void_p)
    pointers.values = arguments  # type: ignore[attr-defined]  # keeps them alive
    return pointers
