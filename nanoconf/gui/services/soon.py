"""Does once what many changes ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SETTLE_SECONDS = 0.04
"""How long changes that belong together may be apart."""


class Soon:
    """An action that is done a moment after it was asked for, once for all that ask meanwhile.

    Parameters
    ----------
    action : callable
        What is done, on the running loop.
    seconds : float
        How long more is waited for.
    """

    def __init__(self, action: Callable[[], None], seconds: float = SETTLE_SECONDS):
        self._action, self._seconds = action, seconds
        self._due: asyncio.TimerHandle | None = None

    def ask(self, *, at_once: bool = False) -> None:
        """Do it; ``at_once`` without waiting for more."""
        if self._due is not None:
            if not at_once:
                return
            self._due.cancel()
        delay = 0.0 if at_once else self._seconds
        self._due = asyncio.get_running_loop().call_later(delay, self._do)

    def _do(self) -> None:
        self._due = None
        self._action()
