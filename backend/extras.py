"""Optional packages: the extras of this project, and the line that installs them."""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS = {
    "train": (
        "TensorFlow, Keras, scikit-learn and pandas",
        ("tensorflow", "keras", "sklearn", "pandas"),
    ),
    "mcp": ("the MCP SDK", ("mcp",)),
    "cuda": ("CUDA's Python bindings and NVRTC", ("cuda.bindings", "nvidia.cuda_nvrtc")),
}
"""Packages of each extra, in words, and the modules that they provide."""


class MissingExtra(ImportError):
    """Raised if the packages of an extra are not installed; the message says how to install it."""


def missing(extra: str, purpose: str) -> str:
    """Return a line that says how to install an extra; empty if it is installed.

    Parameters
    ----------
    extra : str
        Name of the extra.
    purpose : str
        Work that needs it, the subject of the line.
    """
    title, modules = EXTRAS[extra]
    if all(_installed(module) for module in modules):
        return ""
    return f'{purpose} needs {title}: run pip install "nanoconf[{extra}]"'


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that should contain it
        return False


def require(extra: str, purpose: str) -> None:
    """Raise `MissingExtra` if an extra is not installed; the parameters are those of `missing`."""
    if line := missing(extra, purpose):
        raise MissingExtra(line)
