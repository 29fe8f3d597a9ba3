"""Accessibility: axe-core on every tab, refused fields, target sizes, reduced motion."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from nanoconf.gui.tabs.registry import RUNS, SNAPSHOTS, TABS
from tests.support.accessibility import COLOURS, small_targets, violations
from tests.support.browser import Window, predict
from tests.support.desk import write_config

WIDE, NARROW = (1280, 800), (390, 844)


def show(window: Window, title: str) -> None:
    """Select a tab, and wait for its contents."""
    window.tab(title)
    filled = "e => e.offsetParent && e.childElementCount"
    window.wait(f"[...document.querySelectorAll('.nc-place')].some({filled})")
    if title == SNAPSHOTS:
        window.page.locator(".nc-ions-view canvas").first.wait_for()


def use(window: Window, theme: str) -> None:
    """Use the light or the dark theme."""
    switch = window.button("Dark")
    if (switch.get_attribute("aria-pressed") == "true") != (theme == "dark"):
        switch.click()
    expect(window.page.locator(".nc-app.nc-dark")).to_have_count(int(theme == "dark"))
    window.wait("!document.getAnimations().some(each => each instanceof CSSTransition)")


@pytest.mark.stored_run
def test_every_tab_passes_axe_and_has_targets_of_24_pixels(server, window):
    window.page.emulate_media(color_scheme="dark")
    server.start()
    window.open()
    expect(window.page.locator(".nc-app.nc-dark")).to_have_count(1)
    window.wait_for_status("Stored result")
    predict(window)
    found = {}
    for size, theme in ((NARROW, "dark"), (WIDE, "light")):
        window.page.set_viewport_size({"width": size[0], "height": size[1]})
        use(window, theme)
        rules = (COLOURS,) if (size, theme) == (WIDE, "light") else ()
        for title in (tab.title for tab in TABS):
            show(window, title)
            found[size, theme, title] = [*violations(window, *rules), *small_targets(window)]
    assert {place: each for place, each in found.items() if each} == {}


@pytest.mark.long
@pytest.mark.own_server
def test_axe_passes_during_a_run_with_an_invalid_field_in_cluster_mode_and_in_the_log(
    server, window, home, monkeypatch
):
    home.mkdir(exist_ok=True)
    place = SimpleNamespace(
        host="login.example.org", port=22, user="me", key_file="key", known_hosts="hosts"
    )
    monkeypatch.setenv("NANOCONF_CLUSTER_CONFIG", str(write_config(home / "c.toml", place)))
    server.start()
    window.open()
    found = {}

    def check(name: str) -> None:
        for theme, rules in (("dark", ()), ("light", (COLOURS,))):
            use(window, theme)
            found[name, theme] = [*violations(window, *rules), *small_targets(window)]

    window.paste("Simulation length (ns)", "100")
    window.button("Run").click()
    window.wait_for_status("Simulating:")
    window.wait_for_curves("MD", "ML")
    check("running")
    window.button("Log").click()
    window.page.get_by_label("Log of this page").wait_for()
    check("log")
    window.paste("Salt concentration c (M)", "0.6")
    window.page.locator(".nc-chip").filter(has_text="different inputs").first.wait_for()
    check("different inputs")
    window.paste("Salt concentration c (M)", "70")
    window.page.get_by_role("alert").filter(has_text="Salt").wait_for()
    check("refused")
    window.paste("Salt concentration c (M)", "0.5")
    window.button("Cancel").click()
    window.wait_for_status("Cancelled")
    window.button("Cluster mode").click()
    window.field("Cores").wait_for()
    check("cluster mode")
    window.tab(RUNS)
    window.button("Cite").wait_for()
    check("runs")
    assert {name: each for name, each in found.items() if each} == {}


def test_an_invalid_field_is_marked_and_described_until_it_is_corrected(open_window):
    window = open_window
    label = "Salt concentration c (M)"
    field = window.field(label)
    expect(field).not_to_have_attribute("aria-invalid", "true")
    window.paste(label, "70")
    expect(field).to_have_attribute("aria-invalid", "true")
    refusal = re.compile("Salt concentration c = 70: must be a number")
    expect(field).to_have_accessible_description(refusal)
    window.paste(label, "7o")
    expect(field).to_have_attribute("aria-invalid", "true")
    message = window.page.get_by_role("alert").filter(has_text="“7o”")
    expect(message).to_have_count(1)
    expect(window.field("Confinement length h (nm)")).not_to_have_attribute("aria-invalid", "true")
    window.paste(label, "0.7")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(field).not_to_have_accessible_description(re.compile("must be a number"))


def test_toggle_buttons_report_their_state(open_window):
    window = open_window
    log = window.button("Log")
    expect(log).to_have_attribute("aria-pressed", "false")
    log.click()
    expect(log).to_have_attribute("aria-pressed", "true")
    log.click()
    expect(log).to_have_attribute("aria-pressed", "false")


@pytest.mark.long
@pytest.mark.submits_runs
def test_nothing_is_animated_if_the_user_prefers_reduced_motion(server, window):
    window.page.emulate_media(reduced_motion="no-preference")
    server.start()
    window.open()
    window.paste("Simulation length (ns)", "100")
    window.button("Run").click()
    window.wait_for_status("Simulating:")
    window.wait("document.getAnimations().length > 0")
    window.page.emulate_media(reduced_motion="reduce")
    window.wait("document.getAnimations().length === 0")
    bar = window.page.locator(".nc-progress .progress-bar")
    assert bar.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"
    window.button("Cancel").click()
    window.wait_for_status("Cancelled")
