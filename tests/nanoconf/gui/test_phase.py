"""Phases of the simulation on a page and their transitions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.runs.run_state import RunState
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf.gui.phase import REQUESTS, RunPhase
from nanoconf.gui.state import Simulation
from nanoconf.gui.words import ENDINGS

IDLE, STARTING, ACTIVE, CONFIRMING, CANCELLING, FINISHING = RunPhase
RUN = Simulation("1", SlitSystem(), RunSettings(), state=RunState.RUNNING)


def test_a_run_is_started_only_when_none_is_in_progress():
    assert set(REQUESTS) == set(RunPhase)
    assert [phase for phase in RunPhase if phase.allows(STARTING)] == [IDLE]


@pytest.mark.parametrize("request_", [CONFIRMING, CANCELLING, FINISHING])
def test_only_an_active_run_is_stopped_and_only_once(request_):
    assert ACTIVE.allows(request_)
    for phase in (IDLE, STARTING, CANCELLING, request_):
        assert not phase.allows(request_)


def test_a_finishing_run_can_be_cancelled_but_a_cancelled_run_cannot_be_finished():
    assert FINISHING.allows(CANCELLING) and not CANCELLING.allows(FINISHING)


@pytest.mark.parametrize("phase", RunPhase)
def test_a_run_that_is_over_leaves_the_page_idle(phase):
    assert phase.reported(active=False, same_run=True) is IDLE


def test_a_request_persists_across_status_updates_of_its_run(state):
    state.show(RUN)
    assert state.phase is ACTIVE
    state.finish_requested()
    state.show(RUN)
    assert state.phase is FINISHING and state.status == ENDINGS[FINISHING]
    state.cancel_requested()
    state.show(RUN)
    assert state.phase is CANCELLING and state.status == ENDINGS[CANCELLING]
    state.show(replace(RUN, state=RunState.CANCELLED))
    assert state.phase is IDLE


@pytest.mark.parametrize("request_", ["finish_requested", "cancel_requested"])
def test_a_request_does_not_apply_to_another_run(state, request_):
    state.show(RUN)
    getattr(state, request_)()
    state.show(replace(RUN, run_id="2"))
    assert state.phase is ACTIVE and state.status not in ENDINGS.values()


def test_a_failed_request_can_be_repeated(state):
    state.show(RUN)
    state.cancel_requested()
    state.report_failure("The simulation could not be cancelled.")
    assert state.phase is ACTIVE and state.phase.allows(CANCELLING)
    state.show(replace(RUN, state=RunState.DONE))
    state.start()
    state.report_failure("The simulation could not be started.")
    assert state.phase is IDLE
