"""A page that a link opens: its inputs, what the link fixes and hides, and its problems."""

from __future__ import annotations

from typing import Any

import pytest

from backend.runs.run_state import RunState
from backend.system import SlitSystem
from nanoconf.gui import links
from nanoconf.gui.app import App
from nanoconf.gui.entered_inputs import texts_of
from nanoconf.gui.fields import DURATION, FIELDS
from nanoconf.gui.presets import presets
from nanoconf.gui.state import AppState, Simulation
from nanoconf.gui.status import current_status
from nanoconf.gui.tabs.lessons.content import TASKS
from nanoconf.gui.tabs.lessons.model import Lessons
from nanoconf.gui.tabs.registry import LESSONS, POSITIVE, PREDICTION, TRENDS
from nanoconf.gui.widgets.number import NumberInput
from nanoconf.gui.widgets.system_panel import SystemPanel
from tests.support.event_loop import on_a_page

STORED = {"confinement_length": "3.9", "salt_concentration": "0.7"}


def open_page(memory: dict[str, Any], check, *more: dict[str, Any]) -> None:
    """Open a page in a browser with a memory, send more messages, and check it."""

    async def page() -> None:
        app = App()
        try:
            first = {"type": "opened", "memory": {"owner": "me", **memory}}
            for message in (first, *more):
                app.browser._receive(app.browser, message, [])
            check(app)
        finally:
            app.work.close()

    on_a_page(page)


def follow(state: AppState, search: str) -> None:
    state.open_link(links.parse(search))


# --- opening --------------------------------------------------------------------------------


def test_a_link_wins_over_what_the_browser_remembers(home):
    def check(app: App) -> None:
        expected = SlitSystem(confinement_length=3.4, positive_valency=2)
        assert app.state.system == expected  # what the link leaves out has its default
        assert app.state.tab == TRENDS and app.state.status == "Ready."

    search = "?h=3.4&zp=2&tab=trends"
    open_page({"texts": STORED, "tab": POSITIVE, "search": search, "fragment": ""}, check)


def test_a_reloaded_page_keeps_the_inputs_that_its_link_leaves_out(home):
    def check(app: App) -> None:
        assert app.state.system == SlitSystem(confinement_length=3.4, salt_concentration=0.7)

    open_page({"texts": STORED, "search": "?h=3.4"}, check)


@pytest.mark.parametrize("search", ["", "?token=secret", None, 7])
def test_without_a_link_the_page_opens_as_the_browser_remembers_it(home, search):
    def check(app: App) -> None:
        assert app.state.system == SlitSystem(confinement_length=3.9, salt_concentration=0.7)
        assert app.state.link_problems == () and app.state.log == ()

    open_page({"texts": STORED, "search": search, "fragment": ""}, check)


def test_a_lesson_and_a_query_are_combined(home):
    def with_tab(app: App) -> None:
        assert app.lessons.number == 3 and app.lessons.is_open
        assert app.state.tab == TRENDS and app.state.values["confinement_length"] == 3.4

    def without(app: App) -> None:
        assert app.state.tab == LESSONS and app.state.values["confinement_length"] == 3.4

    fragment = {"fragment": "#lesson-3"}
    open_page({"search": "?h=3.4&tab=trends", **fragment}, with_tab)
    open_page({"search": "?h=3.4", **fragment}, without)


# --- problems -------------------------------------------------------------------------------


def test_a_bad_link_is_reported_on_the_status_line_and_the_page_opens_with_the_rest(home):
    def check(app: App) -> None:
        state = app.state
        assert state.values["confinement_length"] == 3.0
        assert state.values["salt_concentration"] == 0.2
        length, unknown = state.status.splitlines()
        assert length.startswith("Ignored in the link: Confinement length h = 99: must be")
        assert "“foo” is not a key" in unknown and current_status(state).mood == "bad"
        assert all(any(line in entry for entry in state.log) for line in (length, unknown))

    open_page({"search": "?h=99&c=0.2&foo=1", "fragment": ""}, check)


def test_problems_stay_until_the_inputs_change(state):
    follow(state, "?foo=1&bar=2&baz=3&h=0")
    lines = state.status.splitlines()
    assert len(lines) == 4 and lines[-1] == "1 more in the log."
    stored = Simulation("ab" * 16, state.system, state.settings, RunState.DONE, stored=True)
    state.show(stored)  # a stored result for the inputs appears by itself
    assert state.status.splitlines() == lines
    state.type("confinement_length", "3.1")
    assert "link" not in state.status


# --- fixed and hidden inputs ----------------------------------------------------------------


