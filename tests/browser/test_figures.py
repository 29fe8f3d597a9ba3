"""Files and data of a figure in a browser."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser import PICTURES, Window, predict

NAME = r"h3\.0_1-1_0\.5M_model-\d+_prediction\."


def saved(window: Window, press) -> tuple[str, bytes]:
    """Return the name and the content of the file that an action saves."""
    with window.page.expect_download() as waiting:
        press()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_a_saved_figure_is_named_after_its_inputs_and_its_model(open_window):
    window = open_window
    predict(window)
    for kind, start in (("PNG", b"\x89PNG"), ("SVG", b"<?xml"), ("PDF", b"%PDF"), ("CSV", b"# ")):
        window.page.get_by_role("combobox", name="Format of the file").select_option(label=kind)
        name, content = saved(window, window.button("Save").click)
        assert re.fullmatch(NAME + kind.lower(), name) and content.startswith(start)
    window.settle()
    left, top, width, height = window.figure_box()
    window.page.mouse.move(left + width / 2, top + height / 2)  # shows the toolbar
    name, content = saved(window, window.page.get_by_title("Download plot").click)
    assert re.fullmatch(f"{NAME}png", name) and b"Inputs: h 3 nm" in content


def test_the_keyboard_opens_a_table_of_the_data_in_a_figure(open_window):
    window = open_window
    predict(window)
    window.settle()
    button = window.button("Data table")
    button.focus()
    button.press("Enter")
    table = window.page.get_by_role("table", name="Prediction Graph: Ion density")
    expect(table.get_by_role("row")).to_have_count(301)
    expect(
        table.get_by_role("columnheader", name="ML, positive ions (M)", exact=True)
    ).to_have_count(1)
    expect(window.page.locator(".nc-figure canvas:visible")).to_have_count(0)
    window.page.keyboard.press("Tab")
    window.page.keyboard.press("End")
    expect(table.get_by_role("row").last).to_be_in_viewport()
    PICTURES.mkdir(exist_ok=True)
    window.page.screenshot(path=PICTURES / "data-table.png")
    button.press("Enter")
    expect(table).to_be_hidden()
    window.settle()


INSIDE = """(() => {
  const box = selector => [...document.querySelectorAll(selector)]
    .find(element => element.offsetParent).getBoundingClientRect();
  const [stage, tools] = [box('.nc-stage'), box('.nc-figure-tools')];
  return stage.left <= tools.left && tools.right <= stage.right && tools.bottom <= stage.bottom;
})()"""


def test_the_tools_of_a_figure_are_visible_on_small_and_large_windows(open_window):
    window = open_window
    predict(window)
    for width, height in ((1280, 800), (390, 844)):
        window.page.set_viewport_size({"width": width, "height": height})
        window.wait(INSIDE)
