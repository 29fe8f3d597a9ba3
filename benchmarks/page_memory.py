"""``python -m benchmarks.page --memory``: memory of the kernel of one page, in Chromium.

Shared memory is divided among the processes, so each of many pages takes less.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from nanoconf.gui.tabs.registry import TABS, TRENDS
from nanoconf.tables import aligned
from tests.support.browser import FLAGS, SHORT
from tests.support.homes import until
from tests.support.web import WebServer

MINUTE = 60_000
IDLE_SECONDS, IDLE_SHARE = 3.0, 0.2
"""A page is ready when its kernel has used at most this share of a core for this time (s)."""


def measure(program: str) -> int:
    """Open all tabs of a page in turn; print the memory of its kernel."""
    rows = [["page", "memory (MB)"]]
    with (
        tempfile.TemporaryDirectory() as folder,
        WebServer(Path(folder) / "home") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(10 * MINUTE)
        page.goto(server.url)
        page.get_by_role("button", name="Predict using ML").wait_for()
        for name, use in (
            ("open", lambda: None),
            ("after a simulation, profiles and Trends", lambda: show_profiles(page, server)),
            ("after all tabs", lambda: show(page, server, titles())),
        ):
            use()
            settle(server)
            rows.append([name, f"{kernel(server).memory_full_info().pss / 1e6:.0f}"])
        browser.close()
    print(aligned(rows))
    return 0


def titles() -> list[str]:
    """Return the titles of all tabs."""
    return [tab.title for tab in TABS]


def show_profiles(page: Page, server: WebServer) -> None:
    """Run a short simulation, and show its profiles and Trends."""
    page.get_by_role("textbox", name="Simulation length (ns)", exact=True).fill(SHORT)
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("status").filter(has_text="Done").wait_for()
    show(page, server, titles()[: titles().index(TRENDS) + 1])


def show(page: Page, server: WebServer, tabs: list[str]) -> None:
    """Show tabs in turn until each is ready."""
    for title in tabs:
        page.get_by_role("tab", name=title, exact=True).click()
        settle(server)


def settle(server: WebServer) -> None:
    """Wait until the kernel has hardly anything to do."""

    def is_idle() -> bool:
        before = kernel(server).cpu_times()
        time.sleep(IDLE_SECONDS)
        after = kernel(server).cpu_times()
        spent = after.user + after.system - before.user - before.system
        return spent <= IDLE_SHARE * IDLE_SECONDS

    until(is_idle, "the page to be ready")


def kernel(server: WebServer) -> psutil.Process:
    """Return the kernel of the page."""
    (found,) = server.kernels
    return found
