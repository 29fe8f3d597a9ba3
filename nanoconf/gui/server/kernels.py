"""Kernels of open pages: how many there may be, and when they end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import psutil
from jupyter_server import CallContext
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from nbclient.exceptions import DeadKernelError
from tornado.web import Finish
from traitlets import Float, Integer, default

from nanoconf.gui.server.places import Places
from nanoconf.gui.services.visitor import Visitor

MAX_PAGES = "NANOCONF_MAX_PAGES"

PAGE_BYTES = 200e6
"""Memory of a page (bytes), for the default number of pages.

Measured by ``python -m benchmarks.page --memory`` (proportional set size of its kernel): 114 MB
when it opens, 160 MB once it has shown a simulation, the profiles and Trends, and 348 MB after all
tabs. With `SHARE`, all pages together take 87 % of the memory even if each has shown everything.
"""

SHARE = 0.5
"""Share of the memory that pages may use by default; simulations need the rest."""

FEWEST = 2
"""Minimum number of places: a reloaded page briefly needs a second one."""

DEATH_SECONDS = 1.0
"""Interval at which the kernel of a loading page is checked."""

RESTART_SECONDS = 10.0
"""Longest time to wait for a kernel that is restarting, before it is ended."""

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Load(Protocol):
    """Request that loads a page.

    Attributes
    ----------
    kernel_id : str
        ID of its kernel; empty until one is started.
    died : asyncio.Event
        To be set when the kernel has died.
    visitor : Visitor
        Visitor to whom the browser belongs.
    """

    kernel_id: str
    died: asyncio.Event
    visitor: Visitor

    @property
    def gone(self) -> bool:
        """True once the browser has closed the connection."""


def memory() -> float:
    """Return the memory of this computer or, if it is less, of this container (bytes)."""
    total = float(psutil.virtual_memory().total)
    with suppress(OSError, ValueError):
        total = min(total, float(CGROUP_LIMIT.read_text(encoding="ascii")))
    return total


def default_pages() -> int:
    """Return the number of pages that may be open at the same time.

    Raises
    ------
    ValueError
        If ``NANOCONF_MAX_PAGES`` is not a positive number.
    """
    text = os.environ.get(MAX_PAGES, "").strip()
    if not text:
        return max(FEWEST, int(SHARE * memory() / PAGE_BYTES))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"{MAX_PAGES}={text!r} must be a whole number of at least 1.")
    return int(text)


def is_not_death(record: logging.LogRecord) -> bool:
    """Return False for Voila's report of a kernel that died while running its cell.

    The report has a traceback; the page says so, and nbclient logs it in one line.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], DeadKernelError))


