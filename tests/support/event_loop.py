"""An event loop like a kernel's, for panels that draw figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.homes import PATIENCE


def on_a_page(page: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in an event loop, as in a kernel.

    It runs in its own thread, because Playwright leaves a running loop in the thread of the tests.
    """
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, asyncio.wait_for(page(), PATIENCE)).result()


async def soon(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, while the event loop runs."""
    while not condition():
        await asyncio.sleep(0.01)
