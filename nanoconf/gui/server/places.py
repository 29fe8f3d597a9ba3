"""Queue for a limited number of open pages."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 3
"""Interval at which a waiting page asks for its place."""

PRESENT_SECONDS = 10.0
"""Silence after which a waiting page is passed over; it keeps its position."""

FORGOTTEN_SECONDS = 120.0
"""Silence after which a waiting page loses its position. Hidden pages ask once a minute."""

RESERVED_SECONDS = 15
"""Time to claim a free place. Later, others may take it, but the page keeps its position."""

MOST_WAITING = 1000
"""Maximum number of positions that are remembered."""


class Places:
    """Places for pages, and the queue for them.

    Parameters
    ----------
    limit : int
        Number of places.
    taken : callable
        Returns the number of places in use.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(
        self, limit: int, taken: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ):
        self.limit = limit
        self._taken, self._clock = taken, clock
        self._waiting: dict[str, float] = {}  # in order, with the time of the last poll
        self._reserved: dict[str, float] = {}  # with the time until which they hold

    def enter(self, ticket: str | None) -> bool:
        """Return True if a page may open: it has a reserved place, or one is free for anyone."""
        self._forget()
        reserved = ticket and self._reserved.pop(ticket, None) is not None
        if not reserved and self._free() <= self._ahead_of(ticket):
            return False
        self._waiting.pop(ticket or "", None)
        return True

    def is_waiting(self, ticket: str | None) -> bool:
        """Return True if a page has a position in the queue."""
        self._forget()
        return ticket in self._waiting

    def ask(self, ticket: str) -> int | None:
        """Return how many are ahead of a waiting page; None once a place is reserved for it."""
        self._forget()
        if ticket in self._reserved:
            return None
        if ticket in self._waiting or len(self._waiting) < MOST_WAITING:
            self._waiting[ticket] = self._clock()
        ahead = self._ahead_of(ticket)
        if self._free() <= ahead:
            return ahead
        self._reserved[ticket] = self._clock() + RESERVED_SECONDS
        return None

    def _free(self) -> int:
        return self.limit - self._taken() - len(self._reserved)

    def _ahead_of(self, ticket: str | None) -> int:
        """Return the number of pages still waiting ahead of a ticket; of all, if None."""
        present = self._clock() - PRESENT_SECONDS
        ahead = 0
        for other, seen in self._waiting.items():
            if other == ticket:
                break
            ahead += seen >= present and other not in self._reserved
        return ahead

    def _forget(self) -> None:
        now = self._clock()
        self._reserved = {key: until for key, until in self._reserved.items() if until > now}
        self._waiting = {
            key: seen for key, seen in self._waiting.items() if seen > now - FORGOTTEN_SECONDS
        }
