"""Panels without a browser: contents, downloads and closed widgets."""

from __future__ import annotations

import asyncio
import io
import threading
import zipfile
from dataclasses import replace
from types import SimpleNamespace

from ipywidgets.widgets.widget import _instances as living

from backend.profiles.charge import ChargeProfile
from backend.runs.run_state import RunState
from backend.sampling.result import Progress
from backend.sampling.summary import Summary
from backend.sampling.trajectory import Trajectory
from backend.settings import RunSettings
from backend.system import Range, SlitSystem
from nanoconf import Surrogate
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.figures.figure_files import figure_file
from nanoconf.gui.services.identity import Submitter
from nanoconf.gui.state import Offer, Simulation
from nanoconf.gui.tabs.downloads.panel import DownloadsPanel
from nanoconf.gui.tabs.profiles.model import density_plot, integrated_plot, prediction_plot
from nanoconf.gui.tabs.profiles.panel import SlitPanel
from nanoconf.gui.tabs.registry import (
    DOWNLOADS,
    POSITIVE,
    PREDICTION,
    SNAPSHOTS,
    TRENDS,
    UNCERTAINTY,
)
from nanoconf.gui.tabs.snapshots.model import LOADING, NO_SNAPSHOTS, RUN_FIRST
from nanoconf.gui.tabs.snapshots.panel import SnapshotsPanel
from nanoconf.gui.tabs.trends.model import Trends
from nanoconf.gui.tabs.uncertainty.model import UncertainInputs
from nanoconf.gui.tabs.uncertainty.panel import UncertaintyPanel
from nanoconf.gui.widgets.number import NumberInput
from nanoconf.gui.widgets.offers_panel import OffersPanel
from nanoconf.gui.widgets.status_panel import StatusPanel
from nanoconf.surrogate.card import KIND, Card
from nanoconf.surrogate.domain import Domain
from tests.support.event_loop import on_a_page, soon
from tests.support.homes import PATIENCE, until
from tests.support.profiles import prediction, profiles

MARK = "different inputs"
RUN = "3c8277b7d0524c5a9f6d2f4be2f4f3ab"


def simulation(system: SlitSystem, height: float = 1.0, **more) -> Simulation:
    both = profiles(system, height)
    run = Simulation(RUN, system, RunSettings(), RunState.RUNNING, profiles=both)
    return replace(run, charge=ChargeProfile.of(system, both), **more)


def done(system: SlitSystem, height: float = 1.0, **more) -> Simulation:
    return simulation(
        system, height, state=RunState.DONE, result=SimpleNamespace(summary=Summary()), **more
    )


# --- figures --------------------------------------------------------------------------------


def test_downloaded_figures_are_up_to_date(state, work):
    handed = {}
    state.deliver = lambda name, content, _kind: handed.update({name: content})
    name = "h3.0_1-1_0.5M_3c8277b7_positive.csv"

    def rows(content: bytes) -> list[str]:
        lines = content.decode().splitlines()
        return [line for line in lines if not line.startswith("#")][1:]

    def press(row) -> None:
        (button,) = (each for each in row.children[1:] if each.description == "CSV")
        button.click()

    async def page():
        state.stage, state.tab = (600, 400), POSITIVE
        SlitPanel(state, POSITIVE, {POSITIVE: lambda state: density_plot(state, "positive")})
        state.show(simulation(SlitSystem(), 1.0))
        await soon(lambda: POSITIVE in state.drawn)
        state.tab = DOWNLOADS
        downloads = DownloadsPanel(state, work)
        state.show(done(SlitSystem(), 2.0))
        (row,) = downloads.figures.children
        press(row)
        downloads.all.click()
        packed = zipfile.ZipFile(io.BytesIO(handed["nanoconfinement.zip"]))
        figure = packed.read(f"figures/{name}")
        assert figure == handed[name]
        assert all(line.startswith('"MD simulation",') for line in rows(figure))
        assert all(line.split(",")[2] == "2" for line in rows(figure))
        state.type("salt_concentration", "0.6")
        press(row)
        assert "(different inputs)" in rows(handed[name])[0]

    on_a_page(page)


