"""The page behind a real proxy, under a path and with TLS."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from nanoconf.gui.tabs.registry import POSITIVE, TRENDS
from tests.support.browser import Window, predict, simulate
from tests.support.homes import until
from tests.support.proxies import PREFIX, Proxy
from tests.support.web import WebServer

TOKEN, LINK = "a-token-of-my-own", "?h=3.4&zp=2&tab=trends"


@pytest.mark.parametrize("name", ["nginx", pytest.param("caddy", marks=pytest.mark.long)])
def test_the_page_works_under_a_path_with_tls(browser, tmp_path, name):
    options = [f"--base-url={PREFIX}", "--allowed-host=localhost", "--max-pages=1"]
    token = {"NANOCONF_TOKEN": TOKEN, "NANOCONF_CORES": "1"}
    with (
        WebServer(tmp_path / "home", options, token) as server,
        Proxy(name, tmp_path / "proxy", server.port) as proxy,
    ):
        window = Window(browser, proxy, ignore_https_errors=True)
        window.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = window.page
        page.goto(f"{proxy.url}?h=3.4&token={TOKEN}")
        window.ready()
        assert page.url == f"{proxy.url}?h=3.4"
        cookies = {each["name"]: each for each in window.context.cookies()}
        assert all(each["path"] == PREFIX for each in cookies.values()), cookies
        assert [each["secure"] for name, each in cookies.items() if "username" in name] == [True]

        predict(window)
        simulate(window, length="0.01")
        window.tab("Downloads")
        assert window.download("positive_density.csv").startswith("z_nm,density_M,error_M")
        window.tab(POSITIVE)
        page.get_by_role("tabpanel", name=POSITIVE).get_by_role("button", name="Copy link").click()
        link = "navigator.clipboard.readText()"
        until(lambda: page.evaluate(link).startswith(f"{proxy.url}?run="), "the link to the run")

        waiting = Window(browser, proxy, ignore_https_errors=True)
        waiting.page.goto(f"{proxy.url.removesuffix('/')}{LINK}&token={TOKEN}")
        expect(waiting.page.get_by_role("status")).to_have_text("You are next.")
        run = page.evaluate(link)
        page.goto("about:blank")
        waiting.ready()
        assert waiting.page.url == f"{proxy.url}{LINK}"
        expect(waiting.page.get_by_role("tab", selected=True)).to_have_text(TRENDS)
        expect(waiting.field("Confinement length h (nm)")).to_have_value("3.4")
        expect(waiting.field("Positive ion valency z₊")).to_have_value("2")
        waiting.page.goto(run)
        waiting.ready()
        waiting.wait_for_curves("MD", "ML")
        expect(waiting.field("Confinement length h (nm)")).to_have_value("3.4")
        for each in (waiting, window):
            each.close()
        # Chromium reports the status of the queue (503).
        assert [each for each in window.trouble + waiting.trouble if "503" not in each] == []
