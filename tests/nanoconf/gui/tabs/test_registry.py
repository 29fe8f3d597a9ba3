"""The registry of tabs: one line is a tab of the page."""

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
    """A panel that nobody has seen before."""

    def __init__(self, state: AppState, _work):
        super().__init__(f"h = {state.system.confinement_length:g} nm")


def on_a_page(look) -> None:
    """Run it as a kernel runs a page: in a loop, which Playwright's thread may have already."""

    async def page() -> None:
        look()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, page()).result(PATIENCE)


def within(widget: widgets.Widget, kind: type) -> list[widgets.Widget]:
    """The widgets of a kind in a tree of widgets."""
    children = getattr(widget, "children", ())
    found = [each for child in children for each in within(child, kind)]
    return [widget, *found] if isinstance(widget, kind) else found


def test_the_page_has_its_tabs_in_order():
    assert [tab.title for tab in TABS] == TITLES


def test_a_toy_tab_registered_in_one_line_is_rendered_when_first_shown(home):
    def look() -> None:
        app = App((*TABS, Tab("Toy", Toy)))
        try:
            (bar,) = within(app.widget, TabsPanel)
            assert list(bar.titles) == [*TITLES, "Toy"]
            assert not within(app.widget, Toy)
            bar.selected_index = len(TITLES)  # as a click does
            assert app.state.tab == "Toy"
            (toy,) = within(app.widget, Toy)
            assert toy.value == "h = 3 nm"
            app.state.tab = TRENDS
            app.state.tab = "Toy"
            assert within(app.widget, Toy) == [toy]
        finally:
            app.work.close()

    on_a_page(look)


def test_each_tab_builds_the_panel_that_its_line_names(state, work):
    def look() -> None:
        bar = TabsPanel(state, work)
        for title, place in zip(TITLES, bar.children, strict=True):
            state.tab = title
            (panel,) = place.children
            assert panel.__module__.startswith("nanoconf.gui.tabs."), title

    on_a_page(look)


def test_run_and_predict_switch_to_a_tab_that_shows_the_requested_result(work):
    toy = Tab("Toy", Toy, with_simulation=True)
    state = AppState((*TABS, toy))
    state.tab = "Toy"
    state.look_at_simulation()
    assert state.tab == "Toy"
    state.ask_prediction()
    assert state.tab == "Prediction Graph"
    state.tab = SNAPSHOTS
    state.look_at_simulation()
    assert state.tab == SNAPSHOTS
    state.tab = ABOUT
    state.look_at_simulation()
    assert state.tab == POSITIVE


def test_a_tab_that_is_not_registered_is_refused(state):
    with pytest.raises(TraitError, match="there is no tab 'Toy'"):
        state.tab = "Toy"
    state.look({"tab": "Toy"})
    state.look({"tab": ["Toy"]})
    assert state.tab == "Prediction Graph"
