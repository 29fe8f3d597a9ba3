"""Every tab of the page in a browser."""

from __future__ import annotations

import io
import itertools
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from backend.keeper.election import ensure_keeper
from backend.locks import Lock
from backend.poisson_boltzmann import poisson_boltzmann
from backend.profiles.charge import ChargeProfile
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf import Surrogate
from nanoconf.gui.tabs.registry import (
    ABOUT,
    CHARGE,
    CHARGE_DENSITY,
    DOWNLOADS,
    INTEGRATED,
    NEGATIVE,
    POSITIVE,
    POTENTIAL,
    RUNS,
    SNAPSHOTS,
    TRENDS,
    UNCERTAINTY,
)
from tests.support.browser import (
    PICTURES,
    SEEN,
    Window,
    predict,
    same,
    simulate,
    submit_another,
)
from tests.support.homes import LONG, SYSTEM, UNSTABLE, until


def download(window: Window, name: str, press: str) -> bytes:
    with window.page.expect_download() as waiting:
        window.button(press).click()
    assert waiting.value.suggested_filename == name
    return Path(waiting.value.path()).read_bytes()


def test_the_prediction_is_updated_when_a_slider_moves(open_window):
    window = open_window
    handle = window.slider("Salt concentration c (M)")
    expect(handle).to_have_attribute("aria-valuetext", "0.50 M")
    handle.focus()
    for _ in range(25):
        handle.press("ArrowRight")
    expect(window.field("Salt concentration c (M)")).to_have_value("0.75")
    expect(handle).to_have_attribute("aria-valuetext", "0.75 M")
    predicted = Surrogate.load().predict(SlitSystem(salt_concentration=0.75))
    window.wait_for_highest(max(predicted.positive.density))
    same(window.curves()[0], predicted.positive)
    window.picture("updated")


def test_a_slider_is_dragged_with_the_mouse(open_window):
    window = open_window
    field, mouse = window.field("Salt concentration c (M)"), window.page.mouse
    box = window.slider("Salt concentration c (M)").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    window.wait_for_curves("ML", "ML")
    window.page.evaluate(f"window.first = {SEEN}.dataset.curves")
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 15, y, steps=10)
    window.wait(f"{SEEN}.dataset.curves !== window.first")  # while the button is down
    mouse.move(x + 30, y, steps=10)
    mouse.up()
    surrogate = Surrogate.load()

    def shows_its_prediction() -> bool:
        system = SlitSystem(salt_concentration=float(field.input_value()))
        highest = max(surrogate.predict(system).positive.density)
        moved = system.salt_concentration > 0.55
        return moved and abs(max(window.curves()[0]["density_M"]) - highest) < 1e-4

    until(shows_its_prediction, "the prediction at the slider's value")
    assert float(field.input_value()) <= 0.9


def test_hovering_shows_values_and_the_figure_can_be_zoomed(open_window):
    window = open_window
    predict(window)
    window.settle()
    left, top, width, height = window.figure_box()
    mouse, reading = window.page.mouse, window.page.locator(".jupyter-matplotlib-footer:visible")

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * width, top + y * height

    mouse.move(*at(0.4, 0.5))
    reading.filter(has_text=re.compile(r"^z = −0\.\d+ nm · ML, positive ions 0\.\d+ ·")).wait_for()
    whole = reading.inner_text()
    seen = reading.bounding_box()
    stage = window.page.locator(".nc-stage").bounding_box()
    assert seen["y"] + seen["height"] <= stage["y"] + stage["height"]
    window.picture("pointer")

    window.page.get_by_title("Zoom to rectangle").click()
    mouse.move(*at(0.2, 0.2))
    mouse.down()
    mouse.move(*at(0.5, 0.7), steps=5)
    mouse.up()
    mouse.move(*at(0.4, 0.5))
    expect(reading).not_to_have_text(whole)
    expect(reading).to_have_text(re.compile("^z = −0"))
    window.picture("zoomed")
    window.page.get_by_title("Reset original view").click()
    mouse.move(*at(0.41, 0.5))
    mouse.move(*at(0.4, 0.5))
    expect(reading).to_have_text(whole)


