"""Compilation of ``slit.cu`` by NVRTC, and the cache of its machine code."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend.engines.cuda.slit import SOURCE, Shape
from backend.environment import default_folder
from backend.files import written_whole
from backend.inputs import InvalidInput

VARIABLE = "XDG_CACHE_HOME"
"""Environment variable that names the folder of all caches of a user."""

ARCHITECTURES = (80, 86, 89, 90, 100, 120)
"""Compute capabilities, times ten, for which tests compile the kernels."""

OPTIONS = ("--std=c++17", "--fmad=true")


def options(shape: Shape, architecture: int) -> list[str]:
    """Return the options of NVRTC for a shape and a compute capability, times ten."""
    definitions = [f"-D{name}={value}" for name, value in shape.definitions.items()]
    return [*OPTIONS, f"--gpu-architecture=sm_{architecture}", *definitions]


def cubin(shape: Shape, architecture: int) -> bytes:
    """Return the machine code of the kernels, compiled at first use."""
    path = _cached(shape, architecture)
    if path is not None and path.exists():
        return path.read_bytes()
    code = compiled(shape, architecture)
    if path is not None:
        with suppress(OSError):  # the next process compiles again, which takes a few seconds
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as stream:
                stream.write(code)
    return code


def compiled(shape: Shape, architecture: int) -> bytes:
    """Compile the source with NVRTC.

    Raises
    ------
    RuntimeError
        NVRTC is not installed, is too old for the card, or rejects the source.
    """
    from cuda.bindings import nvrtc

    source = SOURCE.read_bytes()
    program = _checked(nvrtc.nvrtcCreateProgram(source, SOURCE.name.encode(), 0, [], []))
    chosen = [option.encode() for option in options(shape, architecture)]
    try:
        (status,) = nvrtc.nvrtcCompileProgram(program, len(chosen), chosen)
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise RuntimeError(f"NVRTC cannot compile for sm_{architecture}: {_log(program)}")
        code = b" " * _checked(nvrtc.nvrtcGetCUBINSize(program))
        _checked(nvrtc.nvrtcGetCUBIN(program, code))
        return code
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def nvrtc_version() -> str:
    """Return the version of NVRTC."""
    from cuda.bindings import nvrtc

    status, major, minor = nvrtc.nvrtcVersion()
    _checked((status,))
    return f"{major}.{minor}"


def _cached(shape: Shape, architecture: int) -> Path | None:
    """Return the file for the machine code; None if the user has no home folder."""
    parts = [*options(shape, architecture), nvrtc_version()]
    key = hashlib.sha256(SOURCE.read_bytes() + "\n".join(parts).encode()).hexdigest()
    try:
        return default_folder("cache", VARIABLE) / "cuda" / f"{key[:16]}.cubin"
    except InvalidInput:
        return None


def _log(program: object) -> str:
    """Return the first line of the compiler's messages."""
    from cuda.bindings import nvrtc

    text = b" " * _checked(nvrtc.nvrtcGetProgramLogSize(program))
    nvrtc.nvrtcGetProgramLog(program, text)
    lines = text.decode(errors="replace").strip("\0 \n").splitlines()
    return lines[0] if lines else "it gives no reason"


def _checked(reply: tuple) -> Any:
    """Return the value of a call; raise `RuntimeError` if it failed."""
    from cuda.bindings import nvrtc

    status, *values = reply
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise RuntimeError(f"NVRTC: {status.name}")
    return values[0] if values else None