def test_the_walls_are_those_of_the_system_shown(state):
    wide, narrow = SlitSystem(confinement_length=10.0), SlitSystem(confinement_length=3.0)
    state.choose(wide)
    state.show(done(wide))
    state.choose(narrow)
    assert density_plot(state, "positive").charts[0].width == 10.0
    state.predicted(prediction(narrow))
    assert prediction_plot(state).charts[0].width == 3.0
    assert density_plot(state, "positive").charts[0].width == 3.0
    state.choose(replace(narrow, salt_concentration=0.6))  # all curves become stale
    assert prediction_plot(state).charts[0].width == 3.0
    assert density_plot(state, "positive").charts[0].width == 10.0


def test_charged_walls_have_lines_at_five_percent_of_their_charge(state):
    system = SlitSystem(surface_charge_density=-0.05)
    state.choose(system)
    assert not integrated_plot(state).charts[0].markers
    state.show(done(system))
    (marker,) = integrated_plot(state).charts[0].markers
    share = 0.05 * abs(system.actual_surface_charge_density)
    assert marker.places == [-share, share] and marker.label == "±5 % of σ"
    assert b"<svg" in figure_file(integrated_plot(state), "svg")
    state.choose(SlitSystem())
    assert not integrated_plot(state).charts[0].markers


# --- numbers --------------------------------------------------------------------------------


def test_a_slider_shows_the_text_of_its_field(state):
    salt = NumberInput(state, FIELDS["salt_concentration"])
    assert salt.slider.tooltip == "0.50 M"
    salt.slider.value += 1
    assert salt.slider.tooltip == "0.51 M"
    state.type("salt_concentration", "0,512")
    assert salt.slider.tooltip == "0,512 M"
    assert NumberInput(state, FIELDS["negative_diameter"]).slider.tooltip == "same as d"
    assert NumberInput(state, FIELDS["positive_valency"]).slider.tooltip == "1"


# --- snapshots ------------------------------------------------------------------------------


def test_snapshots_name_their_system_and_outdated_ones_are_dropped(state, work, monkeypatch):
    may_load = threading.Event()

    def load(folder, _system, _settings):
        may_load.wait(PATIENCE)
        raise OSError(f"the trajectory of {folder.name}")

    monkeypatch.setattr(Trajectory, "load", load)
    state.tab = SNAPSHOTS
    state.show(done(SlitSystem(), run_id="first"))
    panel = SnapshotsPanel(state, work)
    assert LOADING in panel.view.caption.value
    state.show(simulation(SlitSystem(), run_id="second"))
    may_load.set()
    work.background.submit(lambda: None).result()  # earlier requests have been served
    assert "ions appear" not in panel.view.caption.value and not panel.caption.value

    state.show(done(SlitSystem(), run_id="second"))
    until(lambda: "the trajectory of second" in panel.view.caption.value)
    assert "0.5 M" in panel.caption.value and MARK not in panel.caption.value
    state.type("salt_concentration", "0.6")
    assert MARK in panel.caption.value
    state.type("salt_concentration", "0.5")
    assert MARK not in panel.caption.value


def test_the_snapshots_tab_explains_what_it_is_waiting_for(state, work):
    state.tab = SNAPSHOTS
    panel = SnapshotsPanel(state, work)
    waiting = "The snapshots appear here when the run is done"

    def shown() -> str:
        return panel.view.caption.value

    assert RUN_FIRST in shown()
    run = Simulation("1", SlitSystem(), RunSettings(snapshots=60))
    state.show(run)
    assert f"{waiting}; it is waiting to start." in shown()
    for fraction in (0.3, 0.62):
        progress = Progress("sampling", fraction)
        state.show(replace(run, state=RunState.RUNNING, progress=progress))
        assert f"{waiting}: {100 * fraction:.0f} % so far." in shown()
    state.show(replace(run, state=RunState.CANCELLED))
    assert RUN_FIRST in shown()
    state.show(replace(run, run_id="2", settings=RunSettings(snapshots=0)))
    assert NO_SNAPSHOTS in shown()


# --- status ---------------------------------------------------------------------------------


def test_the_status_line_is_one_widget_with_hidden_text(state):
    panel = StatusPanel(state)
    shown, spoken = panel.line, []
    panel.line.observe(lambda change: spoken.append(change["new"]), "spoken")
    run = Simulation("1", SlitSystem(), RunSettings(), RunState.RUNNING)
    for percent in range(26):
        state.show(replace(run, progress=Progress("sampling", percent / 100)))
        assert panel.line.text == f"Simulating: {percent} %."
    assert spoken == ["Simulating", "Simulating: 25 %"] and panel.line.mood == "busy"
    state.type("salt_concentration", "x")
    state.detach()
    assert panel.line is shown and panel.line.text == panel.line.spoken == state.status
    assert panel.line.mood == "bad"


