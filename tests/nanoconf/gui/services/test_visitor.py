"""Person at a page as the server knows it: no message of a browser changes it."""

from __future__ import annotations

import json
import os

import pytest

from backend.environment import fingerprint
from nanoconf.gui.app import App
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.services.visitor import ROLE, USER, Role, Visitor
from tests.support.comm import custom
from tests.support.event_loop import on_a_page
from tests.support.homes import QUICK, SYSTEM

KEY = "0f" * 16


def test_a_user_is_the_same_in_every_browser_and_no_browser_is_that_user(work):
    alice = Visitor("alice").identity({"key": KEY})
    run = work.archive.submit(SYSTEM, QUICK, owner=alice.owner)
    stored = run.request["owner"]
    assert "alice" not in json.dumps(run.request)
    assert Visitor("alice").identity({"key": "another"}).owns(run)
    assert not Visitor("bob").identity({"key": KEY}).owns(run)
    for text in ("alice", "\xffalice", "ÿalice", stored, KEY, "\udcffalice"):
        for memory in ({"key": text}, {"owner": text}, {"key": text, "owner": text}):
            assert not Identity.of_browser(memory).owns(run), text


def test_without_a_name_a_browser_is_known_by_its_key():
    assert Visitor().identity({"key": KEY}) == Identity.of_browser({"key": KEY})


def test_a_kernel_reads_its_visitor_and_passes_it_to_no_other_process(monkeypatch):
    before = fingerprint()
    for name, value in Visitor("alice", Role.TEACHER).environment().items():
        monkeypatch.setenv(name, value)
    assert Visitor.of_process() == Visitor("alice", Role.TEACHER)
    assert USER not in os.environ and ROLE not in os.environ
    assert fingerprint() == before, "the keeper is not replaced for each visitor"
    monkeypatch.setenv(ROLE, "headmaster")
    assert Visitor.of_process() == Visitor()


@pytest.mark.parametrize("role", [Role.NONE, Role.STUDENT])
def test_no_message_changes_a_user_or_makes_a_teacher(home, monkeypatch, role):
    monkeypatch.setenv(USER, "alice")
    monkeypatch.setenv(ROLE, role)

    async def page() -> None:
        app = App()
        try:
            forged = {"key": KEY, "user": "bob", "role": "teacher", "teacher": True, "tab": "Class"}
            custom(app.browser, {"type": "opened", "memory": forged, **forged})
            assert app.work.identity == Identity.of_user("alice")
            assert not app.work.identity.teacher and "Class" not in app.state.tabs
        finally:
            app.work.close()

    on_a_page(page)
