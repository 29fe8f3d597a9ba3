"""The table of runs in a browser, with hundreds of runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, expect

from backend.files import write_json
from backend.runs.archive import Archive
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.tabs.registry import RUNS
from tests.support.browser import PICTURES, Server, Window
from tests.support.homes import LONG, SYSTEM

RUN_COUNT = 320
MINE, KEY = 300, "0f" * 16
"""Number of runs of the browser (the oldest; the others are of a command), and its key."""

STEP = 100
"""Number of rows that the table shows at first, and adds on request."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server with an archive of hundreds of results."""
    server = Server(tmp_path_factory.mktemp("many") / "home")
    archive = Archive(server.home)
    owner = Identity.of_browser({"key": KEY}).owner
    for seed in range(RUN_COUNT):
        settings, name = replace(LONG, seed=seed), f"run-{seed}"
        run = archive.submit(SYSTEM, settings, name=name, owner=owner if seed < MINE else "")
        error = 0.001 * (seed + 1)
        verdict = {
            "converged": seed < RUN_COUNT // 2,
            "median_relative_error": error,
            "target_error": 0.005,
            "reasons": [],
            "times_longer": 1.0,
            "differences_in_standard_errors": {},
        }
        summary = {"simulated_ns": 2.0, "median_relative_error": error, "convergence": verdict}
        write_json(run.folder / "result.json", {"summary": summary})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def many(window: Window) -> Window:
    """Return a page with the Runs tab of that archive."""
    window.page.add_init_script(f"localStorage.nanoconf ??= JSON.stringify({{key: '{KEY}'}})")
    window.open()
    window.tab(RUNS)
    expect(rows(window)).to_have_count(STEP)
    return window


def rows(window: Window) -> Locator:
    return window.page.locator(".nc-runs-table tbody tr")


def column(window: Window, title: str) -> Locator:
    return window.page.get_by_role("columnheader", name=title)


def test_hundreds_of_runs_are_sorted_and_shown_in_batches(many):
    expect(rows(many).first).to_contain_text(f"run-{RUN_COUNT - 1} (")
    expect(rows(many).first).to_contain_text("not converged")
    expect(column(many, "Created (UTC)")).to_have_attribute("aria-sort", "descending")
    many.page.get_by_text(f"Showing {STEP} of {RUN_COUNT} runs.").wait_for()
    many.page.screenshot(path=PICTURES / "many-runs.png")

    many.button("Error").click()
    expect(column(many, "Error")).to_have_attribute("aria-sort", "ascending")
    expect(column(many, "Created (UTC)")).to_have_attribute("aria-sort", "none")
    expect(rows(many).first).to_contain_text("run-0 (")
    expect(rows(many).first).not_to_contain_text("not converged")
    expect(rows(many).nth(11)).to_contain_text("run-11 (")  # as numbers, not as texts
    many.button("Error").click()
    expect(column(many, "Error")).to_have_attribute("aria-sort", "descending")
    expect(rows(many).first).to_contain_text(f"run-{RUN_COUNT - 1} (")

    for shown in (2 * STEP, 3 * STEP):
        many.button(f"Show {STEP} more").click()
        expect(rows(many)).to_have_count(shown)
    many.button(f"Show {RUN_COUNT - 3 * STEP} more").click()
    expect(rows(many)).to_have_count(RUN_COUNT)
    expect(many.page.get_by_role("region", name="Table of runs")).to_be_focused()


def test_the_list_is_searched_and_limited_to_this_browser(many):
    many.field("Search").fill("run-17 failed")
    many.page.get_by_text("No run matches “run-17 failed”.").wait_for()
    expect(rows(many)).to_have_count(0)
    expect(many.page.get_by_text("No run matches")).to_have_attribute("aria-live", "polite")
    many.field("Search").fill("run-319")
    expect(rows(many)).to_have_count(1)
    for title in ("Mine", "Everyone"):
        expect(many.page.get_by_role("radio", name=title)).to_be_in_viewport(ratio=1)
    many.page.get_by_role("radio", name="Mine").click()
    expect(rows(many)).to_have_count(0)
    many.field("Search").fill("run-299")
    expect(rows(many)).to_have_count(1)


def test_rows_are_selected_by_keyboard_and_in_ranges(many):
    keyboard = many.page.keyboard
    boxes = rows(many).get_by_role("checkbox")
    chosen = rows(many).get_by_role("checkbox", checked=True)
    expect(many.button("Cite")).to_be_disabled()
    boxes.first.focus()
    keyboard.press("Space")
    expect(chosen).to_have_count(1)
    expect(many.button("Open")).to_be_enabled()
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    expect(boxes.nth(2)).to_be_focused()
    keyboard.press("Space")
    expect(chosen).to_have_count(2)
    expect(many.button("Open")).to_be_disabled()
    expect(many.button("Cite")).to_be_enabled()
    expect(many.button("Delete")).to_be_hidden()  # they were submitted by a command
    keyboard.press("Tab")
    expect(many.button(f"Show {STEP} more")).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(boxes.nth(2)).to_be_focused()
    rows(many).nth(4).click(modifiers=["Shift"])
    expect(chosen).to_have_count(4)
    many.page.get_by_label("Select all runs shown").check()
    expect(chosen).to_have_count(STEP)
    many.page.get_by_text(f"{STEP} runs selected; the figure shows the first").wait_for()
    many.page.get_by_label("Select all runs shown").uncheck()
    expect(chosen).to_have_count(0)
    expect(many.button("Cite")).to_be_disabled()


@pytest.mark.long
def test_a_name_that_is_being_typed_survives_a_change_of_the_selection(many):
    boxes = rows(many).get_by_role("checkbox")
    boxes.nth(50).check()
    name = many.page.get_by_placeholder("name of the selected run")
    name.fill("a fine run")
    boxes.nth(51).evaluate("e => e.click()")  # the name keeps the focus
    expect(many.button("Rename")).to_be_disabled()
    boxes.nth(51).evaluate("e => e.click()")
    many.button("Rename").click()
    expect(rows(many).filter(has_text="a fine run")).to_have_count(1)


@pytest.mark.long
def test_the_table_scrolls_inside_a_narrow_page(many):
    many.page.set_viewport_size({"width": 390, "height": 844})
    frame = many.page.get_by_role("region", name="Table of runs")
    frame.scroll_into_view_if_needed()
    frame.evaluate("e => e.scrollTo(1000, 1000)")
    assert frame.evaluate("e => e.scrollTop > 0 && e.scrollLeft > 0")
    assert many.page.evaluate("document.querySelector('.nc-app').scrollWidth") <= 390
    expect(column(many, "Created (UTC)")).to_be_in_viewport()
    many.page.screenshot(path=PICTURES / "many-runs-narrow.png")