def test_a_printed_page_shows_a_full_width_figure_without_controls(open_window):
    window = open_window
    predict(window)
    window.settle()
    window.page.emulate_media(media="print")
    window.page.set_viewport_size({"width": 700, "height": 990})  # A4, upright
    canvas = window.page.locator(".nc-figure canvas:visible")
    expect(canvas).to_have_count(1)
    box = canvas.bounding_box()
    assert 0 <= box["x"] < box["x"] + box["width"] <= 700
    assert box["width"] > 600
    expect(window.button("Run")).to_be_hidden()
    window.page.screenshot(path=PICTURES / "paper.png")


def test_inputs_outside_the_training_range_are_explained_and_can_be_simulated(open_window):
    window = open_window
    window.page.locator(".nc-training i").nth(4).wait_for(state="attached")  # five or more
    window.paste("Confinement length h (nm)", "2.0")
    window.page.get_by_role("note").filter(has_text="it needs h of 3-4 nm").wait_for()
    expect(window.button("Run")).to_be_enabled()
    window.picture("outside-training-range")
    window.paste("Confinement length h (nm)", "3.5")
    window.wait_for_curves("ML", "ML")


@pytest.mark.long
@pytest.mark.own_server
def test_presets_set_the_inputs_and_show_their_stored_results(server, window, home):
    archive = Archive(home)
    salt = SlitSystem(3.0, 2, -1, 0.9, 0.7)  # one of Fig. 6
    run = archive.submit(salt, RunSettings(duration_ns=0.02))
    ensure_keeper(home)
    until(lambda: run.state == RunState.DONE)
    server.start()
    window.open()
    window.page.locator(".nc-presets select").select_option(label="Paper, Fig. 6: c = 0.9, z₊ = 2")
    expect(window.field("Salt concentration c (M)")).to_have_value("0.90")
    window.wait_for_status("Stored result")
    window.tab(POSITIVE)
    md, _ml = window.wait_for_curves("MD", "ML")
    same(md, run.result().positive)
    assert not md["stale"]
    expect(window.page.locator(".nc-chip:visible").first).to_contain_text("MD, stored")
    window.picture("stored")
    window.page.locator(".nc-presets select").select_option(
        label="CaCl₂, hydrated ions (simulation only)"
    )
    expect(window.field("Negative diameter d₋ (nm)")).to_have_value("0.664")
    window.wait(f"JSON.parse({SEEN}.dataset.curves)[0].stale")


@pytest.mark.submits_runs
def test_charged_walls_show_charge_potential_and_screening(server, window):
    server.start()
    window.open()
    system = SlitSystem(confinement_length=4.0, surface_charge_density=-0.05)
    window.paste("Confinement length h (nm)", "4")
    window.paste("Surface charge σ (C/m²)", "-0.05")
    window.button("Poisson-Boltzmann").click()
    simulate(window)
    window.tab(CHARGE)
    for figure, quantity in (
        (CHARGE_DENSITY, "charge_density_eM"),
        (INTEGRATED, "integrated_charge_C_per_m2"),
        (POTENTIAL, "potential_mV"),
    ):
        window.figure(figure)
        md, pb = window.wait_for_curves("MD", "PB")
        assert len(md[quantity]) == len(pb[quantity]) == 300
        window.picture(figure.lower().replace(" ", "-"))
    window.figure(INTEGRATED)
    window.wait(f"{SEEN}.dataset.curves.includes('integrated')")
    theory = ChargeProfile.of(system, poisson_boltzmann(system)).screening_length
    lines = window.lines()
    (place,) = lines[f"z* = {theory:.2f} nm from the left wall (PB)"]["z_nm"]
    assert place == pytest.approx(theory - 2.0, abs=1e-4)
    share = 0.05 * abs(system.actual_surface_charge_density)
    shares = lines["±5 % of σ"]["integrated_charge_C_per_m2"]
    assert shares == pytest.approx([-share, share], rel=1e-4)
    described = window.page.get_by_role("img", name=re.compile("^Integrated Charge.*; walls at −2"))
    expect(described).to_have_count(1)
    window.tab(NEGATIVE)
    window.wait_for_curves("MD", "PB")


