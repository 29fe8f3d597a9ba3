"""Ions in nanoconfinement: the surrogate, the page and the command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backend import __version__ as __version__

if TYPE_CHECKING:
    from backend.system import SlitSystem as SlitSystem
    from nanoconf.api import simulate as simulate
    from nanoconf.surrogate import Surrogate as Surrogate

_MODULES = {
    "SlitSystem": "backend.system",
    "simulate": "nanoconf.api",
    "Surrogate": "nanoconf.surrogate",
}

__all__ = ["SlitSystem", "Surrogate", "simulate"]


def __getattr__(name: str) -> Any:
    # Modules are imported on first use, so that `import nanoconf` is fast.
    if name not in _MODULES:
        raise AttributeError(f"module 'nanoconf' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
