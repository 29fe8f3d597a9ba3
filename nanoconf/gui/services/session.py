"""Session of a page: the archive, threads and state that its services share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from backend.runs.archive import Archive
from nanoconf.gui.services import permissions
from nanoconf.gui.services.visitor import NOBODY, Visitor

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.permissions import Action
    from nanoconf.gui.state import AppState

Post = Callable[[Callable[[], None]], object]


def on_this_thread(action: Callable[[], None]) -> None:
    """Call a function immediately: the `post` of pages without an event loop."""
    action()


class Session:
    """Session of one page.

    Parameters
    ----------
    state : AppState
        State of the page, which receives all reports.
    archive : Archive, optional
        The archive of runs; by default that of ``NANOCONF_HOME``.
    post : callable
        Schedules a function on the main thread.
    visitor : Visitor
        Person at the page, as verified by the server.

    Attributes
    ----------
    visitor : Visitor
        As above.
    identity : Identity
        Identity of the person at the page; a temporary one until the browser has sent its key.
    runner, background : ThreadPoolExecutor
        One thread each, for requests to runs and for longer work.
    closed : threading.Event
        Set when the page is closed.
    """

    def __init__(
        self,
        state: AppState,
        archive: Archive | None = None,
        post: Post = on_this_thread,
        visitor: Visitor = NOBODY,
    ):
        self.state = state
        self.visitor = visitor
        self.archive = archive or Archive()
        self.identify({})
        self.runner = ThreadPoolExecutor(1, "nanoconf-run")
        self.background = ThreadPoolExecutor(1, "nanoconf-background")
        self.closed = threading.Event()
        self._post = post

    def close(self) -> None:
        """Stop the threads; runs continue."""
        self.closed.set()
        self.runner.shutdown(wait=False, cancel_futures=True)
        self.background.shutdown(wait=False, cancel_futures=True)

    def post(self, action: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Call a function on the main thread, unless the page is closed."""
        if not self.closed.is_set():
            self._post(lambda: action(*arguments, **options))

    def identify(self, memory: Mapping[str, Any]) -> None:
        """Set the identity of the person at the page, given what the browser has stored."""
        self.identity = self.visitor.identity(memory)

    def owns(self, run: Run) -> bool:
        """Return True if this browser submitted a run."""
        return self.identity.owns(run)

    def permitted(self, action: Action, run_id: str) -> Run:
        """Return a run on which this page may perform an action; see `permissions.permitted`."""
        return permissions.permitted(self.archive, self.identity, action, run_id)
