"""What ends with the server of the page."""

from __future__ import annotations

from backend.keeper.election import ensure_keeper
from backend.runs.run_state import RunState
from tests.support.browser import processes_of
from tests.support.homes import LONG, begun, clean_up, keepers, submit, until, workers
from tests.support.web import WebServer


def test_runs_end_with_the_server_at_a_checkpoint_and_those_of_other_homes_continue(tmp_path):
    homes = tmp_path / "home", tmp_path / "another"
    runs = [submit(home, LONG) for home in homes]
    try:
        for home in homes:
            ensure_keeper(home)
        with WebServer(homes[0], ["--interrupt-runs"]) as server:
            until(lambda: all(map(begun, runs)), "the simulations to start")
            server.stop()
            assert not processes_of(homes[0]) and runs[0].state == RunState.QUEUED
            assert "resume when the page is opened again" in server.output
        assert runs[0].attempts()[-1]["ended"] == "interrupted"
        assert any(runs[0].checkpoint_folder.iterdir())
        assert keepers(homes[1]) and workers(homes[1]) and runs[1].state == RunState.RUNNING
    finally:
        for home in homes:
            clean_up(home)
