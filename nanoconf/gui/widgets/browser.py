"""Connection to the browser: its stored memory, its size, and its heartbeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from anywidget import AnyWidget
from traitlets import Dict, Tuple, Unicode


class Browser(AnyWidget):
    """An invisible widget that communicates with ``browser.js``.

    Attributes
    ----------
    memory : dict
        JSON values that the browser stores across reloads of the page: its owner key, the typed
        texts, the last run, the tab.
    stage : tuple of int
        Width and height (CSS pixels) of the space for a figure.
    fragment : str
        Fragment of the address that the browser shows, e.g. ``#lesson-3``; may be empty.

    Parameters
    ----------
    on_open : callable
        Receives the stored memory when the page has loaded. In it, ``fragment`` is that of the
        address; it is missing if the page was reloaded.
    on_navigate : callable
        Receives the fragment of the address when the user follows a link or goes back.
    """

    _esm = Path(__file__).with_name("browser.js")

    memory = Dict().tag(sync=True)
    stage = Tuple((0, 0)).tag(sync=True)
    fragment = Unicode().tag(sync=True)

    def __init__(
        self, on_open: Callable[[dict[str, Any]], None], on_navigate: Callable[[str], None]
    ):
        super().__init__()
        self._on_open, self._on_navigate = on_open, on_navigate
        self.on_msg(self._receive)

    def _receive(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("type") == "pulse":
            self.send({"type": "alive"})
        elif message.get("type") == "opened":
            self._on_open(message.get("memory") or {})
        elif message.get("type") == "navigated":
            self._on_navigate(str(message.get("fragment", "")))

    def deliver(self, name: str, content: bytes, kind: str = "application/octet-stream") -> None:
        """Download a file of the given media type in the browser."""
        self.send({"type": "file", "name": name, "kind": kind}, [content])