@pytest.mark.stored_run
def test_the_trends_uncertainty_runs_and_about_tabs_show_their_contents(server, window):
    server.start()
    window.open()
    window.wait_for_status("Stored result")

    window.tab(TRENDS)
    window.wait(f"JSON.parse({SEEN}?.dataset.curves ?? '[]').some(c => c.source === 'MD')")
    assert sum(curve["label"].startswith("c = ") for curve in window.curves()) == 7
    window.picture("trends")
    for end in ("from", "to"):
        expect(window.slider(end)).to_have_count(1)
    window.page.get_by_label("Vary").select_option(label="Positive ion valency z₊")
    window.wait(f"JSON.parse({SEEN}.dataset.curves).some(c => c.label === 'z₊ = 3')")

    window.tab(UNCERTAINTY)
    window.page.get_by_text("90 % interval").wait_for()
    window.wait(f"JSON.parse({SEEN}?.dataset.curves ?? '[]').length === 3")
    window.picture("uncertainty")
    window.page.get_by_label("Output").select_option(label="Density of the positive ions at z (M)")
    window.button("Over z").click()
    window.wait(f"JSON.parse({SEEN}.dataset.curves).length === 7")
    window.picture("uncertainty-over-z")

    window.tab(RUNS)
    choose(window, "0.02 ns")
    window.wait_for_curves("MD")
    window.button("Cite").click()
    (run,) = Archive(server.home).runs()
    citation = window.page.get_by_label("Citation").filter(has_text=run.id)
    citation.wait_for()
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.button("Copy").click()
    window.page.get_by_text("Copied.").wait_for()
    assert window.page.evaluate("navigator.clipboard.readText()") == citation.inner_text()
    window.picture("runs")

    window.tab(ABOUT)
    window.page.get_by_text("Poisson-Boltzmann theory treats ions as points").wait_for()
    window.page.get_by_text("points lie within the 90 % band").first.wait_for()
    window.page.screenshot(path="test-results/about.png")


def listed(window: Window) -> Locator:
    """Return the rows of the table of runs."""
    return window.page.locator(".nc-runs-table tbody tr")


def choose(window: Window, *runs: str) -> None:
    """Select the runs whose row contains each of the given texts, and no others."""
    rows = listed(window)
    expect(rows.filter(has_text=runs[0])).to_have_count(1)
    checked = rows.get_by_role("checkbox", checked=True)
    while checked.count():  # a box that is unchecked leaves the list
        checked.first.uncheck()
    for words in runs:
        rows.filter(has_text=words).get_by_role("checkbox").check()


@pytest.mark.long
@pytest.mark.submits_runs
def test_runs_can_be_found_named_compared_opened_and_deleted(server, window):
    other = submit_another(server, 0.7)
    server.start()
    window.open()
    simulate(window)
    until(lambda: other.state == RunState.DONE)
    window.tab(RUNS)
    lines = listed(window)
    expect(lines.filter(has_text="done")).to_have_count(2)

    choose(window, "0.5 M", "0.7 M")
    window.wait_for_curves("MD", "MD")
    window.picture("compared")

    choose(window, "0.5 M")
    window.wait_for_curves("MD")
    window.page.get_by_placeholder("name of the selected run").fill("the first")
    window.button("Rename").click()
    lines.filter(has_text="the first").wait_for()
    window.page.get_by_placeholder("name, 3:−1").fill("first 0.5")
    expect(lines).to_have_count(1)
    choose(window, "the first")
    window.button("Open").click()
    window.wait_for_status("Stored result")
    expect(window.field("Salt concentration c (M)")).to_have_value("0.50")

    window.tab(RUNS)
    choose(window, "the first")
    window.button("Delete").click()
    window.button("Delete for good?").click()
    expect(lines).to_have_count(0)
    (left,) = Archive(server.home).runs()
    assert left.system.salt_concentration == 0.7