def test_inputs_that_a_link_fixes_or_hides_never_change(state, work):
    follow(state, "?c=0.2&fix=c,h,ns&hide=sigma,dn")
    held = {name: state.values[name] for name in state.held}
    assert held["salt_concentration"] == 0.2 and held["confinement_length"] == 3.0
    assert len(held) == 5

    def unchanged() -> bool:
        return {name: state.values[name] for name in held} == held

    for name in held:
        state.type(name, FIELDS[name].text(FIELDS[name].low))
    assert unchanged()
    for preset in presets():
        state.choose(preset.system)
        assert unchanged()
    for task in TASKS:
        for index in range(len(task.setups)):
            Lessons(state).set_up(task, index, work)
            assert unchanged()
    state.restore({name: "1" for name in FIELDS})
    assert unchanged() and state.values["positive_diameter"] == 1.0


def test_a_preset_says_which_inputs_the_link_keeps(state):
    follow(state, "?c=0.2&fix=c&hide=h")
    state.choose(SlitSystem(confinement_length=3.5, salt_concentration=0.3, positive_valency=2))
    assert state.status == (
        "The link fixes the confinement length h and the salt concentration c: unchanged."
    )
    assert state.values["positive_valency"] == 2
    state.choose(SlitSystem(salt_concentration=0.20, positive_valency=3))  # the same numbers
    assert "link" not in state.status


def test_forged_messages_do_not_change_what_a_link_fixes(home):
    def check(app: App) -> None:
        state = app.state
        assert state.values["confinement_length"] == 3.4 and state.fixed == ("confinement_length",)
        assert state.values["salt_concentration"] == 0.7  # not fixed: the message was read
        field = next(
            each for each in _below(app.widget) if each._field.name == "confinement_length"
        )
        for widget, value in ((field.text, "9"), (field.slider, 2)):
            message = {"method": "update", "state": {"value": value, "disabled": False}}
            widget._handle_msg({"content": {"data": message}, "buffers": []})
        assert state.values["confinement_length"] == 3.4 and field.text.value == "3.4"

    again = {"texts": {**STORED, "confinement_length": "5"}, "search": "?h=5", "fragment": ""}
    open_page(
        {"search": "?h=3.4&fix=h", "fragment": ""},
        check,
        {"type": "opened", "memory": again},
        {"type": "navigated", "fragment": "?h=9"},
    )


def _below(widget: Any) -> list[NumberInput]:
    found = [widget] if isinstance(widget, NumberInput) else []
    return found + [each for child in getattr(widget, "children", ()) for each in _below(child)]


def test_fixed_fields_are_read_only_with_a_note_and_hidden_ones_are_not_shown(state):
    panel, duration = SystemPanel(state), NumberInput(state, DURATION)
    follow(state, "?c=0.2&fix=c,ns&hide=sigma")
    fields = {each._field.name: each for each in [*panel.fields, duration]}
    for name in ("salt_concentration", "duration_ns"):
        assert fields[name].text.disabled and "Fixed by the link" in fields[name].children[1].value
        assert fields[name].slider not in _all(fields[name])
    assert fields["surface_charge_density"].layout.display == "none"
    free = fields["confinement_length"]
    assert not free.text.disabled and free.layout.display is None and free.slider in _all(free)


def _all(widget: Any) -> list[Any]:
    return [widget, *(each for child in getattr(widget, "children", ()) for each in _all(child))]


# --- copying --------------------------------------------------------------------------------


def test_the_copied_link_opens_the_same_inputs_tab_and_restrictions(state):
    panel = SystemPanel(state)
    follow(state, "?c=0.2&fix=c&hide=sigma")
    state.type("confinement_length", "3,4")
    state.tab = TRENDS
    other = AppState()
    follow(other, panel.link.text)
    assert other.values == state.values and other.tab == TRENDS
    assert (other.fixed, other.hidden) == (state.fixed, state.hidden)


def test_there_is_no_link_to_copy_while_an_input_is_invalid(state):
    panel = SystemPanel(state)
    assert panel.link.text == "?tab=prediction-graph" and state.tab == PREDICTION
    state.type("confinement_length", "99")
    assert panel.link.text == ""
    state.choose(SlitSystem())
    assert panel.link.text == "?tab=prediction-graph"


def test_the_inputs_of_a_linked_run_replace_those_the_link_fixes(state):
    follow(state, "?h=3.4&fix=h&foo=1")
    state.choose_linked(SlitSystem(confinement_length=3.6))
    assert state.values["confinement_length"] == 3.6 and "foo" in state.status
    state.restore(texts_of(SlitSystem()))
    assert state.values["confinement_length"] == 3.6
