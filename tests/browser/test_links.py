"""Links in the browser: opened, copied and opened again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from nanoconf.gui.tabs.registry import POSITIVE, RUNS, TRENDS
from tests.support.browser import PICTURES, Window
from tests.support.homes import until

LENGTH, SALT, CHARGE = (
    "Confinement length h (nm)",
    "Salt concentration c (M)",
    "Surface charge σ (C/m²)",
)
OPENED = "?h=3.4&zp=2&c=0.2&tab=trends&fix=c&hide=sigma,dn"


def follow(window: Window, query: str) -> None:
    window.page.goto(window.server.url + query)
    window.ready()


def selected(window: Window, tab: str) -> None:
    window.page.locator(f"[role=tab][aria-selected=true]:text-is('{tab}')").wait_for()


def copied(window: Window, button) -> str:
    """Press Copy link, and return the query of the link in the clipboard."""
    button.click()
    expect(button.locator("+ [aria-live]")).to_have_text("Link copied.")
    link = window.page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(window.server.url)
    return link.removeprefix(window.server.url)


def shot(window: Window, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    window.page.screenshot(path=PICTURES / f"{name}.png")


@pytest.mark.long
@pytest.mark.stored_run
def test_a_link_opens_the_page_and_is_copied_and_opened_again(server, window):
    server.start()
    page = window.page
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    follow(window, OPENED)
    selected(window, TRENDS)
    expect(window.field(LENGTH)).to_have_value("3.4")
    expect(window.field(LENGTH)).to_be_enabled()
    fixed = window.field(SALT)
    expect(fixed).to_have_value("0.2")
    expect(fixed).to_be_disabled()
    expect(fixed).to_have_attribute("aria-readonly", "true")
    expect(fixed).to_have_accessible_description("Fixed by the link")
    expect(page.get_by_text("Fixed by the link")).to_have_count(1)
    expect(window.field(CHARGE)).to_be_hidden()
    shot(window, "link")

    window.paste(LENGTH, "3.6")
    link = page.get_by_role("region", name="Inputs").get_by_role("button", name="Copy link")
    expect(window.field("Positive ion valency z₊")).to_have_value("2")
    again = "?h=3.6&zp=2&c=0.2&tab=trends&fix=c&hide=sigma,dn"
    until(lambda: copied(window, link) == again, "the link to follow the inputs")

    # Without permission the page copies by selection; without that, it shows the link.
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.evaluate("() => { document.execCommand = () => false; }")
    link.click()
    shown = page.get_by_role("textbox", name="Copy this link with the keyboard:")
    expect(shown).to_have_value(f"{server.url}{again}")
    expect(shown).to_be_focused()
    shot(window, "link-shown")
    page.keyboard.press("Escape")
    expect(shown).to_have_count(0)
    expect(link).to_be_focused()

    follow(window, f"{again}#lesson-3")
    selected(window, TRENDS)
    expect(window.field(LENGTH)).to_have_value("3.6")
    expect(window.field(SALT)).to_be_disabled()
    expect(page.get_by_role("region", name="Lesson", exact=True)).to_contain_text("Lesson 3")

    follow(window, "?h=99&foo=1&tab=positive-ion-density")
    window.wait_for_status("Ignored in the link: Confinement length h = 99: must be")
    expect(window.field(LENGTH)).to_have_value("3.00")
    window.wait_for_curves("MD", "ML")  # the stored run of the default inputs
    result = page.get_by_role("tabpanel", name=POSITIVE).get_by_role("button", name="Copy link")
    run = copied(window, result)
    assert re.fullmatch(r"\?run=[0-9a-f]{32}", run)
    shot(window, "link-run")
    window.tab(RUNS)
    page.get_by_role("checkbox", name=re.compile("^Select [0-9a-f]{8}")).check()
    beside = page.get_by_role("tabpanel", name=RUNS).get_by_role("button", name="Copy link")
    expect(beside).to_be_enabled()
    assert copied(window, beside) == run
    shot(window, "link-runs")

    follow(window, run[:13] + "&fix=h")
    window.wait_for_status("Stored")
    selected(window, POSITIVE)
    window.wait_for_curves("MD", "ML")
    expect(window.field(LENGTH)).to_be_disabled()
    page.reload()
    window.ready()
    window.wait_for_status("Stored")
    expect(window.field(LENGTH)).to_be_disabled()