class PageKernels(AsyncMappingKernelManager):
    """Kernel manager that knows which page each kernel belongs to.

    Attributes
    ----------
    max_pages : int
        Pages that may be open at the same time.
    unopened_seconds : float
        Time for the browser to connect to the kernel after it has received the page, or has last
        asked for the kernel, which it does while it loads the page's scripts.
    disconnected_seconds : float
        Time for it to connect again after the connection was lost.
    places : Places
        The places for pages, and the queue.
    """

    max_pages = Integer(min=1, config=True)
    unopened_seconds = Float(45.0, config=True)
    disconnected_seconds = Float(120.0, config=True)

    # Jupyter's own timer checks for kernels to end; `cull_kernel_if_idle` decides.
    cull_interval = Integer(2, config=True)
    cull_idle_timeout = Integer(1, config=True)

    @default("max_pages")
    def _default_max_pages(self) -> int:
        try:
            return default_pages()
        except ValueError as error:
            raise SystemExit(str(error)) from None

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.places = Places(self.max_pages, self.open_pages)
        self._loads: set[Load] = set()
        self._ending: set[str] = set()
        self._emptied: set[str] = set()  # died and were restarted without the page
        self._watching: set[asyncio.Future[None]] = set()
        self._deadlines: dict[str, float] = {}
        self.log.addFilter(is_not_death)

    def open_pages(self) -> int:
        """Return the number of pages that are open or loading."""
        loading = {load.kernel_id for load in self._loads}
        others = set(self.list_kernel_ids()) - loading - self._ending
        return len(self._loads) + len(others)

    @asynccontextmanager
    async def loading(self, load: Load) -> AsyncIterator[None]:
        """Keep a place for a page while it loads; then wait for its browser to connect."""
        self._loads.add(load)
        try:
            yield
        finally:
            self._loads.discard(load)
            if (load.gone or load.died.is_set()) and load.kernel_id in self:
                await self.shutdown_kernel(load.kernel_id, now=True)  # it holds nothing yet
            self._expect_connection(load.kernel_id, self.unopened_seconds)

    async def start_kernel(self, **options: Any) -> str:  # type: ignore[override]
        """Start the kernel of the page that is loading, unless its browser has left."""
        load = CallContext.get(CallContext.JUPYTER_HANDLER)
        if load not in self._loads:  # Voila starts a kernel in advance
            return await super().start_kernel(**options)
        if load.gone:
            raise Finish
        load.kernel_id = options["kernel_id"] = str(uuid.uuid4())
        options["env"] = {**options["env"], **load.visitor.environment()}
        await super().start_kernel(**options)
        if load.gone:
            raise Finish
        for event in ("restart", "dead"):
            self.add_restart_callback(load.kernel_id, load.died.set, event)
        self.add_restart_callback(load.kernel_id, partial(self._emptied.add, load.kernel_id))
        self._watch_death(load)
        return load.kernel_id

    def _watch_death(self, load: Load) -> None:
        """Notice the death of the kernel of a loading page, which nbclient does not restart."""

        async def poll() -> None:
            while load in self._loads and load.kernel_id in self:
                if not await self.is_alive(load.kernel_id):
                    load.died.set()
                await asyncio.sleep(DEATH_SECONDS)

        self._watching.add(task := asyncio.ensure_future(poll()))
        task.add_done_callback(self._watching.discard)

    async def shutdown_kernel(  # type: ignore[override]
        self, kernel_id: str, now: bool = False, restart: bool = False
    ) -> None:
        """End a kernel. Its place is free at once, for the page that is being reloaded."""
        if kernel_id in self._ending:
            return
        if kernel_id in self:
            self._ending.add(kernel_id)
        now = now or kernel_id in self._emptied
        try:
            await self._prepare_end(kernel_id, now)
            await super().shutdown_kernel(kernel_id, now=now, restart=restart)
        finally:
            self._ending.discard(kernel_id)
            self._emptied.discard(kernel_id)
            self._deadlines.pop(kernel_id, None)

    async def _prepare_end(self, kernel_id: str, now: bool) -> None:
        """Wait while a kernel restarts; jupyter_client cannot end it in the meantime.

        One that is to end now is killed here, because jupyter_client would interrupt it first, and
        it would print a traceback if it is still starting.
        """
        if kernel_id not in self:
            return
        kernel: Any = self.get_kernel(kernel_id)
        latest = time.monotonic() + RESTART_SECONDS
        while not kernel.ready.done() and time.monotonic() < latest:
            await asyncio.wait({asyncio.wrap_future(kernel.ready)}, timeout=RESTART_SECONDS)
        if now and kernel.has_kernel:
            kernel.stop_restarter()
            with suppress(OSError):
                await kernel.signal_kernel(signal.SIGKILL)

    def notify_connect(self, kernel_id: str) -> None:
        """Note that a browser has connected."""
        super().notify_connect(kernel_id)
        self._deadlines.pop(kernel_id, None)

    def notify_disconnect(self, kernel_id: str) -> None:
        """Note that a browser has disconnected; it may return."""
        super().notify_disconnect(kernel_id)
        self._expect_connection(kernel_id, self.disconnected_seconds)

    def keep_for_page(self, kernel_id: str) -> None:
        """Wait longer for a browser that is still loading the page."""
        if kernel_id in self._deadlines:
            later = time.monotonic() + self.unopened_seconds
            self._deadlines[kernel_id] = max(self._deadlines[kernel_id], later)

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel whose browser has not connected in time, or that has lost its page."""
        if self.connections(kernel_id) or any(load.kernel_id == kernel_id for load in self._loads):
            return
        # A kernel that Voila started in advance has no deadline until its page is opened.
        self._expect_connection(kernel_id, self.unopened_seconds)
        if kernel_id in self._emptied or time.monotonic() > self._deadlines[kernel_id]:
            await self.shutdown_kernel(kernel_id)

    def connections(self, kernel_id: str) -> int:
        """Return the number of websockets that are connected to a kernel."""
        return self._kernel_connections.get(kernel_id, 0)

    def _expect_connection(self, kernel_id: str, seconds: float) -> None:
        if kernel_id in self and not self.connections(kernel_id):
            self._deadlines.setdefault(kernel_id, time.monotonic() + seconds)