# --- widgets that are created and closed ----------------------------------------------------


def test_downloads_are_unchanged_while_a_run_continues(state, work):
    state.drawn = {
        POSITIVE: lambda: density_plot(state, "positive"),
        PREDICTION: lambda: prediction_plot(state),
    }
    state.show(simulation(SlitSystem()))
    state.tab = DOWNLOADS
    panel = DownloadsPanel(state, work)
    (row,) = panel.figures.children
    before = set(living)
    for height in (2.0, 3.0, 4.0):
        state.show(simulation(SlitSystem(), height))
    assert panel.figures.children == (row,) and set(living) == before

    state.predicted(prediction(SlitSystem()))
    assert len(panel.figures.children) == 2
    state.not_predicted("outside the training range")
    assert len(panel.figures.children) == 1 and len(living) == len(before)


def test_an_offer_keeps_its_button_while_its_run_progresses(state, work):
    panel = OffersPanel(state, work)
    first = Offer("1", SlitSystem(), RunState.QUEUED, 0.0)
    state.offers = (first,)
    (row,), before = panel.children, set(living)
    assert "waiting to start" in row.children[0].value
    state.start()  # no simulation is on screen yet
    assert not panel.children
    state.detach()
    (row,), before = panel.children, set(living)
    state.show(done(SlitSystem()))
    assert panel.children == (row,) and set(living) == before
    for fraction in (0.1, 0.2):
        state.offers = (replace(first, state=RunState.RUNNING, fraction=fraction),)
        assert panel.children == (row,) and set(living) == before
        assert f"{100 * fraction:.0f} % done" in row.children[0].value
    state.show(simulation(SlitSystem(), submitter=Submitter.ELSEWHERE))
    assert "in another browser" in panel.children[0].children[0].value
    state.show(simulation(SlitSystem(), run_id="2", submitter=Submitter.COMMAND))
    assert "from the command line" in panel.children[0].children[0].value
    state.offers = ()
    state.show(done(SlitSystem()))
    assert not panel.children


def test_trends_are_recomputed_for_a_new_result_but_not_for_each_progress_update(
    state, work, monkeypatch
):
    state.tab = TRENDS
    trends = Trends(state, work)
    asked = []
    monkeypatch.setattr(trends._latest, "request", lambda *arguments: asked.append(arguments))
    domain = Domain({"salt_concentration": Range(0.3, 0.9, "M")}, {})
    state.model = Card("1", KIND, "", domain=domain)
    asked.clear()
    for height in (1.0, 2.0):
        state.show(simulation(SlitSystem(), height))
    assert not asked
    state.show(done(SlitSystem()))
    assert len(asked) == 1


def test_a_trend_for_different_inputs_is_marked(state, work):
    state.tab = TRENDS
    trends = Trends(state, work)
    state.model = Surrogate.load().card
    until(lambda: trends.trend)
    state.tab = DOWNLOADS
    state.type("salt_concentration", "0.6")  # the varied input
    assert not any(curve.stale for curve in trends.plot().curves)
    state.type("confinement_length", "3.5")
    stale = [curve for curve in trends.plot().curves if curve.stale]
    assert len(stale) == len(trends.plot().curves)
    assert all("(different inputs)" in curve.label for curve in stale)


def test_indices_are_computed_once_for_repeated_requests_for_their_figure(state, work, monkeypatch):
    made = []
    plot = UncertainInputs.plot
    monkeypatch.setattr(UncertainInputs, "plot", lambda self: made.append(plot(self)) or made[-1])

    async def page():
        work._post = asyncio.get_running_loop().call_soon_threadsafe
        state.stage, state.tab = (900, 500), UNCERTAINTY
        panel = UncertaintyPanel(state, work)
        await soon(lambda: "first order" in panel.canvas.numbers.value)
        before = len(made)
        for height in (1.0, 2.0):
            state.show(simulation(SlitSystem(), height))
        state.dark = True
        await soon(lambda: panel.canvas._shown[1])
        figure = state.drawn[UNCERTAINTY]
        assert figure().curves and len(made) == before
        state.type("salt_concentration", "abc")
        assert all(curve.stale for curve in figure().curves)

    on_a_page(page)
