"""Fixtures of the browser tests: one browser, and a server, home and window for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import FLAGS, Server, Window, chromium, processes_of
from tests.support.homes import clean_up, until


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser; it ends with its file, because its thread has a running event loop."""
    with sync_playwright() as playwright:
        program = chromium(playwright)
        if program is None:
            message = "NO CHROMIUM: the page is not tested; `make test` installs one where it can"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    server = Server(home)
    yield server
    server.stop()
    clean_up(home)
    until(lambda: not processes_of(home), f"the processes of {home} to end")


@pytest.fixture
def window(browser: Browser, server: Server) -> Iterator[Window]:
    """Return a window, and fail the test if the page reported any error."""
    window = Window(browser, server)
    yield window
    window.close()
    assert window.trouble == []
