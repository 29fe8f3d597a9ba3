"""What all services of a page share: its archive, its threads, and the way back to the state."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from backend.runs.archive import Archive

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.state import AppState

Post = Callable[[Callable[[], None]], object]


def on_this_thread(action: Callable[[], None]) -> None:
    """Run it here and now: the `post` of pages without an event loop."""
    action()


class Session:
    """One page at work.

    Parameters
    ----------
    state : AppState
        What the page knows; everything is reported there.
    archive : Archive, optional
        Where the runs are.
    post : callable
        Runs a function on the main thread, soon.

    Attributes
    ----------
    owner : str
        Key of the browser; empty until it has said it.
    runner, background : ThreadPoolExecutor
        One thread each: for requests about runs, and for what may take longer.
    closed : threading.Event
        Set when the page is gone.
    """

    def __init__(
        self,
        state: AppState,
        archive: Archive | None = None,
        post: Post = on_this_thread,
    ):
        self.state = state
        self.archive = archive or Archive()
        self.owner = ""
        self.runner = ThreadPoolExecutor(1, "nanoconf-run")
        self.background = ThreadPoolExecutor(1, "nanoconf-background")
        self.closed = threading.Event()
        self._post = post

    def close(self) -> None:
        """End the threads; runs go on."""
        self.closed.set()
        self.runner.shutdown(wait=False, cancel_futures=True)
        self.background.shutdown(wait=False, cancel_futures=True)

    def post(self, action: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Call a function on the main thread, unless the page is gone."""
        if not self.closed.is_set():
            self._post(lambda: action(*arguments, **options))

    def owns(self, run: Run) -> bool:
        """Whether this browser asked for a run."""
        return bool(self.owner) and run.request.get("owner") == self.owner
