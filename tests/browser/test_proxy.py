"""The page behind a real proxy, under a path and with TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from nanoconf.gui.tabs.registry import POSITIVE, PREDICTION, TRENDS
from tests.support.browser import SHORTEST, Window, predict, simulate
from tests.support.homes import until
from tests.support.proxies import PREFIX, Proxy
from tests.support.web import WebServer

TOKEN = "a-token-of-my-own"
LINK = "?h=3.4&zp=2&tab=trends"


@pytest.fixture(params=["nginx", pytest.param("caddy", marks=pytest.mark.long)])
def proxy(request, tmp_path) -> Iterator[Proxy]:
    """A proxy in front of a page with one place."""
    options = [f"--base-url={PREFIX}", "--allowed-host=localhost", "--max-pages=1"]
    variables = {"NANOCONF_TOKEN": TOKEN, "NANOCONF_CORES": "1"}
    with (
        WebServer(tmp_path / "home", options, variables) as server,
        Proxy(request.param, tmp_path / "proxy", server.port) as proxy,
    ):
        yield proxy


def window_for(browser: Browser, proxy: Proxy) -> Window:
    return Window(browser, proxy, ignore_https_errors=True)


@pytest.mark.long
def test_the_page_works_under_a_path_with_tls(browser, proxy):
    window = window_for(browser, proxy)
    page = window.page
    page.goto(f"{proxy.url}{LINK}&token={TOKEN}")
    window.ready()
    assert page.url == f"{proxy.url}{LINK}"
    cookies = {each["name"]: each for each in window.context.cookies()}
    assert all(each["path"] == PREFIX for each in cookies.values()), cookies
    assert [each["secure"] for name, each in cookies.items() if "username" in name] == [True]
    page.locator(f"[role=tab][aria-selected=true]:text-is('{TRENDS}')").wait_for()
    expect(window.field("Confinement length h (nm)")).to_have_value("3.4")
    expect(window.field("Positive ion valency z₊")).to_have_value("2")

    window.tab(PREDICTION)
    predict(window)
    simulate(window, SHORTEST)
    window.picture("proxy")
    window.tab("Downloads")
    assert window.download("positive_density.csv").startswith("z_nm,density_M,error_M")
    window.close()
    assert window.trouble == []


@pytest.mark.long
def test_the_queue_and_the_link_to_a_run_work_under_a_path(browser, proxy):
    window = window_for(browser, proxy)
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = window.page
    page.goto(f"{proxy.url}?h=3.4&token={TOKEN}")
    window.ready()
    simulate(window, SHORTEST)
    window.tab(POSITIVE)
    page.get_by_role("tabpanel", name=POSITIVE).get_by_role("button", name="Copy link").click()
    link = "navigator.clipboard.readText()"
    until(lambda: page.evaluate(link).startswith(f"{proxy.url}?run="), "the link to the run")

    waiting = window_for(browser, proxy)
    waiting.page.goto(f"{proxy.url}?token={TOKEN}")
    expect(waiting.page.get_by_role("status")).to_have_text("You are next.")
    run = page.evaluate(link)
    window.close()
    waiting.ready()
    assert waiting.page.url == proxy.url
    waiting.page.goto(run)
    waiting.ready()
    waiting.wait_for_curves("MD", "ML")
    expect(waiting.field("Confinement length h (nm)")).to_have_value(re.compile(r"3\.40?"))
    waiting.close()
    # Chromium reports the status of the queue (503).
    assert [each for each in window.trouble + waiting.trouble if "503" not in each] == []
