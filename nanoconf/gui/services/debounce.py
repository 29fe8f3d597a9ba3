"""Debounced actions: many requests in quick succession cause one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SETTLE_SECONDS = 0.04
"""Time (s) within which related changes arrive."""


class Debounced:
    """An action that runs once, after a delay, for all requests made in the meantime.

    Parameters
    ----------
    action : callable
        The action; it runs on the current event loop.
    seconds : float
        The delay after the first request (s).
    """

    def __init__(self, action: Callable[[], None], seconds: float = SETTLE_SECONDS):
        self._action, self._seconds = action, seconds
        self._due: asyncio.TimerHandle | None = None

    def request(self, *, immediately: bool = False) -> None:
        """Request the action; `immediately` skips the delay."""
        if self._due is not None:
            if not immediately:
                return
            self._due.cancel()
        delay = 0.0 if immediately else self._seconds
        self._due = asyncio.get_running_loop().call_later(delay, self._run)

    def _run(self) -> None:
        self._due = None
        self._action()
