"""NVIDIA cards, through the CUDA driver.

`cuda.bindings` is a thin binding to the driver and NVRTC, shipped as wheels; CuPy would add an
array library that the engine does not need.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from backend.engines.cuda.card import NO_CARD, check_card
from backend.engines.cuda.compiler import cubin, nvrtc_version
from backend.engines.cuda.slit import Shape
from backend.sampling.result import SimulationError

INSTALL = 'run pip install "nanoconf[cuda]"'


class Nvidia:
    """The first card that ``CUDA_VISIBLE_DEVICES`` allows: see `device.Device`."""

    def __init__(self) -> None:
        check_card()
        from cuda.bindings import driver

        self._driver = driver
        device = self._call("cuDeviceGet", 0)
        context = self._call("cuDevicePrimaryCtxRetain", device)
        self._call("cuCtxSetCurrent", context)
        self.name = self._call("cuDeviceGetName", 128, device).split(b"\0")[0].decode()
        capability = driver.CUdevice_attribute
        major, minor = (
            int(self._call("cuDeviceGetAttribute", each, device))
            for each in (
                capability.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                capability.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )
        )
        self.architecture = 10 * major + minor
        version = int(self._call("cuDriverGetVersion"))
        self.versions = {
            "card": self.name,
            "cuda-driver": f"{version // 1000}.{version % 1000 // 10}",
            "nvrtc": nvrtc_version(),
        }
        self._functions: dict[tuple[str, tuple], Any] = {}

    def allocate(self, size: int) -> int:
        """Return the address of `size` bytes of device memory, all zero."""
        address = int(self._call("cuMemAlloc", size))
        self.zero(address, size)
        return address

    def free(self, address: int) -> None:
        """Free memory that `allocate` returned."""
        self._call("cuMemFree", address)

    def write(self, address: int, values: np.ndarray) -> None:
        """Copy an array to device memory."""
        self._call("cuMemcpyHtoD", address, values.ctypes.data, values.nbytes)

    def read(self, address: int, values: np.ndarray) -> None:
        """Copy device memory to an array, after all launches."""
        self._call("cuMemcpyDtoH", values.ctypes.data, address, values.nbytes)

    def zero(self, address: int, size: int) -> None:
        """Set device memory to zero."""
        self._call("cuMemsetD8", address, 0, size)

    def launch(self, kernel: str, shape: Shape, blocks: int, arguments: ctypes.Array) -> None:
        """Run a kernel; it is compiled at first use."""
        function, stream = self._function(kernel, shape), 0
        grid, block = (blocks, 1, 1), (shape.threads, 1, 1)
        pointers = ctypes.addressof(arguments)
        memory = shape.shared_bytes
        self._call("cuLaunchKernel", function, *grid, *block, memory, stream, pointers, 0)

    def _function(self, kernel: str, shape: Shape) -> Any:
        key = kernel, tuple(shape.definitions.values())
        if key not in self._functions:
            try:
                code = cubin(shape, self.architecture)
            except RuntimeError as error:
                raise SimulationError(f"{error}: {INSTALL}", NO_CARD) from error
            module = self._call("cuModuleLoadData", code)
            function = self._call("cuModuleGetFunction", module, kernel.encode())
            attribute = self._driver.CUfunction_attribute
            largest = attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            self._call("cuFuncSetAttribute", function, largest, 99 * 1024)
            self._functions[key] = function
        return self._functions[key]

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call the driver; return its value, or raise `SimulationError`."""
        status, *values = getattr(self._driver, name)(*arguments)
        if status != self._driver.CUresult.CUDA_SUCCESS:
            card = f"the card {getattr(self, 'name', '')}".rstrip()
            problem = f"{card} has failed ({name}: {status.name})"
            raise SimulationError(f"{problem}: run nvidia-smi, then try again", "card-failed")
        return values[0] if values else None
