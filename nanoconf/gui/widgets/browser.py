"""Connection to the browser: its stored memory, its size, and its heartbeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from anywidget import AnyWidget
from traitlets import Dict, Int, Tuple, Unicode


class _Pixels(Int):
    """A width or height; larger ones would exhaust the memory."""

    def __init__(self) -> None:
        super().__init__(0, min=0, max=20_000)


class Browser(AnyWidget):
    """An invisible widget that communicates with ``browser.js``.

    Attributes
    ----------
    memory : dict
        JSON values for the browser to store across reloads of the page: the typed texts, the last
        run, the tab. It keeps its key itself, and sends it only when the page opens.
    stage : tuple of int
        Width and height (CSS pixels) of the space for a figure.
    fragment : str
        Fragment of the address that the browser shows, e.g. ``#lesson-3``; may be empty.

    Parameters
    ----------
    on_open : callable
        Receives the stored memory when the page has loaded. In it, ``search`` is the query of the
        address, and ``fragment`` its fragment, which is missing if the page was reloaded.
    on_navigate : callable
        Receives the fragment of the address when the user follows a link or goes back.
    """

    _esm = Path(__file__).with_name("browser.js")

    memory = Dict().tag(sync=True)
    stage = Tuple(_Pixels(), _Pixels(), default_value=(0, 0)).tag(sync=True)
    fragment = Unicode().tag(sync=True)

    def __init__(
        self, on_open: Callable[[dict[str, Any]], None], on_navigate: Callable[[str], None]
    ):
        super().__init__()
        self._on_open, self._on_navigate = on_open, on_navigate
        self.on_msg(self._receive)

    def _receive(self, _widget: Any, message: Any, _buffers: Any) -> None:
        if not isinstance(message, dict):
            return
        if message.get("type") == "pulse":
            self.send({"type": "alive"})
        elif message.get("type") == "opened":
            memory = message.get("memory")
            self._on_open(memory if isinstance(memory, dict) else {})
        elif message.get("type") == "navigated":
            self._on_navigate(str(message.get("fragment", "")))

    def deliver(self, name: str, content: bytes, kind: str = "application/octet-stream") -> None:
        """Download a file of the given media type in the browser."""
        self.send({"type": "file", "name": name, "kind": kind}, [content])
