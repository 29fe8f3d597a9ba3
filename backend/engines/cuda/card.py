"""Check for a card. The check loads NVIDIA's driver but neither SciPy nor the engine."""

from __future__ import annotations

import ctypes
import os

from backend.extras import missing
from backend.sampling.result import SimulationError

NO_CARD = "no-card"
"""Name of the error if there is no usable card."""

LIBRARY = "libcuda.so.1"


def check_card() -> None:
    """Raise `SimulationError` if there is no usable card.

    The message says in one line what was looked for, what was found, and what to install.
    """
    if line := missing("cuda", "The CUDA engine"):
        raise SimulationError(line, NO_CARD)
    try:
        driver = ctypes.CDLL(LIBRARY)
    except OSError:
        raise _no_card(f"the library {LIBRARY} of NVIDIA's driver is not installed") from None
    if status := driver.cuInit(0):
        raise _no_card(f"the driver reports {_name(driver, status)}")
    count = ctypes.c_int()
    if driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = "" if visible is None else f" (CUDA_VISIBLE_DEVICES={visible})"
        raise _no_card(f"the driver finds none{hidden}")


def _name(driver: ctypes.CDLL, status: int) -> str:
    """Return the name of a driver error."""
    name = ctypes.c_char_p()
    driver.cuGetErrorName(status, ctypes.byref(name))
    return (name.value or b"error %d" % status).decode()


def _no_card(found: str) -> SimulationError:
    line = (
        f"The CUDA engine needs an NVIDIA card and its driver, but {found}: install NVIDIA's driver"
        f" (525 or later) on a computer with a card, or choose --engine numba"
    )
    return SimulationError(line, NO_CARD)
