"""Does the newest of what is asked for, and drops what was overtaken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any


class Latest:
    """An action that is asked for faster than it can be done.

    One is under way, one waits; a newer request takes the place of the one that waits.

    Parameters
    ----------
    executor : Executor
        Where it is done.
    action : callable
        What is done.
    failed : callable, optional
        Is told, in the same thread, of an exception that the action did not expect; what is asked
        for next is done all the same.
    """

    def __init__(
        self,
        executor: Executor,
        action: Callable[..., None],
        failed: Callable[[Exception], None] = lambda _error: None,
    ):
        self._executor, self._action, self._failed = executor, action, failed
        self._lock = threading.Lock()
        self._wanted: tuple[Any, ...] | None = None
        self._busy = False

    def ask(self, *arguments: Any) -> None:
        """Do it with these arguments, soon, unless something newer is asked for first."""
        with self._lock:
            self._wanted = arguments
            if self._busy:
                return
            self._busy = True
        self._executor.submit(self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                arguments, self._wanted = self._wanted, None
                self._busy = arguments is not None
            if arguments is None:
                return
            try:
                self._action(*arguments)
            except Exception as error:
                self._failed(error)
