"""An event loop like a kernel's, for panels that draw figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.support.homes import PATIENCE

T = TypeVar("T")


def on_a_page(page: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run a coroutine in an event loop, as in a kernel, and return its result.

    It runs in its own thread: the thread of the browser tests has the loop of Playwright.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asyncio.wait_for(page(), PATIENCE)).result()


async def soon(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, while the event loop runs."""
    while not condition():
        await asyncio.sleep(0.01)
