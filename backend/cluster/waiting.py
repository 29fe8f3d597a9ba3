"""Saying what is being waited for, once it has taken a moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

NOTICE_SECONDS = 3.0
"""How long something may take before it is named."""

Say = Callable[[str], None]
"""Tells people, in a line, what is being waited for; may be called from another thread."""


def nobody(_line: str) -> None:
    """Tell nobody."""


@contextlib.contextmanager
def waiting(say: Say, line: str, seconds: float = NOTICE_SECONDS) -> Iterator[None]:
    """Say a line if what is done here takes longer than so many seconds.

    Parameters
    ----------
    say : callable
    line : str
        What is being waited for; nothing is said where it is empty.
    seconds : float
        How long it may take without a word.
    """
    clock = threading.Timer(seconds, say if line else nobody, [line])
    clock.daemon = True
    clock.start()
    try:
        yield
    finally:
        clock.cancel()
        clock.join()  # so that the line never comes after what follows
