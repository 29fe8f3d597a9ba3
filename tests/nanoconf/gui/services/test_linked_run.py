"""Runs that a link opens: found by id, shown read-only, and reported if there are none."""

from __future__ import annotations

import shutil

import pytest

from backend.runs.run_state import RunState
from nanoconf.gui import links
from nanoconf.gui.services import linked_run
from nanoconf.gui.widgets.actions import ActionsPanel
from nanoconf.gui.widgets.offers_panel import OffersPanel
from tests.support.homes import LONG, QUICK, SYSTEM, simulated, until


def follow(state, work, search: str) -> None:
    """Open a page by a link."""
    link = links.parse(search)
    state.open_link(link)
    work.resume("", link.run)


def test_a_link_opens_anyones_finished_run_with_its_inputs(state, work, home):
    run = simulated(home, QUICK)
    follow(state, work, f"?run={run.id[:8]}&fix=c")
    until(lambda: state.simulation and state.simulation.read_only and state.simulation.result)
    shown = state.simulation
    assert (shown.run_id, shown.stored, shown.read_only, shown.mine) == (run.id, True, True, False)
    assert state.is_current(run.system) and state.link_problems == ()
    assert state.shown_tab.with_simulation
    assert run.name == "" and not run.cancel_requested


def test_a_run_in_progress_is_watched_and_cannot_be_ended_through_a_link(state, work):
    run = work.archive.submit(SYSTEM, LONG, owner="me")
    actions, offers = ActionsPanel(state, work), OffersPanel(state, work)
    follow(state, work, f"?run={run.id}")
    until(lambda: state.simulation and state.simulation.state == RunState.RUNNING)
    assert state.simulation.mine and state.simulation.read_only
    for _ in range(2):
        work.cancel()
        work.finish()
    assert state.phase == "active"
    assert not run.cancel_requested and not run.finish_requested
    assert actions.run.off and actions.finish.disabled and not actions.background.disabled
    (row,) = offers.children
    assert row.children[0].value == (
        "Watching a simulation opened from a link; it cannot be stopped here."
    )
    work.attach(run.id)  # from the Runs tab
    until(lambda: state.simulation and not state.simulation.read_only)
    work.cancel()
    until(lambda: not state.simulating)
    assert run.state == RunState.CANCELLED


def damage(run) -> None:
    (run.folder / "run.json").write_text("{")


def damage_result(run) -> None:
    (run.folder / "result.json").write_text("{")


@pytest.mark.parametrize("harm", [damage, damage_result])
def test_a_damaged_run_is_reported_and_the_page_opens(state, work, home, harm):
    run = simulated(home, QUICK)
    harm(run)
    follow(state, work, f"?run={run.id}&h=3.4")
    until(lambda: state.link_problems)
    assert state.status == f"Ignored in the link: run = {run.id}: {linked_run.DAMAGED}."
    assert state.values["confinement_length"] == 3.4 and not state.simulating


def test_an_unknown_or_ambiguous_run_is_reported_without_paths(state, work, home):
    run = work.archive.submit(SYSTEM, LONG, owner="somebody else")
    run.cancel()
    twin = work.archive.folder / (run.id[:12] + "0" * 20)
    shutil.copytree(run.folder, twin)
    text = (twin / "run.json").read_text()
    (twin / "run.json").write_text(text.replace(run.id, twin.name))
    absent = "0123456789abcdef"
    for linked, problem in (
        (absent, linked_run.UNKNOWN),
        (run.id[:8], "2 run IDs start with these characters"),
    ):
        state.link_problems = ()
        follow(state, work, f"?run={linked}")
        until(lambda: state.link_problems)
        assert problem in state.status and linked in state.status
        assert str(home) not in state.status and "\n" not in state.status
    follow(state, work, f"?run={run.id}")
    until(lambda: state.simulation and "Cancelled" in state.status)
    assert state.simulation.run_id == run.id