@pytest.mark.long
@pytest.mark.own_server
def test_a_failed_simulation_shows_its_reason(server, window, home):
    run = Archive(home).submit(SYSTEM, UNSTABLE)
    ensure_keeper(home)
    until(lambda: run.state == RunState.FAILED)
    server.start()
    window.open()
    window.tab(RUNS)
    choose(window, "failed")
    window.button("Open").click()
    window.wait_for_status(f"The simulation failed: {run.reason}")
    expect(window.button("Run")).to_be_enabled()
    window.page.screenshot(path=PICTURES / "failed.png")


@pytest.mark.long
@pytest.mark.submits_runs
def test_an_identical_request_joins_the_run_in_progress(browser, server, window):
    server.start()
    window.open()
    other = Window(browser, server).open()
    for page in (window, other):
        page.paste("Simulation length (ns)", "100")
        page.button("Run").click()
        page.wait_for_status("Simulating:")
        page.wait_for_curves("MD", "ML")
    (run,) = Archive(server.home).runs()
    assert run.state == RunState.RUNNING
    other.close()
    assert other.trouble == []


@pytest.mark.stored_run
def test_everything_can_be_downloaded_in_one_file(server, window):
    server.start()
    window.open()
    window.wait_for_status("Stored result")
    window.tab(POSITIVE)
    window.wait_for_curves("MD", "ML")
    window.tab(DOWNLOADS)
    (run,) = Archive(server.home).runs()
    packed = zipfile.ZipFile(
        io.BytesIO(download(window, "nanoconfinement.zip", "Everything in one zip"))
    )
    names = set(packed.namelist())
    assert {"run.json", "trajectory.xyz", "ml_charge.csv"} <= names
    figures = f"figures/h3.0_1-1_0.5M_{run.id[:8]}_positive", "figures/h3.0_1-1_0.5M_model-"
    for figure, kind in itertools.product(figures, ("png", "svg", "pdf", "csv")):
        (_one,) = (name for name in names if name.startswith(figure) and name.endswith(kind))
    assert packed.read("positive_density.csv").decode() == run.result().positive.to_csv()
    trajectory = download(window, "trajectory.xyz", "trajectory.xyz")
    assert trajectory == (run.folder / "trajectory.xyz").read_bytes()
    assert packed.read(f"{figures[0]}.svg").startswith(b"<?xml")


@pytest.mark.long
@pytest.mark.submits_runs
def test_finish_now_keeps_the_result_so_far(server, window):
    server.start()
    window.open()
    window.paste("Simulation length (ns)", "40")
    window.button("Run").click()
    window.wait_for_curves("MD", "ML")
    window.button("Finish now").click()
    window.wait_for_status("Done")
    (run,) = Archive(server.home).runs()
    assert run.state == RunState.DONE and run.result().summary.simulated_ns < 20


@pytest.mark.long
@pytest.mark.submits_runs
def test_a_simulation_ends_at_the_target_error(server, window):
    server.start()
    window.open()
    window.paste("Simulation length (ns)", "20")
    window.paste("Stop at error (%)", "5")
    window.button("Run").click()
    window.wait_for_status("Done")
    window.wait_for_curves("MD", "ML")
    (run,) = Archive(server.home).runs()
    simulated = run.result()
    assert run.settings.target_error == 0.05
    assert simulated.summary.convergence.converged
    assert simulated.summary.simulated_ns < 20
    for profile in (simulated.positive, simulated.negative):
        inside = profile.density > 0
        assert np.median(profile.error[inside] / profile.density[inside]) <= 0.05


