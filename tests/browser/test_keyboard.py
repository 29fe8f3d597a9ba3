"""Keyboard navigation: the focus enters and leaves every tab."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from nanoconf.gui.tabs.registry import ABOUT, DOWNLOADS, SNAPSHOTS, TABS
from tests.support.browser import Window, predict, simulate

WITHOUT_FIGURE = {SNAPSHOTS, DOWNLOADS, ABOUT}
FIGURE = ".jupyter-matplotlib-canvas-div"
# ipympl sends movements every 33 ms, and timers fire in order: after this the last one is sent.
SENT = "new Promise(done => setTimeout(done, 100))"
Z = re.compile(r"^z = \S+ nm")
MOST_STOPS = 80
"""More stops than any tab has focusable elements."""

TAB_ROW, LOG = "[role=tab]", ".nc-log-toggle"
"""Stops before and after the contents of a tab."""


def focused(window: Window, selector: str) -> bool:
    return window.page.evaluate("css => document.activeElement.matches(css)", selector)


def walk(window: Window, key: str, end: str) -> bool:
    """Press a key until the focus reaches the end; return True if it passed a figure."""
    passed = False
    for _ in range(MOST_STOPS):
        window.page.keyboard.press(key)
        if focused(window, end):
            return passed
        passed = passed or focused(window, FIGURE)
    where = window.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    raise AssertionError(f"{key} does not reach {end}, the focus stays on {where}")


def test_every_control_is_reachable_by_keyboard_and_no_figure_traps_the_focus(server, window):
    server.start()
    window.open()
    simulate(window)
    for title in (tab.title for tab in TABS):
        window.tab(title)
        has_figure = title not in WITHOUT_FIGURE
        figure = window.page.locator(f"{FIGURE}:visible")
        if has_figure:
            figure.wait_for()
        if title == SNAPSHOTS:
            window.page.locator(".nc-ions-view canvas").first.wait_for()
        tab = window.page.get_by_role("tab", name=title, exact=True)
        tab.focus()
        walk(window, "Tab", f":not({TAB_ROW})")  # the row itself has one or two stops
        walk(window, "Shift+Tab", TAB_ROW)
        assert walk(window, "Tab", LOG) == has_figure
        assert walk(window, "Shift+Tab", TAB_ROW) == has_figure
        if has_figure:
            figure.focus()
            window.page.keyboard.press("Escape")
            expect(tab).to_be_focused()


def test_matplotlib_receives_key_presses_and_no_key_remains_pressed(server, window):
    server.start()
    window.open()
    predict(window)
    window.settle()
    left, top, width, height = window.figure_box()
    mouse, keyboard = window.page.mouse, window.page.keyboard
    reading = window.page.locator(".jupyter-matplotlib-footer:visible")
    figure = window.page.locator(f"{FIGURE}:visible")

    def point_at(x: float, y: float) -> None:
        mouse.move(left + x * width, top + (y + 0.01) * height)
        mouse.move(left + x * width, top + y * height)
        window.page.evaluate(SENT)  # a movement sent after the next press would end the pan

    point_at(0.4, 0.3)
    expect(reading).to_have_text(Z)
    whole = reading.inner_text()
    grabbed = re.compile(f"^{re.escape(Z.match(whole).group())}")
    window.page.get_by_title("Left button pans").click()
    figure.focus()
    keyboard.press("Shift+Tab")
    assert not focused(window, FIGURE)

    # With Shift pressed matplotlib pans along one axis only, and z does not follow the pointer.
    point_at(0.4, 0.3)
    mouse.down()
    mouse.move(left + 0.48 * width, top + 0.7 * height, steps=8)
    window.page.evaluate(SENT)
    mouse.up()
    point_at(0.6, 0.7)
    expect(reading).not_to_have_text(grabbed)
    point_at(0.48, 0.7)
    expect(reading).to_have_text(grabbed)

    figure.focus()
    keyboard.press("h")  # the whole view again
    point_at(0.4, 0.3)
    expect(reading).to_have_text(whole)
