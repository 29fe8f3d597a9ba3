"""Websocket between a page and its kernel."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.web import HTTPError
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from nanoconf.gui.server.frames import PROTOCOL, Allowance, is_well_formed
from nanoconf.gui.server.plain import PlainErrors

MOST_CONNECTIONS = 4
"""Connections to one kernel: a page needs one, and a second for a moment when it reconnects."""

MALFORMED = 1007


class PageSocket(PlainErrors, VoilaKernelWebsocketHandler):
    """Voila's handler, after the limits and checks of `frames`.

    The size of a message is limited by tornado's setting ``websocket_max_message_size``, and its
    origin by jupyter_server, which compares it with the host.
    """

    _refused = False

    def initialize(self, **options: Any) -> None:
        """Start with a full allowance."""
        super().initialize(**options)
        self._allowance = Allowance()

    async def pre_get(self) -> None:
        """Refuse other protocols, kernels that are gone, and too many connections."""
        if PROTOCOL not in self.request.headers.get("Sec-WebSocket-Protocol", ""):
            raise HTTPError(400, "This server expects the websocket protocol %s.", PROTOCOL)
        if self.kernel_id not in self.kernel_manager:
            raise HTTPError(404, "This kernel has ended.")
        if self.kernel_manager.connections(self.kernel_id) >= MOST_CONNECTIONS:
            raise HTTPError(429, "This kernel has too many connections.")
        await super().pre_get()

    async def on_message(self, frame: str | bytes) -> None:  # type: ignore[override]
        """Pass a message on. The next one is read afterwards, so a delay slows the sender down."""
        if self._refused:
            return
        if not is_well_formed(frame):
            self._refuse()
            return
        await asyncio.sleep(self._allowance.delay(len(frame)))
        if self.connection is None:  # closed in the meantime
            return
        try:
            super().on_message(frame)
        except Exception:  # whatever jupyter_server cannot read
            self._refuse()

    def _refuse(self) -> None:
        self._refused = True
        self.log.warning("Closed a connection that sent a malformed message.")
        self.close(MALFORMED, "malformed message")
