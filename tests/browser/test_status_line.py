"""The status line in a browser: what it shows, and what screen readers hear."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from backend.files import write_json
from backend.locks import Lock
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.system import SlitSystem
from tests.support.browser import Window, predict
from tests.support.homes import LONG

# Follow the hidden text, and check that its element stays the same.
LISTEN = """() => {
  const line = document.querySelector('.nc-status-line');
  window.spoken = line.querySelector('[aria-live=polite]');
  window.shown = line.querySelector('[role=status]');
  window.heard = [];
  window.seen = new Set();
  new MutationObserver(() => {
    window.heard.push(window.spoken.textContent);
    window.seen.add(window.shown.textContent);
  }).observe(line, { childList: true, characterData: true, subtree: true });
}"""
SAME = """() => window.spoken.isConnected && window.shown.isConnected
  && document.querySelectorAll('[role=status]').length === 1
  && document.querySelectorAll('.nc-status-line [aria-live=polite]').length === 1"""


@pytest.mark.submits_runs
def test_screen_readers_announce_each_phase_of_a_run_and_every_25_percent(server, window):
    """The test replaces the worker, so that each step lasts until the page shows it."""
    run = Archive(server.home).submit(SlitSystem(), LONG)
    with Lock(run.folder / "worker.lock"):
        server.start()
        window.open()
        expect(window.page.get_by_role("status")).to_have_attribute("aria-live", "off")
        window.page.evaluate(LISTEN)
        window.button("Watch").click()
        window.wait_for_status("Preparing the engine")
        for phase, percent in (("equilibrating", 2), *(("sampling", n) for n in range(5, 100, 9))):
            progress = {"phase": phase, "fraction": percent / 100, "updated": "2026-01-01"}
            write_json(run.folder / "progress.json", progress)
            word = "Equilibrating" if phase == "equilibrating" else "Simulating"
            window.wait_for_status(f"{word}: {percent} %")
        run.write_failure(RunState.CANCELLED, "cancelled on request")
    window.wait_for_status("Cancelled")
    assert window.page.evaluate(SAME)
    heard = list(dict.fromkeys(window.page.evaluate("window.heard")))
    phases = ["Preparing the engine", "Equilibrating", "Simulating"]
    quarters = [f"Simulating: {part} %" for part in (25, 50, 75)]
    assert heard[-7:] == [*phases, *quarters, window.status]
    assert set(window.page.evaluate("[...window.seen]")) - set(heard)  # details are only shown


def test_the_status_line_follows_the_inputs(server, window):
    server.start()
    window.open()
    predict(window)
    window.wait_for_status("Predicted")
    window.paste("Salt concentration c (M)", "90")
    window.wait_for_status("Correct the salt concentration c to run or predict.")
    window.paste("Salt concentration c (M)", "0.7")
    window.wait_for_status("Ready.")
    window.paste("Confinement length h (nm)", "8")
    window.button("Predict using ML").click()
    window.wait_for_status("No ML prediction here")
    assert "nc-bad" in dot(window)
    window.paste("Confinement length h (nm)", "3")
    window.wait_for_status("Ready.")
    assert "nc-idle" in dot(window)


def dot(window: Window) -> str:
    return window.page.locator(".nc-status-line .nc-dot").get_attribute("class") or ""


# Labels whose text is cut within a part.
CUT = """() => [...document.querySelectorAll('.nc-chip > *')].filter(part => {
  const chip = part.parentElement.getBoundingClientRect(), box = part.getBoundingClientRect();
  return box.left < chip.right - 1 && box.right > chip.right + 1;
}).map(part => getComputedStyle(part.parentElement).textOverflow)"""


@pytest.mark.long
@pytest.mark.submits_runs
def test_a_label_that_is_too_long_is_truncated_between_two_parts(server, window):
    server.start()
    window.open()
    window.paste("Confinement length h (nm)", "4.25")
    window.paste("Negative diameter d₋ (nm)", "0.5")
    note = window.page.get_by_role("note").filter(has_text="equal diameters")
    expect(note).to_have_attribute("title", re.compile("equal diameters"))
    assert note.get_attribute("title") == " ".join(note.inner_text().split())
    window.paste("Surface charge σ (C/m²)", "-0.05")
    window.paste("Simulation length (ns)", "0.02")
    window.button("Run").click()
    window.wait_for_status("Done")
    window.page.locator(".nc-chip.nc-md:visible").wait_for()
    assert set(window.page.evaluate(CUT)) <= {"ellipsis"}
    window.picture("long-labels")
