"""Limits of the API endpoints: rate, size, and unfinished runs of one address."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from backend import environment
from backend.inputs import InvalidInput
from nanoconf.gui.server.teacher import Attempts

if TYPE_CHECKING:
    from backend.runs.run import Run

KEY = "X-Nanoconf-Key"
"""Header with the key whose hash is the owner of a run, as for a browser."""

MAX_BODY = 2**14
"""Largest body of a request (bytes)."""

MAX_QUERY = 2000
"""Longest query (characters)."""

MOST_CALLS = 32
"""Calls that are executed or waiting at the same time."""

SHORTEST_KEY, LONGEST_KEY = 16, 128
"""Length of a key (characters)."""


class Reads(Attempts):
    """Rate of requests that change nothing."""

    EACH = 100, 0.05
    ALL = 400, 0.01


class Changes(Attempts):
    """Rate of requests that submit or cancel runs."""

    EACH = 10, 5.0
    ALL = 60, 1.0


class Submitted:
    """Runs that were submitted from each address, so that a new key does not bypass the limit.

    The record is kept until the server ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[str, set[str]] = {}

    def add(self, address: str, run_id: str) -> None:
        """Note a run."""
        with self._lock:
            self._ids.setdefault(address, set()).add(run_id)

    def check(self, address: str, runs: Iterable[Run]) -> None:
        """Check that one more run may be submitted from an address.

        Raises
        ------
        InvalidInput
            ``NANOCONF_MAX_RUNS`` runs from this address are unfinished.
        """
        maximum = environment.whole_number(environment.MAX_RUNS)
        if maximum is None:
            return
        with self._lock:
            ids = self._ids.get(address, set())
            open_ids = {run.id for run in runs if run.id in ids and not run.finished}
            self._ids[address] = open_ids
        if len(open_ids) >= maximum:
            allowed = f"the limit is {maximum}; wait until one has finished, or cancel one"
            raise InvalidInput("unfinished runs from this address", len(open_ids), allowed)
