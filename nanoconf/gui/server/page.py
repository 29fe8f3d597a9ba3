"""The page, and the queue for it."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, authenticated
from voila.tornado.handler import TornadoVoilaHandler

from nanoconf.gui.server.places import FORGOTTEN_SECONDS, POLL_SECONDS
from nanoconf.gui.server.plain import PlainErrors, answer_page, set_policy
from nanoconf.gui.server.teacher import QUERY, ask
from nanoconf.gui.services.visitor import NOBODY, Role

TICKET = "nanoconf-place"
LONGEST_TICKET = 64
DIED = """<script>
document.body.replaceChildren("The page could not be loaded: its process ended. Reload the page.");
</script>"""
"""End of a page whose kernel died while it was loading."""

SCRIPT = re.compile(r"<script\b")

KERNEL_DIED = ("Kernel died", "Kernel didn't respond")
"""Beginnings of jupyter_client's errors when a kernel dies before it answers, or never answers."""


def report_unless_kernel_died(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log the exception of a task that nobody awaits; the page itself reports a dead kernel.

    Voila starts such a task for every page.
    """
    error = context.get("exception")
    if not (isinstance(error, RuntimeError) and str(error).startswith(KERNEL_DIED)):
        loop.default_exception_handler(context)


async def end(task: asyncio.Future[None]) -> None:
    """Cancel a task and wait until it has ended, however it ends."""
    while not task.done():
        # more than once: `asyncio.wait_for` ignores it when its result has just arrived
        task.cancel()
        await asyncio.wait({task}, timeout=0.1)
    if not task.cancelled():
        task.exception()  # otherwise asyncio logs it


def without_token(address: str) -> str:
    """Return an address, relative to itself, without the parameter ``token``."""
    parts = urlsplit(address)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "token"]
    # Relative, so that the redirection stays on this server, and under the path of its proxy.
    return f"./{parts.path.rpartition('/')[2]}?{urlencode(query)}".removesuffix("?")


class PageHandler(PlainErrors, TornadoVoilaHandler):
    """Voila's page, if there is a place for it."""

    kernel_id = ""
    visitor = NOBODY

    def initialize(self, **options: Any) -> None:
        """Start without a kernel."""
        super().initialize(**options)
        self.died = asyncio.Event()

    @authenticated
    async def get(self) -> None:
        """Show the page or the queue; remove the token from the address first."""
        if "token" in self.request.query_arguments:
            self.redirect(without_token(self.request.uri or "/"))
            return
        gate: Any = self.identity_provider
        self.visitor = gate.visitor(self)
        if QUERY in self.request.query_arguments and self.visitor.role is Role.STUDENT:
            ask(self)
            return
        kernels: Any = self.kernel_manager
        ticket = self.get_cookie(TICKET)
        if not kernels.places.enter(ticket):
            self._show_queue(ticket)
            return
        if ticket:
            self.clear_cookie(TICKET, path=self.base_url)
        self.nonce = secrets.token_urlsafe(16)
        set_policy(self, self.settings["page_policy"], self.nonce)
        async with kernels.loading(self):
            await self._load()

    async def _load(self) -> None:
        """Write Voila's page; if its kernel dies meanwhile, say so: Voila would wait for ever."""
        asyncio.get_running_loop().set_exception_handler(report_unless_kernel_died)
        page = asyncio.ensure_future(super().get())
        death = asyncio.ensure_future(self.died.wait())
        await asyncio.wait({page, death}, return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        if page.done():
            await page
        else:
            await end(page)
            self.write(DIED)

    def _show_queue(self, ticket: str | None) -> None:
        """Show the page's position in the queue, which it keeps if it claims its place too late."""
        places = self.kernel_manager.places
        if ticket is None or not places.is_waiting(ticket):
            ticket = secrets.token_urlsafe(16)
        ahead = places.ask(ticket) or 0
        self.set_status(503)
        self.set_header("Retry-After", str(POLL_SECONDS))
        answer_page(self, "queue.html", ticket=ticket, ahead=ahead, poll_seconds=POLL_SECONDS)

    def write(self, chunk: Any) -> None:
        """Write a chunk of the page, with the nonce in its scripts.

        All of them are Voila's: it embeds the output of cells as escaped JSON.
        """
        nonce = getattr(self, "nonce", None)
        if nonce and isinstance(chunk, str):
            chunk = SCRIPT.sub(f'<script nonce="{nonce}"', chunk)
        super().write(chunk)

    def should_use_rendered_notebook(self, *arguments: Any) -> bool:
        """Return True if a kernel started in advance will do: it is not tied to a visitor."""
        return self.visitor == NOBODY and super().should_use_rendered_notebook(*arguments)

    @property
    def gone(self) -> bool:
        """True if nobody is waiting for the page; its kernel ends after it has run the cell.

        Tornado calls `on_connection_close` only if the connection was open when it started `get`.
        """
        stream = self.request.connection.stream
        return stream is None or stream.closed()


class QueueHandler(PlainErrors, JupyterHandler):
    """Tells a waiting page how many are ahead of it."""

    @authenticated
    async def get(self) -> None:
        """Answer as JSON; a reserved place is handed over as a cookie."""
        ticket = self.get_query_argument("ticket", "")
        if not 0 < len(ticket) <= LONGEST_TICKET:
            raise HTTPError(400)
        kernels: Any = self.kernel_manager
        ahead = kernels.places.ask(ticket)
        if ahead is None:
            self.set_cookie(
                TICKET,
                ticket,
                path=self.base_url,
                max_age=int(FORGOTTEN_SECONDS),
                httponly=True,
                samesite="Lax",
            )
        self.set_header("Cache-Control", "no-store")
        self.finish({"ahead": ahead})
