"""Sizes of the window: what is in view in each, and the tab bar by keyboard."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, expect

from nanoconf.gui.tabs.registry import (
    ABOUT,
    CHARGE,
    DOWNLOADS,
    POSITIVE,
    PREDICTION,
    RUNS,
    TABS,
    TRENDS,
    UNCERTAINTY,
)
from tests.support.browser import Window, predict
from tests.support.homes import until

WIDE = [(1280, 800), (1024, 600), (960, 540)]
PHONE, TABLET = (390, 844), (820, 1180)
SIDEWAYS = (
    "document.scrollingElement.scrollWidth > innerWidth ||"
    " document.querySelector('.nc-app').scrollWidth > innerWidth"
)
LONG = "100"
TOOLS = ".nc-figure-tools:visible"
FIGURE = ".jupyter-matplotlib-canvas-div:visible"
UNCOVERED = """e => {
    const box = e.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
    return box.x >= 0 && box.right <= innerWidth && box.y >= 0 && box.bottom <= innerHeight
        && e.contains(document.elementFromPoint(x, y));
}"""


def in_view(what: Locator) -> None:
    """Wait until an element lies in the window, and nothing covers its centre."""
    what.wait_for()
    until(lambda: what.evaluate(UNCOVERED), f"{what} in view", patience=10)


@pytest.fixture
def sized(browser, server):
    """Return a function that opens the page in a window of a given size."""
    opened = []
    server.start()

    def open_in(size: tuple[int, int]) -> Window:
        opened.append(Window(browser, server, size).open())
        return opened[-1]

    yield open_in
    for window in opened:
        window.close()
        assert window.trouble == []


@pytest.mark.long
@pytest.mark.submits_runs
def test_the_buttons_stay_in_view_during_a_run(server, window):
    server.start()
    window.open()
    places = {}
    for width, height in WIDE:
        window.page.set_viewport_size({"width": width, "height": height})
        for name in ("Predict using ML", "Run"):
            in_view(window.button(name))
            places[name, width] = window.button(name).bounding_box()
    window.paste("Simulation length (ns)", LONG)
    window.button("Run").click()
    window.wait_for_status("Simulating:")
    for width, height in WIDE:
        window.page.set_viewport_size({"width": width, "height": height})
        for name in ("Predict using ML", "Cancel", "Finish now", "Run in background"):
            in_view(window.button(name))
        # A button that moved would be pressed instead of another one.
        predict, cancel = window.button("Predict using ML"), window.button("Cancel")
        assert predict.bounding_box() == places["Predict using ML", width]
        assert cancel.bounding_box() == places["Run", width]
        assert not window.page.evaluate(SIDEWAYS)
        window.picture(f"running-{width}")
    window.button("Cancel").click()
    window.wait_for_status("Cancelled")


def test_the_first_screen_shows_the_prediction_for_the_default_inputs(server, window):
    server.start()
    window.open()
    window.wait_for_curves("ML", "ML")
    assert window.status == "Ready."
    drawing = window.page.get_by_role("img", name="Slit of width h = 3.00 nm")
    in_view(drawing)
    window.paste("Confinement length h (nm)", "3.5")
    in_view(window.page.get_by_role("img", name="Slit of width h = 3.50 nm"))
    window.picture("first-screen")


def test_everything_on_the_left_fits_into_a_typical_window(open_window):
    window = open_window
    window.page.get_by_text("Shaded: range the ML model was trained on").wait_for()
    inputs = window.page.locator(".nc-inputs")
    assert inputs.evaluate("e => e.scrollHeight <= e.clientHeight")
    in_view(window.field("Stop at error (%)"))
    for name, colour in (("Predict using ML", "rgb(165, 68, 0)"), ("Run", "rgb(0, 90, 142)")):
        window.button(name).hover()
        expect(window.button(name)).to_have_css("background-color", colour)


def test_a_phone_shows_the_curve_and_the_buttons_without_horizontal_scrolling(sized):
    window = sized(PHONE)
    predict(window)
    for size in (PHONE, TABLET):
        window.page.set_viewport_size({"width": size[0], "height": size[1]})
        window.paste("Confinement length h (nm)", "3")
        window.tab(PREDICTION)
        window.wait_for_curves("ML", "ML")
        in_view(window.page.locator(FIGURE))
        for name in ("Predict using ML", "Run"):
            in_view(window.button(name))
        assert not window.page.evaluate(SIDEWAYS)
        stage = window.page.locator(".nc-stage")
        assert stage.evaluate("e => e.scrollHeight <= e.clientHeight")  # the figure fits
        window.picture(f"narrow-{size[0]}")
        # The curve follows a slider that is scrolled into view.
        slider = window.slider("Salt concentration c (M)")
        slider.focus()
        slider.press("ArrowRight")
        window.wait_for_curves("ML", "ML")
        in_view(slider)
        in_view(window.page.locator(FIGURE))
        for tab in (POSITIVE, CHARGE, TRENDS, UNCERTAINTY, RUNS, DOWNLOADS, ABOUT):
            window.tab(tab)
            in_view(window.page.get_by_role("tabpanel", name=tab, exact=True))
            assert not window.page.evaluate(SIDEWAYS)
            if tab in (TRENDS, UNCERTAINTY):
                in_view(window.page.locator(FIGURE))
                in_view(window.page.locator(f"{TOOLS} >> button:text-is('Data table')"))
                for controls in window.page.locator(".nc-controls:visible").all():
                    assert controls.evaluate("e => e.scrollWidth <= e.clientWidth")
            window.page.screenshot(path=f"test-results/narrow-{size[0]}-{tab.lower()}.png")
        window.paste("Confinement length h (nm)", "99")
        window.wait_for_status("Correct")  # a long text, beside which the button keeps its width
        log = window.button("Log")
        in_view(log)
        assert log.evaluate("e => e.scrollWidth <= e.clientWidth")


def test_the_tab_bar_is_one_tab_stop_and_is_operated_by_arrow_keys(open_window):
    window = open_window
    titles = [tab.title for tab in TABS]
    page, press = window.page, window.page.keyboard.press

    def tab(title: str) -> Locator:
        return page.get_by_role("tab", name=title, exact=True)

    def stops() -> list[str]:
        return page.locator("[role=tab][tabindex='0']").all_inner_texts()

    bar = page.get_by_role("tablist", name="Results")
    expect(bar).to_have_count(1)
    assert stops() == ["Prediction Graph"]
    tab("Prediction Graph").focus()
    press("ArrowRight")
    expect(tab("Trends")).to_be_focused()
    press("End")
    expect(tab(titles[-1])).to_be_focused()
    press("ArrowRight")
    expect(tab(titles[0])).to_be_focused()
    press("ArrowLeft")
    press("Home")
    expect(tab(titles[0])).to_be_focused()
    expect(tab("Prediction Graph")).to_have_attribute("aria-selected", "true")
    press("Enter")
    expect(tab(titles[0])).to_have_attribute("aria-selected", "true")
    panel = page.get_by_role("tabpanel", name=titles[0], exact=True)
    panel.wait_for()
    assert tab(titles[0]).get_attribute("aria-controls") == panel.get_attribute("id")
    expect(page.get_by_role("tabpanel")).to_have_count(1)
    press("ArrowRight")
    press("Tab")
    assert stops() == [titles[0]]
    press("Shift+Tab")
    expect(tab(titles[0])).to_be_focused()


def test_the_figures_of_the_charge_tab_are_switched_by_arrow_keys(open_window):
    window = open_window
    window.tab(CHARGE)
    group = window.page.get_by_role("radiogroup", name="Figure")
    chosen = group.get_by_role("radio", checked=True)
    expect(chosen).to_have_text("Charge Density")
    chosen.focus()
    window.page.keyboard.press("ArrowRight")
    expect(chosen).to_have_text("Integrated Charge")
    window.page.get_by_role("img", name="Integrated Charge").wait_for(state="attached")
    window.wait("JSON.parse(localStorage.getItem('nanoconf')).figures.Charge !== 'Charge Density'")
    window.reload()
    expect(chosen).to_have_text("Integrated Charge")


def test_a_stored_former_tab_title_opens_the_tab_that_replaced_it(open_window):
    window = open_window
    for former, tab in (("Snapshots", "3D"), ("Potential", CHARGE)):
        window.page.evaluate(
            "text => localStorage.setItem('nanoconf', text)", json.dumps({"tab": former})
        )
        window.page.reload()
        window.page.locator(f"[role=tab][aria-selected=true]:text-is('{tab}')").wait_for()
    expect(window.page.get_by_role("radio", checked=True)).to_have_text("Potential")


def test_descriptions_of_sliders_and_fields_give_the_training_range(open_window):
    window = open_window
    words = "ML model trained for 3.0 to 4.0 nm"
    label = "Confinement length h (nm)"
    for control in (window.slider(label), window.field(label)):
        expect(control).to_have_accessible_description(words)


def test_the_page_has_landmarks(open_window):
    window = open_window
    page = window.page
    expect(page.get_by_role("banner").get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("region", name="Inputs").get_by_label("Ion diameter")).to_have_count(2)
    expect(page.get_by_role("main").get_by_role("tablist")).to_be_visible()
    expect(page.get_by_role("contentinfo").get_by_role("status")).to_be_visible()
