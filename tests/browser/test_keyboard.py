"""The keyboard alone: the focus enters and leaves every tab, and every function can be used."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from backend.runs.run_state import RunState
from nanoconf.gui.tabs.lessons.content import TASKS
from nanoconf.gui.tabs.registry import (
    ABOUT,
    DOWNLOADS,
    LESSONS,
    PREDICTION,
    RUNS,
    SNAPSHOTS,
    TABS,
    TRENDS,
    UNCERTAINTY,
)
from tests.support.accessibility import Keyboard
from tests.support.browser import SEEN, Window, predict, simulate, submit_another
from tests.support.homes import until

WITHOUT_FIGURE = {SNAPSHOTS, DOWNLOADS, LESSONS, ABOUT}
FIGURE = ".jupyter-matplotlib-canvas-div"
FIGURE_NAME = "Figure: + and − zoom, Shift with arrows pans, h resets, Esc leaves"
# ipympl sends movements every 33 ms, and timers fire in order: after this the last one is sent.
SENT = "new Promise(done => setTimeout(done, 100))"
Z = re.compile(r"^z = \S+ nm")
DARK_TRACK = "rgb(52, 57, 67)"
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
        at_end, in_figure = window.page.evaluate(
            "all => all.map(css => document.activeElement.matches(css))", [end, FIGURE]
        )
        if at_end:
            return passed
        passed = passed or in_figure
    where = window.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    raise AssertionError(f"{key} does not reach {end}, the focus stays on {where}")


@pytest.mark.stored_run
def test_every_control_is_reachable_by_keyboard_and_no_figure_traps_the_focus(open_window):
    window = open_window
    window.wait_for_status("Stored result")
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


def test_matplotlib_receives_key_presses_and_no_key_remains_pressed(open_window):
    window = open_window
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


def test_browser_shortcuts_work_in_a_figure(open_window):
    window = open_window
    figure = window.page.locator(f"{FIGURE}:visible")
    prevented = """(e, [key, keys]) => !e.dispatchEvent(
      new KeyboardEvent('keydown', { key, ...keys, bubbles: true, cancelable: true }))"""
    ctrl, alt, meta = {"ctrlKey": True}, {"altKey": True}, {"metaKey": True}
    for key, keys in (("r", ctrl), ("f", ctrl), ("ArrowLeft", alt), ("t", meta), ("F5", {})):
        assert not figure.evaluate(prevented, [key, keys]), key
    assert figure.evaluate(prevented, ["h", {}])


# --- every function without a mouse ---------------------------------------------------------


@pytest.mark.submits_runs
def test_inputs_predictions_and_simulations_need_no_mouse(server, window):
    server.start()
    window.open()
    keyboard = Keyboard(window)
    keyboard.choose("Presets", "Paper, Fig. 6: c = 0.9, z₊ = 2")
    expect(window.field("Salt concentration c (M)")).to_have_value("0.90")
    keyboard.write("Salt concentration c (M)", "0.6")
    slider = window.slider("Salt concentration c (M)")
    expect(slider).to_have_attribute("aria-valuetext", "0.6 M")  # it follows the field
    keyboard.activate("slider", "Salt concentration c (M)", "ArrowRight")
    expect(window.field("Salt concentration c (M)")).to_have_value("0.61")
    keyboard.activate("button", "Predict using ML")
    window.wait_for_curves("ML", "ML")

    # While the number is incomplete, Run is off, but Tab does not skip it and it keeps the focus.
    keyboard.write("Simulation length (ns)", "0")
    expect(window.button("Run")).to_be_disabled()
    keyboard.reach("button", "Run")
    keyboard.press("Enter")
    keyboard.reach("textbox", "Simulation length (ns)", "Shift+Tab")
    keyboard.press("ControlOrMeta+a")
    window.page.keyboard.type("020")
    keyboard.press(*["Tab"] * 4, "Enter")  # past the slider, Stop at error and Predict, at once
    window.wait_for_status("Simulating:")
    expect(window.button("Cancel")).to_be_focused()
    keyboard.activate("button", "Cancel")
    window.wait_for_status("Cancelled")
    keyboard.activate("button", "Run", "Space")
    window.wait_for_status("Simulating:")
    keyboard.activate("button", "Finish now")
    window.wait_for_status("Done")
    expect(window.button("Run")).to_be_focused()  # Finish now has gone

    keyboard.activate("button", "Dark", "Space")
    window.wait("document.querySelector('.nc-app.nc-dark')")
    track = window.page.locator(".nc-left .noUi-connects").first
    expect(track).to_have_css("background-color", DARK_TRACK)
    keyboard.activate("button", "Log")
    log = keyboard.reach("region", "Log of this page", "Shift+Tab")
    expect(log).to_contain_text("Predict using ML")
    keyboard.reach("region", "Log of the simulation")


@pytest.mark.stored_run
def test_every_tab_and_its_controls_need_no_mouse(open_window):
    window = open_window
    window.wait_for_status("Stored result")
    keyboard = Keyboard(window)
    for title in (tab.title for tab in TABS):
        keyboard.tab(title)

    keyboard.tab(TRENDS)
    window.wait(f"JSON.parse({SEEN}?.dataset.curves ?? '[]').length > 0")
    first, last = window.slider("from"), window.slider("to")
    before = [end.get_attribute("aria-valuetext") for end in (first, last)]
    keyboard.activate("slider", "from", "ArrowRight")
    keyboard.activate("slider", "to", "ArrowLeft")
    for end, text in zip((first, last), before, strict=True):
        expect(end).not_to_have_attribute("aria-valuetext", text)
    keyboard.choose("Show", "negative ions")
    keyboard.choose("Vary", "Positive ion valency z₊")
    window.wait(f"JSON.parse({SEEN}.dataset.curves).some(c => c.label === 'z₊ = 3')")

    keyboard.tab(UNCERTAINTY)
    window.wait(f"JSON.parse({SEEN}?.dataset.curves ?? '[]').length === 3")
    keyboard.choose("c", "Gaussian")
    keyboard.write("Half width or standard deviation of Salt concentration c (M)", "0.02")
    keyboard.press("Enter")
    keyboard.choose("Output", "Density of the positive ions at z (M)")
    keyboard.activate("slider", "z (nm)", "ArrowRight")
    keyboard.activate("button", "Over z", "Space")
    window.wait(f"JSON.parse({SEEN}.dataset.curves).length === 7")
    keyboard.reach("combobox", "Samples")


@pytest.mark.stored_run
def test_the_trajectory_is_played_without_a_mouse(open_window):
    window = open_window
    window.wait_for_status("Stored result")
    keyboard = Keyboard(window)
    keyboard.tab(SNAPSHOTS)
    time = window.slider("Time")
    start = time.get_attribute("aria-valuetext")
    keyboard.activate("button", "Play")
    expect(time).not_to_have_attribute("aria-valuetext", start)
    keyboard.activate("button", "Pause", "Space")
    keyboard.activate("button", "Stop and rewind")
    expect(time).to_have_attribute("aria-valuetext", start)
    keyboard.activate("slider", "Time", "ArrowRight")
    expect(time).not_to_have_attribute("aria-valuetext", start)
    repeat = keyboard.reach("button", "Repeat", "Shift+Tab")
    expect(repeat).to_have_attribute("aria-pressed", "true")
    keyboard.press("Enter")
    expect(repeat).to_have_attribute("aria-pressed", "false")
    picture = window.page.locator(".nc-ions-view canvas").first
    still = picture.screenshot()
    keyboard.activate("button", "Rotate")
    until(lambda: picture.screenshot() != still, "the ions to rotate")
    keyboard.activate("button", "Reset view")


def test_a_lesson_needs_no_mouse(server, window):
    server.start()
    window.open()
    keyboard = Keyboard(window)
    keyboard.tab(LESSONS)
    task = TASKS[0]
    keyboard.reach("radio", task.options[0])
    keyboard.press("Space")
    keyboard.write("Your reasons (optional)", "no room")
    keyboard.activate("button", f"Set the inputs: {task.setups[0].label}")
    keyboard.activate("button", "Back to the lesson")
    keyboard.write("Your answer", "more")
    keyboard.activate("button", "Show the answer")
    expect(window.button("Show the answer")).to_be_disabled()


@pytest.mark.stored_run
def test_files_are_downloaded_without_a_mouse(open_window):
    window = open_window
    window.wait_for_status("Stored result")
    keyboard = Keyboard(window)
    keyboard.tab(DOWNLOADS)
    for role, name, file in (
        ("button", "Everything in one zip", "nanoconfinement.zip"),
        ("link", "positive_density.csv", "positive_density.csv"),
    ):
        keyboard.reach(role, name)
        with window.page.expect_download() as waiting:
            keyboard.press("Enter")
        assert waiting.value.suggested_filename == file


@pytest.mark.long
@pytest.mark.submits_runs
def test_runs_can_be_found_compared_renamed_and_deleted_without_a_mouse(server, window):
    other = submit_another(server, 0.5)
    server.start()
    window.open()
    window.paste("Salt concentration c (M)", "0.77")
    simulate(window)
    until(lambda: other.state == RunState.DONE)
    keyboard = Keyboard(window)
    keyboard.tab(RUNS)
    boxes = window.page.get_by_role("checkbox", name=re.compile("^Select (?!all)"))
    expect(boxes).to_have_count(2)
    keyboard.activate("button", "Inputs")
    keyboard.activate("checkbox", "Select all runs shown", "Space")
    window.wait_for_curves("MD", "MD")
    keyboard.activate("checkbox", "Select all runs shown", "Space")
    keyboard.write("Search", "0.77")
    expect(boxes).to_have_count(1)
    for _ in range(20):
        if boxes.and_(window.page.locator(":focus")).count():
            break
        keyboard.press("Tab")
    keyboard.press("Space")
    window.wait_for_curves("MD")
    keyboard.write("Name of the selected run", "dense")
    keyboard.activate("button", "Rename")
    dense = window.page.get_by_role("checkbox", name=re.compile("^Select dense"))
    expect(dense).to_have_count(1)
    keyboard.write("Search", "dense")
    expect(dense).to_be_checked()
    keyboard.activate("button", "Cite")
    window.page.get_by_label("Citation").wait_for()
    keyboard.reach("region", "Citation")
    keyboard.activate("button", "Delete")
    keyboard.activate("button", "Delete for good?")
    expect(boxes).to_have_count(0)


def test_the_tools_of_a_figure_need_no_mouse(open_window):
    window = open_window
    predict(window)
    window.settle()
    keyboard = Keyboard(window)
    keyboard.tab(PREDICTION)
    keyboard.reach("application", FIGURE_NAME)
    image = "document.activeElement.querySelector('canvas').toDataURL()"
    for key in ("+", "Shift+ArrowLeft", "h"):
        window.page.evaluate(f"window.before = {image}")
        keyboard.press(key)
        window.wait(f"{image} !== window.before")
    zoom = keyboard.reach("button", "Zoom to a rectangle")
    expect(zoom).to_be_in_viewport()
    expect(window.page.locator(".jupyter-matplotlib-toolbar:visible")).to_have_css("opacity", "1")
    keyboard.press("Enter")
    expect(zoom).to_have_attribute("aria-pressed", "true")
    keyboard.press("Enter")
    expect(zoom).to_have_attribute("aria-pressed", "false")
    keyboard.reach("button", "Reset view", "Shift+Tab")
