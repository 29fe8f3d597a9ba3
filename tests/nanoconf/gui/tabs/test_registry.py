"""Registry of the tabs: one line adds a tab to the page."""

from __future__ import annotations

import ipywidgets as widgets
import pytest
from traitlets import TraitError

from nanoconf.gui.app import App
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.bar import TabsPanel
from nanoconf.gui.tabs.registry import (
    ABOUT,
    CHARGE,
    INTEGRATED,
    POSITIVE,
    POTENTIAL,
    SNAPSHOTS,
    TABS,
    TRENDS,
    Tab,
    grouped,
)
from tests.support.event_loop import on_a_page

GROUPS = [
    ["Positive Ion Density", "Negative Ion Density", "Charge"],
    ["Prediction Graph"],
    ["Trends", "Uncertainty", "3D"],
    ["Runs", "Downloads"],
    ["Lessons", "About"],
]
TITLES = [title for group in GROUPS for title in group]


class Toy(widgets.HTML):
    """A panel that is not part of the page."""

    def __init__(self, state: AppState, _work):
        super().__init__(f"h = {state.system.confinement_length:g} nm")


def within(widget: widgets.Widget, kind: type) -> list[widgets.Widget]:
    """Return all widgets of a kind in a tree of widgets."""
    children = getattr(widget, "children", ())
    found = [each for child in children for each in within(child, kind)]
    return [widget, *found] if isinstance(widget, kind) else found


def test_the_page_has_its_tabs_in_order():
    assert grouped(TABS) == GROUPS


def test_a_registered_tab_is_built_when_it_is_first_selected(home):
    async def check() -> None:
        app = App((*TABS, Tab("Toy", Toy)))
        try:
            (tabs,) = within(app.widget, TabsPanel)
            assert tabs.bar.groups == [*GROUPS, ["Toy"]]
            assert not within(app.widget, Toy)
            tabs.bar.value = "Toy"  # like a click
            assert app.state.tab == "Toy"
            (toy,) = within(app.widget, Toy)
            assert toy.value == "h = 3 nm"
            app.state.tab = TRENDS
            app.state.tab = "Toy"
            assert within(app.widget, Toy) == [toy]
        finally:
            app.work.close()

    on_a_page(check)


def test_each_tab_builds_the_panel_named_in_its_registry_entry(state, work):
    async def check() -> None:
        tabs = TabsPanel(state, work)
        for title in TITLES:
            state.tab = title
            (panel,) = tabs.stage.children[-1 if title != "Prediction Graph" else 0].children
            assert panel.__module__.startswith("nanoconf.gui.tabs."), title
        assert len(tabs.stage.children) == len(TITLES)

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


def test_a_former_title_that_a_browser_stored_selects_the_tab_that_replaced_it(state):
    state.restore_view({"tab": "Snapshots"})
    assert state.tab == SNAPSHOTS
    state.restore_view({"tab": "Potential"})
    assert state.tab == CHARGE and state.shown_figure == POTENTIAL


def test_the_figure_of_a_tab_is_restored(state):
    state.restore_view({"tab": CHARGE, "figures": {CHARGE: INTEGRATED}})
    assert state.shown_figure == INTEGRATED
    for nonsense in ({CHARGE: "Toy"}, {CHARGE: [1]}, {"Toy": POTENTIAL}, [1], "Toy", 7):
        before = state.figures
        state.restore_view({"figures": nonsense})
        assert set(state.figures) == set(before)
        assert state.tab == CHARGE
