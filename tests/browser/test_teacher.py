"""Teacher's view in a browser: the form, the class of a hundred runs, and clearing it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from backend.files import write_json
from backend.profiles.bins import bin_centres
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.runs.archive import Archive
from backend.sampling.result import SimulationResult
from backend.system import SlitSystem
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.tabs.classroom.model import LEGEND
from nanoconf.gui.tabs.classroom.panel import CLEAR
from nanoconf.gui.tabs.registry import CLASS, RUNS
from tests.browser.test_layout import PHONE, SIDEWAYS
from tests.support.accessibility import small_targets, violations
from tests.support.browser import Window
from tests.support.homes import LONG, QUICK, until
from tests.support.web import WebServer

TOKEN = "chalk-and-blackboard"

WIDTHS, CONCENTRATIONS, BROWSERS, RESULTS, WAITING = (
    (3.0, 3.5, 4.0),
    (0.3, 0.5, 0.6, 0.9),
    25,
    96,
    4,
)


def profile(system: SlitSystem) -> SlitProfiles:
    """Return profiles of a plausible shape."""
    z = bin_centres(system)
    wall = (system.confinement_length - system.positive_diameter) / 2 - abs(z)
    density = system.salt_concentration * np.where(wall > 0, 1 + np.exp(-wall.clip(0) / 0.2), 0)
    one = DensityProfile(z, density, np.full(len(z), 0.01))
    return SlitProfiles(one, one)


def fill(home: Path) -> None:
    """Add the runs of a class, and one from the command line."""
    archive = Archive(home)
    for i in range(RESULTS):
        system = SlitSystem(
            confinement_length=WIDTHS[i % 3], salt_concentration=CONCENTRATIONS[i // 3 % 4]
        )
        owner = Identity.of_browser({"key": f"browser {i % BROWSERS}"}).owner
        run = archive.submit(system, replace(QUICK, seed=i), owner=owner, name="my run")
        SimulationResult(system, QUICK, profile(system)).save(run.folder)
        write_json(run.folder / "result.json", {"summary": {"median_relative_error": 0.013}})
    for i in range(WAITING):
        owner = Identity.of_browser({"key": f"browser {i}"}).owner
        archive.submit(SlitSystem(), replace(LONG, seed=i), owner=owner)
    archive.submit(SlitSystem(), LONG, reuse=False)


PAINTED = (
    "[...document.querySelectorAll('.nc-class .nc-figure')].every("
    "e => e.classList.contains('nc-painted-dark') === !!e.closest('.nc-dark'))"
)
"""True if the figure is painted for the theme of the page."""


def check(window: Window, name: str) -> None:
    """Check the layout and the accessibility of what is on screen, and save a screenshot."""
    window.wait(PAINTED)
    window.picture(name)
    assert not window.page.evaluate(SIDEWAYS)
    assert violations(window) == [] == small_targets(window)


@pytest.mark.long
def test_a_teacher_sees_a_hundred_runs_in_one_figure_and_clears_them(browser, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    fill(home)
    with WebServer(home, [], {"NANOCONF_TEACHER_TOKEN": TOKEN}) as server:
        window = Window(browser, server)
        page = window.open().page
        assert not page.get_by_role("tab", name=CLASS).count()
        window.tab(RUNS)
        page.get_by_role("link", name="Teacher").click()
        page.get_by_label("Teacher's token or password").fill(TOKEN)
        assert violations(window) == []
        page.keyboard.press("Enter")

        expect(page.get_by_role("tab", name=CLASS)).to_have_attribute("aria-selected", "true")
        window.wait_for_curves(*["MD"] * RESULTS)
        table = page.get_by_role("region", name="Runs of the class")
        expect(table.get_by_role("row")).to_have_count(1 + RESULTS + WAITING)
        expect(table).not_to_contain_text("my run")
        assert len({curve["label"].partition(": ")[0] for curve in window.curves()}) > LEGEND - 1
        check(window, "teacher")
        window.button("Dark").click()
        check(window, "teacher-dark")
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        check(window, "teacher-phone-dark")
        window.button("Dark").click()
        check(window, "teacher-phone")

        window.button(CLEAR).focus()
        page.keyboard.press("Enter")
        window.button("Keep them").wait_for()
        check(window, "teacher-phone-asked")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(window.button(CLEAR)).to_be_focused()
        page.keyboard.press("Enter")
        window.button(f"Delete {RESULTS + WAITING} runs for good?").press("Enter")
        page.get_by_text(f"{RESULTS + WAITING} runs deleted.").wait_for()
        until(lambda: len(Archive(home).runs()) == 1, "the run from the command line to be left")

        page.get_by_role("link", name="Leave the teacher's view").click()
        window.ready()
        assert not page.get_by_role("tab", name=CLASS).count()
        window.close()
        assert window.trouble == []
