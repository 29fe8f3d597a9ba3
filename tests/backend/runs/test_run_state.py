"""States of a run."""

import json

from backend.runs.run_state import RunState


def test_every_state_is_either_active_or_final():
    active = [state for state in RunState if state.active]
    final = [state for state in RunState if state.final]
    assert active == ["queued", "running"]
    assert final == ["done", "failed", "cancelled"]


def test_a_state_is_written_as_its_name():
    assert json.dumps({"state": RunState.DONE}) == '{"state": "done"}'
    assert f"{RunState.FAILED}" == "failed"
