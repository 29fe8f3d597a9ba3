"""Every tab in a browser, and what follows the inputs."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from playwright.sync_api import expect

from backend.archive import Archive
from backend.keeper import ensure_keeper
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf import Surrogate
from nanoconf.gui.state import (
    ABOUT,
    CHARGE,
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
from tests.browser.conftest import SEEN, Window
from tests.browser.test_page import same
from tests.homes import until

SHORT = "0.02"


def slider(window: Window, label: str):
    return window.page.locator(".nc-number", has_text=label).get_by_role("slider")


def simulate(window: Window) -> None:
    """Press Run for a simulation that is soon over."""
    window.paste("Simulation length (ns)", SHORT)
    window.button("Run").click()
    window.wait_for_status("Done")


def download(window: Window, name: str, press: str) -> bytes:
    with window.page.expect_download() as waiting:
        window.button(press).click()
    assert waiting.value.suggested_filename == name
    return Path(waiting.value.path()).read_bytes()


def test_a_slider_is_followed_and_ends_at_its_prediction(server, window):
    server.start()
    window.open()
    handle = slider(window, "Salt concentration")
    handle.focus()
    for _ in range(25):
        handle.press("ArrowRight")
    expect(window.field("Salt concentration c (M)")).to_have_value("0.75")
    predicted = Surrogate.load().predict(SlitSystem(salt_concentration=0.75))
    window.wait_for_highest(max(predicted.positive.density))
    same(window.curves()[0], predicted.positive)
    window.picture("followed")


def test_what_the_surrogate_has_not_learnt_is_told_kindly_and_can_be_simulated(server, window):
    server.start()
    window.open()
    assert window.page.locator(".nc-learnt i").count() >= 5
    window.paste("Confinement length h (nm)", "2.0")
    window.page.get_by_role("note").filter(has_text="h = 2.00 nm").wait_for()
    assert window.button("Run").is_enabled()
    window.picture("not-learnt")
    window.paste("Confinement length h (nm)", "3.5")
    window.wait_for_curves("ML", "ML")


def test_presets_set_the_inputs_and_stored_results_appear_with_them(server, window, home):
    archive = Archive(home)
    salt = SlitSystem(3.0, 2, -1, 0.9, 0.7)  # one of Fig. 6
    run = archive.submit(salt, RunSettings(duration_ns=0.02))
    ensure_keeper(home)
    until(lambda: run.state == "done")
    server.start()
    window.open()
    window.page.locator(".nc-presets select").select_option(label="Paper, Fig. 6: c = 0.9, z₊ = 2")
    expect(window.field("Salt concentration c (M)")).to_have_value("0.90")
    window.wait_for_status("Stored result")
    window.tab(POSITIVE)
    md, _ml = window.wait_for_curves("MD", "ML")
    same(md, run.result().positive)
    assert not md["stale"]
    window.picture("stored")
    window.page.locator(".nc-presets select").select_option(label="CaCl₂, hydrated ions")
    expect(window.field("Negative diameter d₋ (nm)")).to_have_value("0.664")
    window.wait(f"JSON.parse({SEEN}.dataset.curves)[0].stale")


def test_charged_walls_show_charge_potential_and_screening(server, window):
    server.start()
    window.open()
    window.paste("Surface charge σ (C/m²)", "-0.05")
    window.button("Poisson-Boltzmann").click()
    simulate(window)
    for tab, quantity in (
        (CHARGE, "charge_density_eM"),
        (INTEGRATED, "integrated_charge_C_per_m2"),
        (POTENTIAL, "potential_mV"),
    ):
        window.tab(tab)
        md, pb = window.wait_for_curves("MD", "PB")
        assert len(md[quantity]) == len(pb[quantity]) == 300
        window.picture(tab.lower().replace(" ", "-"))
    window.tab(NEGATIVE)
    window.wait_for_curves("MD", "PB")


def test_trends_uncertainty_runs_and_about(server, window):
    server.start()
    window.open()
    simulate(window)

    window.tab(TRENDS)
    window.wait(f"JSON.parse({SEEN}?.dataset.curves ?? '[]').some(c => c.source === 'MD')")
    assert sum(curve["label"].startswith("c = ") for curve in window.curves()) == 7
    window.picture("trends")
    window.page.get_by_label("Vary").select_option(label="Positive ion valency z₊")
    window.wait(f"JSON.parse({SEEN}.dataset.curves).some(c => c.label === 'z₊ = 3')")

    window.tab(UNCERTAINTY)
    window.page.get_by_text("90 % between").wait_for()
    window.wait(f"JSON.parse({SEEN}?.dataset.curves ?? '[]').length === 3")
    window.picture("uncertainty")
    window.page.get_by_label("Output").select_option(label="Density of the positive ions at z (M)")
    window.button("Over z").click()
    window.wait(f"JSON.parse({SEEN}.dataset.curves).length === 7")
    window.picture("uncertainty-over-z")

    window.tab(RUNS)
    entry = window.page.locator(".nc-list option").filter(has_text="0.02 ns")
    entry.wait_for(state="attached")
    window.page.locator(".nc-list select").select_option(index=0)
    window.wait_for_curves("MD")
    window.button("Cite").click()
    (run,) = Archive(server.home).runs()
    window.page.get_by_label("Citation").filter(has_text=run.id).wait_for()
    window.picture("runs")

    window.tab(ABOUT)
    window.page.get_by_text("Poisson-Boltzmann theory takes ions for points").wait_for()
    window.page.get_by_text("points lie within the 90 % band").first.wait_for()
    window.page.screenshot(path="test-results/about.png")


def test_everything_can_be_had_in_one_file(server, window):
    server.start()
    window.open()
    window.button("Predict using ML").click()
    window.wait_for_curves("ML", "ML")
    simulate(window)
    window.wait_for_curves("MD", "ML")
    window.tab(DOWNLOADS)
    (run,) = Archive(server.home).runs()
    packed = zipfile.ZipFile(
        io.BytesIO(download(window, "nanoconfinement.zip", "Everything in one zip"))
    )
    names = set(packed.namelist())
    assert {"run.json", "trajectory.xyz", "ml_charge.csv"} <= names
    assert {"figures/prediction_graph.svg", "figures/positive_ion_density.png"} <= names
    assert packed.read("positive_density.csv").decode() == run.result().positive.to_csv()
    trajectory = download(window, "trajectory.xyz", "trajectory.xyz")
    assert trajectory == (run.folder / "trajectory.xyz").read_bytes()
    assert packed.read("figures/prediction_graph.svg").startswith(b"<?xml")


def test_a_simulation_that_is_good_enough_is_finished(server, window):
    server.start()
    window.open()
    window.paste("Simulation length (ns)", "10")
    window.button("Run").click()
    window.wait_for_curves("MD", "ML")
    window.button("Finish now").click()
    window.wait_for_status("Done")
    (run,) = Archive(server.home).runs()
    assert run.state == "done" and run.result().summary["simulated_ns"] < 5


def test_the_dark_page_stays_dark(server, window):
    server.start()
    window.open()
    window.button("Predict using ML").click()
    window.wait_for_curves("ML", "ML")
    window.button("Dark").click()
    window.wait("document.querySelector('.nc-app.nc-dark')")
    window.reload()
    window.wait("document.querySelector('.nc-app.nc-dark')")
    window.wait_for_curves("ML", "ML")
    window.settle()
    paper = window.page.evaluate(
        "(c => [...c.getContext('2d').getImageData(3, 3, 1, 1).data])"
        "([...document.querySelectorAll('.nc-figure canvas')].find(e => e.offsetParent))"
    )
    assert np.mean(paper[:3]) < 60
    window.picture("dark")


def test_the_ions_are_seen_and_played(server, window):
    server.start()
    window.open()
    window.tab(SNAPSHOTS)
    window.page.get_by_text("its ions appear here").wait_for()
    simulate(window)
    picture = window.page.locator("[data-snapshots]")
    picture.wait_for(state="attached")
    told = json.loads(picture.get_attribute("data-snapshots"))
    assert told["counts"] == list(SlitSystem().counts) and len(told["times_ps"]) > 10
    canvas = window.page.locator(".nc-ions-view canvas").first
    canvas.wait_for()
    window.page.screenshot(path="test-results/snapshots.png")
    slider = window.page.locator(".nc-snapshots").get_by_role("slider")
    before = slider.get_attribute("aria-valuetext")
    window.page.locator(
        ".nc-snapshots .jupyter-widget-play button, .nc-snapshots .widget-play button"
    ).first.click()
    window.wait(
        "document.querySelector('.nc-snapshots [role=slider]').getAttribute('aria-valuetext')"
        f" !== {json.dumps(before)}"
    )
