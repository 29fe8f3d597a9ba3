"""Registry of the tabs: one line adds a tab to the page."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import ipywidgets as widgets
import pytest
from traitlets import TraitError

from nanoconf.gui.app import App
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.bar import TabsPanel
from nanoconf.gui.tabs.registry import ABOUT, POSITIVE, SNAPSHOTS, TABS, TRENDS, Tab
from tests.support.homes import PATIENCE

TITLES = [
    *("Positive Ion Density", "Negative Ion Density", "Charge Density", "Integrated Charge"),
    *("Potential", "Prediction Graph", "Trends", "Uncertainty", "Snapshots", "Runs", "Downloads"),
    "About",
]


class Toy(widgets.HTML):
    """A panel that is not part of the page."""

    def __init__(self, state: AppState, _work):
        super().__init__(f"h = {state.system.confinement_length:g} nm")


def on_a_page(check) -> None:
    """Run a check in an event loop, as in a kernel; Playwright's thread may already have one."""

    async def page() -> None:
        check()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, page()).result(PATIENCE)


def within(widget: widgets.Widget, kind: type) -> list[widgets.Widget]:
    """Return all widgets of a kind in a tree of widgets."""
    children = getattr(widget, "children", ())
    found = [each for child in children for each in within(child, kind)]
    return [widget, *found] if isinstance(widget, kind) else found


def test_the_page_has_its_tabs_in_order():
    assert [tab.title for tab in TABS] == TITLES


def test_a_registered_tab_is_built_when_it_is_first_selected(home):
    def check() -> None:
        app = App((*TABS, Tab("Toy", Toy)))
        try:
            (bar,) = within(app.widget, TabsPanel)
            assert list(bar.titles) == [*TITLES, "Toy"]
            assert not within(app.widget, Toy)
            bar.selected_index = len(TITLES)  # like a click
            assert app.state.tab == "Toy"
            (toy,) = within(app.widget, Toy)
            assert toy.value == "h = 3 nm"
            app.state.tab = TRENDS
            app.state.tab = "Toy"
            assert within(app.widget, Toy) == [toy]
        finally:
            app.work.close()

    on_a_page(check)


def test_each_tab_builds_the_panel_that_its_line_names(state, work):
    def check() -> None:
        bar = TabsPanel(state, work)
        for title, place in zip(TITLES, bar.children, strict=True):
            state.tab = title
            (panel,) = place.children
            assert panel.__module__.startswith("nanoconf.gui.tabs."), title

    on_a_page(check)


def test_run_and_predict_select_a_tab_that_shows_their_results(work):
    toy = Tab("Toy", Toy, with_simulation=True)
    state = AppState((*TABS, toy))
    state.tab = "Toy"
    state.show_simulation_tab()
    assert state.tab == "Toy"
    state.prediction_requested()
    assert state.tab == "Prediction Graph"
    state.tab = SNAPSHOTS
    state.show_simulation_tab()
    assert state.tab == SNAPSHOTS
    state.tab = ABOUT
    state.show_simulation_tab()
    assert state.tab == POSITIVE


def test_a_tab_that_is_not_registered_is_refused(state):
    with pytest.raises(TraitError, match="there is no tab 'Toy'"):
        state.tab = "Toy"
    state.restore_view({"tab": "Toy"})
    state.restore_view({"tab": ["Toy"]})
    assert state.tab == "Prediction Graph"
