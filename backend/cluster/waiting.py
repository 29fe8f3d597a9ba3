"""Report waits that take more than a moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

NOTICE_SECONDS = 3.0
"""Duration after which a wait is reported (s)."""

Say = Callable[[str], None]
"""Called with a one-line description of the current wait, possibly from another thread."""


def nobody(_line: str) -> None:
    """Report nothing."""


@contextlib.contextmanager
def waiting(say: Say, line: str, seconds: float = NOTICE_SECONDS) -> Iterator[None]:
    """Report a line if the body takes longer than `seconds`.

    Parameters
    ----------
    say : callable
    line : str
        Description of the wait; an empty line is not reported.
    seconds : float
        Time until the line is reported.
    """
    clock = threading.Timer(seconds, say if line else nobody, [line])
    clock.daemon = True
    clock.start()
    try:
        yield
    finally:
        clock.cancel()
        clock.join()  # so that the line is never reported later
