"""Report what is being waited for, once it takes more than a moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

NOTICE_SECONDS = 3.0
"""How long something may take before it is reported."""

Say = Callable[[str], None]
"""Reports, in one line, what is being waited for; may be called from another thread."""


def nobody(_line: str) -> None:
    """Report nothing."""


@contextlib.contextmanager
def waiting(say: Say, line: str, seconds: float = NOTICE_SECONDS) -> Iterator[None]:
    """Report a line if the body takes longer than some seconds.

    Parameters
    ----------
    say : callable
    line : str
        What is being waited for; an empty line is not reported.
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
