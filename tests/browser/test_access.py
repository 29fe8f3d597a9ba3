"""The token and the queue in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from nanoconf.gui.tabs.registry import POSITIVE, SNAPSHOTS, TABS
from tests.support.accessibility import violations
from tests.support.browser import PICTURES, Window, predict, simulate
from tests.support.homes import until
from tests.support.web import WebServer


def show_every_tab(window: Window) -> None:
    """Show everything that the page can show; its policy forbids what it does not list."""
    predict(window)
    simulate(window)
    for title in (tab.title for tab in TABS):
        window.tab(title)
        filled = "e => e.offsetParent && e.childElementCount"
        window.wait(f"[...document.querySelectorAll('.nc-place')].some({filled})")
        if title == SNAPSHOTS:
            window.page.locator(".nc-ions-view canvas").first.wait_for()
    window.tab(POSITIVE)


def test_the_token_leaves_the_address_and_the_queue_opens_the_page(browser, tmp_path):
    options = ["--token", "--max-pages=1"]
    PICTURES.mkdir(exist_ok=True)
    with WebServer(tmp_path / "home", options) as server:
        until(lambda: "?token=" in server.output, "the address")
        token = re.search(r"\?token=(\w+)", server.output)[1]

        first = Window(browser, server)
        first.page.goto(f"{server.url}?token={token}#lesson-3")
        first.field("Confinement length h (nm)").wait_for()
        assert first.page.url == f"{server.url}#lesson-3"
        show_every_tab(first)

        second = Window(browser, server, (390, 844))
        second.page.goto(server.url)
        second.page.get_by_label("Token").fill("wrong")
        assert violations(second) == []
        second.page.get_by_role("button", name="Open the page").click()
        expect(second.page.get_by_role("alert")).to_contain_text("not the token")
        assert violations(second) == []
        second.page.screenshot(path=PICTURES / "login.png")
        second.page.get_by_label("Token").fill(token)
        second.page.get_by_role("button", name="Open the page").click()

        status = second.page.get_by_role("status")
        expect(status).to_have_text("You are next.")
        assert violations(second) == []
        third = Window(browser, server)
        third.page.emulate_media(color_scheme="dark")
        third.page.goto(f"{server.url}?token={token}")
        expect(third.page.get_by_role("status")).to_have_text("1 ahead of you.")
        assert violations(third) == []
        second.page.screenshot(path=PICTURES / "queue-phone.png")
        third.page.screenshot(path=PICTURES / "queue.png")
        assert len(server.kernels) == 1

        first.page.close(run_before_unload=False)
        second.ready()
        expect(third.page.get_by_role("status")).to_have_text("You are next.")
        second.close()
        third.ready()
        third.close()
        assert first.trouble == []
        # Chromium reports the status of the queue (503) and of a wrong token (401).
        loud = [each for each in second.trouble + third.trouble if "status of" not in each]
        assert loud == []
