"""Execution of the latest request in the background; outdated requests are dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any


class Latest:
    """An action that is requested faster than it can run.

    At most one request runs and one waits; a new request replaces the waiting one.

    Parameters
    ----------
    executor : Executor
        Runs the action.
    action : callable
        The action.
    failed : callable, optional
        Called in the same thread with an unexpected exception of the action; later requests still
        run.
    """

    def __init__(
        self,
        executor: Executor,
        action: Callable[..., None],
        failed: Callable[[Exception], None] = lambda _error: None,
    ):
        self._executor, self._action, self._failed = executor, action, failed
        self._lock = threading.Lock()
        self._waiting: tuple[Any, ...] | None = None
        self._busy = False

    def request(self, *arguments: Any) -> None:
        """Run the action with these arguments, unless a newer request replaces this one."""
        with self._lock:
            self._waiting = arguments
            if self._busy:
                return
            self._busy = True
        self._executor.submit(self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                arguments, self._waiting = self._waiting, None
                self._busy = arguments is not None
            if arguments is None:
                return
            try:
                self._action(*arguments)
            except Exception as error:
                self._failed(error)
