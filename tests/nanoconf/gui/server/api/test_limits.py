"""Limits of the addresses for programs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from backend.inputs import InvalidInput
from backend.runs.archive import Archive
from backend.settings import RunSettings
from nanoconf.gui.server.api import limits
from nanoconf.gui.server.api.handlers import Api
from nanoconf.gui.server.api.request import Problem
from nanoconf.gui.services import permissions
from nanoconf.verbs.verb import Answer, Verb
from tests.support.homes import LONG, submit


@pytest.mark.parametrize("kind", [limits.Reads, limits.Changes])
def test_an_address_may_send_some_requests_at_once_and_then_at_a_rate(kind):
    now, (burst, interval) = [0.0], kind.EACH
    rate = kind(clock=lambda: now[0])
    assert [rate.wait("here") for _ in range(burst)] == [0.0] * burst
    assert rate.wait("here") > 0
    assert rate.wait("elsewhere") == 0.0
    now[0] += interval
    assert rate.wait("here") == 0.0


def test_an_address_keeps_its_limit_on_unfinished_runs_whatever_the_key(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_MAX_RUNS", "2")
    submitted, runs = limits.Submitted(), [submit(home, LONG, reuse=False) for _ in range(3)]
    archive = Archive(home)
    for run in runs[:2]:
        submitted.check("here", archive.runs())
        submitted.add("here", run.id)
    with pytest.raises(InvalidInput, match="unfinished runs from this address = 2: the limit is 2"):
        submitted.check("here", archive.runs())
    submitted.check("elsewhere", archive.runs())
    runs[0].cancel()
    submitted.check("here", archive.runs())
    monkeypatch.delenv("NANOCONF_MAX_RUNS")
    submitted.add("here", runs[2].id)
    submitted.check("here", archive.runs())


def test_the_maximum_simulation_length_of_the_page_applies_without_a_setting(monkeypatch):
    monkeypatch.delenv("NANOCONF_MAX_LENGTH", raising=False)
    permissions.check_length(RunSettings(duration_ns=100.0))
    for setting in (None, "500"):
        if setting:
            monkeypatch.setenv("NANOCONF_MAX_LENGTH", setting)
        with pytest.raises(InvalidInput, match="must be at most 100 ns"):
            permissions.check_length(RunSettings(duration_ns=101.0))


def test_a_busy_server_refuses_further_calls(monkeypatch):
    monkeypatch.setattr(limits, "MOST_CALLS", 2)
    free = threading.Event()
    verb = Verb(
        name="wait",
        title="",
        description="",
        path="/wait",
        arguments=(),
        execute=lambda _caller, _given: Answer({"waited": free.wait()}),
    )

    async def ask() -> None:
        api = Api()
        calls = [asyncio.ensure_future(api.execute(verb, None, {})) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await api.execute(verb, None, {})
        assert refused.value.status_code == 503
        free.set()
        assert [(await call).values for call in calls] == [{"waited": True}] * 2
        assert (await api.execute(verb, None, {})).values == {"waited": True}

    asyncio.run(ask())
