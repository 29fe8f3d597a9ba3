"""The browser's side of the page: what it remembers, its size, and whether it is there."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from anywidget import AnyWidget
from traitlets import Dict, Tuple

SILENCE_SECONDS = 300.0
"""A page that is open, even hidden, speaks at least once a minute."""


class Browser(AnyWidget):
    """An invisible widget that speaks with ``browser.js``.

    Attributes
    ----------
    memory : dict
        JSON that survives a reload of the page: this browser's owner key, what was typed, the last
        run, the tab. What is set here is stored there.
    stage : tuple of int
        Width and height (CSS pixels) of the room for a figure.
    """

    _esm = Path(__file__).with_name("browser.js")

    memory = Dict().tag(sync=True)
    stage = Tuple((0, 0)).tag(sync=True)

    def __init__(self, on_open: Callable[[dict[str, Any]], None]):
        super().__init__()
        self.last_heard: float | None = None
        self._on_open = on_open
        self.on_msg(self._hear)

    def _hear(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        self.last_heard = time.monotonic()
        if message.get("type") == "pulse":
            self.send({"type": "alive"})
        elif message.get("type") == "opened":
            self._on_open(message.get("memory") or {})

    def deliver(self, name: str, content: bytes, kind: str = "application/octet-stream") -> None:
        """Hand a file to the user, of some media type, as if a link to it had been clicked."""
        self.send({"type": "file", "name": name, "kind": kind}, [content])

    def silent_for(self, since: float) -> float:
        """Seconds since the page last spoke, or since a moment if it never did."""
        return time.monotonic() - (self.last_heard or since)


def under_voila() -> bool:
    """Whether Voila started this kernel, for a page that asked for it."""
    return "VOILA_KERNEL_ID" in os.environ and os.environ.get("VOILA_PREHEAT") != "True"


def ask_voila_to_end_this_kernel() -> None:
    """Ask the server to end this kernel; one that merely ended itself would be started again.

    The page asks when it is closed; this is for pages that vanish without a word.
    """
    host, port = os.environ.get("SERVER_NAME"), os.environ.get("SERVER_PORT")
    path = os.environ.get("VOILA_SERVER_URL", "/")
    kernel = os.environ.get("VOILA_KERNEL_ID")
    token = secrets.token_hex(16)
    request = Request(
        f"http://{host}:{port}{path}voila/api/shutdown/{kernel}",
        data=f"_xsrf={token}".encode(),
        headers={"Cookie": f"_xsrf={token}"},
    )
    # Behind a proxy that asks for a password this fails; whoever runs one ends idle servers too.
    with contextlib.suppress(OSError):
        urlopen(request, timeout=10).close()
