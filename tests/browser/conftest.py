"""Fixtures of the browser tests: a browser, a server and a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from backend.keeper.election import ensure_keeper
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from backend.system import SlitSystem
from tests.support.browser import FLAGS, SHORT, Server, Window, require_chromium
from tests.support.homes import until


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser; it ends with its file, because its thread has a running event loop."""
    with sync_playwright() as playwright:
        program = require_chromium(playwright)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the server of the tests that submit no runs."""
    server = Server(tmp_path_factory.mktemp("shared") / "home")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def server_with_a_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the server of the tests that read the result of the default inputs."""
    server = Server(tmp_path_factory.mktemp("stored") / "home")
    settings = RunSettings(duration_ns=float(SHORT), snapshots=20)
    run = Archive(server.home).submit(SlitSystem(), settings)
    ensure_keeper(server.home)
    until(lambda: run.state == RunState.DONE, "the run")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def server_for_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the server of the tests that submit runs, one after another."""
    server = Server(tmp_path_factory.mktemp("runs") / "home")
    yield server
    server.stop()


@pytest.fixture
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server: for runs, of its own, with a run, or with an empty archive, as marked."""
    monkeypatch.setenv("NANOCONF_CORES", "1")  # the other core is for the page and other tests
    if request.node.get_closest_marker("submits_runs"):
        server = request.getfixturevalue("server_for_runs")
        yield server
        server.clear()
    elif request.node.get_closest_marker("own_server"):
        server = Server(request.getfixturevalue("home"))
        yield server
        server.stop()
    elif request.node.get_closest_marker("stored_run"):
        yield request.getfixturevalue("server_with_a_run")
    else:
        server = request.getfixturevalue("shared_server")
        yield server
        assert not Archive(server.home).runs(), "a test that submits runs needs its own server"


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[Callable[[Server], Window]]:
    """Return a function that opens the page of a server once for a file."""
    windows: dict[Server, Window] = {}

    def window_of(server: Server) -> Window:
        if server not in windows:
            server.start()
            windows[server] = Window(browser, server).open()
        return windows[server]

    yield window_of
    for window in windows.values():
        window.close()


@pytest.fixture
def open_window(opened: Callable[[Server], Window], server: Server) -> Iterator[Window]:
    """Return a window that tests of a file share, with the default inputs and the first figure.

    To open the page takes a test of a second much longer. Tests that change more than the inputs
    and the tab restore it.
    """
    window = opened(server)
    window.reset()
    yield window
    trouble, window.trouble = window.trouble, []
    assert trouble == []


@pytest.fixture
def window(browser: Browser, server: Server) -> Iterator[Window]:
    """Return a window, and fail the test if the page reported any error."""
    window = Window(browser, server)
    yield window
    window.close()
    assert window.trouble == []