@pytest.mark.long
@pytest.mark.own_server
def test_queued_simulations_show_their_position_and_take_turns(
    browser, server, window, monkeypatch
):
    monkeypatch.setenv("NANOCONF_CORES", "1")
    server.start()
    first = Archive(server.home).submit(SlitSystem(salt_concentration=0.4), LONG)
    with Lock(first.folder / "worker.lock"):  # a worker that does not make room
        ensure_keeper(server.home)
        second, third = pages = [window.open(), Window(browser, server).open()]
        waiting = "Waiting for a free processor: "
        places = (waiting + "next in line, about", waiting + "1 run ahead, about")
        for page, concentration, place in zip(pages, ("0.6", "0.7"), places, strict=True):
            page.paste("Salt concentration c (M)", concentration)
            page.paste("Simulation length (ns)", "100")
            page.button("Run").click()
            page.wait_for_status(place)
        second.picture("queued")
        first.cancel()
    second.wait_for_status("Simulating:")
    third.wait_for_status("Simulating:")
    second.wait_for_status(waiting + "next in line")
    second.wait("/% simulated so far/.test(document.querySelector('.nc-status').innerText)")
    third.close()
    assert third.trouble == []


# Dark text on the dark page.
DARK_LETTERS = """[...document.querySelectorAll('.nc-app *')]
  .filter(e => e.offsetParent && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .filter(e => Math.max(...getComputedStyle(e).color.match(/[0-9]+/g).slice(0, 3)) < 120)
  .map(e => `${e.tagName} ${e.className} ${e.textContent}`)"""


@pytest.mark.long
def test_the_dark_theme_persists(server, window):
    server.start()
    window.open()
    predict(window)
    window.button("Dark").click()
    window.wait("document.querySelector('.nc-app.nc-dark')")
    window.wait("JSON.parse(localStorage.getItem('nanoconf') ?? '{}').dark")  # a message later
    window.reload()
    window.wait("document.querySelector('.nc-app.nc-dark')")
    window.wait_for_curves("ML", "ML")
    window.settle()
    paper = window.page.evaluate(
        "(c => [...c.getContext('2d').getImageData(3, 3, 1, 1).data])"
        "([...document.querySelectorAll('.nc-figure canvas')].find(e => e.offsetParent))"
    )
    assert np.mean(paper[:3]) < 60
    assert not window.page.evaluate(DARK_LETTERS)
    window.button("Log").click()
    log = window.page.get_by_label("Log of this page")
    log.wait_for()
    ground = log.evaluate("e => getComputedStyle(e).backgroundColor")
    assert max(map(int, re.findall(r"[0-9]+", ground)[:3])) < 60
    window.picture("dark")


@pytest.mark.stored_run
def test_snapshots_show_the_ions_and_can_be_played(server, window):
    server.start()
    window.open()
    window.wait_for_status("Stored result")
    window.tab(SNAPSHOTS)
    picture = window.page.locator("[data-snapshots]")
    picture.wait_for(state="attached")
    data = json.loads(picture.get_attribute("data-snapshots"))
    assert data["counts"] == list(SlitSystem().counts) and len(data["times_ps"]) > 10
    snapshots = f"{len(data['times_ps'])} snapshots over {data['times_ps'][-1] / 1000:.2g} ns"
    window.page.get_by_text(f"{snapshots}, replica 1 of 2").wait_for()
    canvas = window.page.locator(".nc-ions-view canvas").first
    canvas.wait_for()
    window.page.screenshot(path="test-results/snapshots.png")
    chip = window.page.locator(".nc-chip:visible")
    expect(chip).to_contain_text("0.5 M")
    still = canvas.screenshot()
    box, mouse = canvas.bounding_box(), window.page.mouse
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 150, y + 40, steps=5)
    mouse.up()
    until(lambda: canvas.screenshot() != still, "the ions to rotate")
    window.page.screenshot(path=PICTURES / "rotated.png")
    slider = window.slider("Time")
    before = slider.get_attribute("aria-valuetext")
    assert before.endswith(" ps")
    window.page.locator(
        ".nc-snapshots .jupyter-widget-play button, .nc-snapshots .widget-play button"
    ).first.click()
    window.wait(
        "document.querySelector('.nc-snapshots [role=slider]').getAttribute('aria-valuetext')"
        f" !== {json.dumps(before)}"
    )
    window.paste("Salt concentration c (M)", "0.6")
    expect(chip).to_contain_text("different inputs")
    window.page.screenshot(path=PICTURES / "snapshots-stale.png")
