"""Device of the shim: the kernels on the CPU, with the interface of a graphics card."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from backend.engines.cuda.slit import KERNELS, SOURCE, Shape

HERE = Path(__file__).parent


def require_compiler() -> None:
    """Skip the calling test if there is no g++; fail if the environment variable CI is set."""
    if shutil.which("g++"):
        return
    message = "THE CUDA KERNELS ARE NOT TESTED: install g++"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class ShimError(Exception):
    """Raised when the shim finds a fault that would hang a card."""


@cache
def library(source: Path, definitions: tuple[tuple[str, int], ...], kernels: tuple[str, ...]):
    """Compile a CUDA source with the shim and load it."""
    entries = " ".join(f"ENTRY({name})" for name in kernels)
    # hidden: the C library has functions of the same names as kernels, such as advance
    options = ["-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden"]
    options += ["-U_FORTIFY_SOURCE", "-Wno-unknown-pragmas"]
    defined = {"SOURCE": f'"{source}"', "KERNELS": entries, **dict(definitions)}
    files = [HERE / "shim.h", HERE / "shim.cpp", source]
    text = repr((options, defined)).encode() + b"".join(file.read_bytes() for file in files)
    user = os.getuid()
    folder = Path(tempfile.gettempdir()) / f"nanoconf-cuda-shim-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{hashlib.sha256(text).hexdigest()[:16]}.so"
    if not path.exists():
        new = path.with_suffix(f".{os.getpid()}")
        macros = [f"-D{name}={value}" for name, value in defined.items()]
        command = ["g++", *options, *macros, "-o", str(new), str(HERE / "shim.cpp")]
        subprocess.run(command, check=True)
        new.replace(path)
    return ctypes.CDLL(str(path))


class ShimDevice:
    """The CPU in place of a card. `descending` runs the threads of a block in reverse order."""

    def __init__(self, descending: bool = False, source: Path = SOURCE, kernels=KERNELS):
        require_compiler()
        self.name = "CPU shim"
        self.versions = {"cuda-shim": "1"}
        self._descending = descending
        self._source, self._kernels = source, kernels
        self._memory: dict[int, ctypes.Array] = {}

    def allocate(self, size: int) -> int:
        block = ctypes.create_string_buffer(size + 16)
        address = (ctypes.addressof(block) + 15) & ~15
        self._memory[address] = block
        return address

    def free(self, address: int) -> None:
        del self._memory[address]

    def write(self, address: int, values: np.ndarray) -> None:
        assert values.flags.c_contiguous
        ctypes.memmove(address, values.ctypes.data, values.nbytes)

    def read(self, address: int, values: np.ndarray) -> None:
        assert values.flags.c_contiguous
        ctypes.memmove(values.ctypes.data, address, values.nbytes)

    def zero(self, address: int, size: int) -> None:
        ctypes.memset(address, 0, size)

    def launch(self, kernel: str, shape: Shape, blocks: int, arguments: ctypes.Array) -> None:
        definitions = tuple(shape.definitions.items())
        function = library(self._source, definitions, self._kernels)[f"launch_{kernel}"]
        function.restype = ctypes.c_char_p
        message = function(
            ctypes.c_uint(blocks),
            ctypes.c_uint(shape.threads),
            ctypes.c_size_t(shape.shared_bytes),
            ctypes.c_int(self._descending),
            arguments,
        )
        if message:
            raise ShimError(message.decode())
