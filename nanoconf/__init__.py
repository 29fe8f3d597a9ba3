"""Learns and shows: the surrogate, the page and the command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backend import __version__ as __version__

if TYPE_CHECKING:
    from backend.system import SlitSystem as SlitSystem
    from nanoconf.api import simulate as simulate
    from nanoconf.surrogate import Surrogate as Surrogate

_HOME_OF = {
    "SlitSystem": "backend.system",
    "simulate": "nanoconf.api",
    "Surrogate": "nanoconf.surrogate",
}

__all__ = ["SlitSystem", "Surrogate", "simulate"]


def __getattr__(name: str) -> Any:
    # Found when first asked for: `import nanoconf` itself costs nothing.
    if name not in _HOME_OF:
        raise AttributeError(f"module 'nanoconf' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
