"""The page as a tool of nanoHUB: laid out, started by its script, behind the hub's proxy.

The hub is a stand-in: see `tests.support.standin_hub`.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from nanoconf.gui.tabs.registry import POSITIVE
from tests.support.browser import SHORTEST, Window, predict, simulate
from tests.support.standin_hub import HubStandIn, installed


def contents(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return the size and the time of every file."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return {each: (each.stat().st_size, each.stat().st_mtime_ns) for each in files}


def status(hub: HubStandIn, cookie: str = "") -> int:
    """Ask for the page of a session with a value of the hub's cookie; return the status."""
    connection = http.client.HTTPConnection("localhost", hub.port)
    path = hub.url.removeprefix(f"http://localhost:{hub.port}")
    headers = {"Cookie": f"{hub.cookie[0]}={cookie}"} if cookie else {}
    connection.request("GET", f"{path}queue?ticket=none", headers=headers)
    return connection.getresponse().status


def opened(browser, hub: HubStandIn) -> Window:
    window = Window(browser, hub)
    name, value = hub.cookie
    window.context.add_cookies([{"name": name, "value": value, "url": hub.url}])
    return window.open()


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubStandIn]:
    """A hub with the tool; the test starts it."""
    monkeypatch.setenv("NANOCONF_CORES", "1")
    hub = HubStandIn(tmp_path, installed(tmp_path / "tool"))
    yield hub
    hub.stop()


def test_the_tool_serves_the_page_behind_the_proxy_of_the_hub(browser, hub, tmp_path):
    before = contents(tmp_path / "tool")
    hub.start()
    assert f"https://proxy.nanohub.org/weber/{hub.number}/" in hub.output
    entry = hub.cookie[1]
    assert status(hub, f"1%3A00%2C{entry}") == 200  # one entry for each session of the user
    for wrong in ("", "0%3A00", entry[:-1], f"{entry}0"):
        assert status(hub, wrong) == 302, wrong  # to the form for the token

    window = opened(browser, hub)
    predict(window)
    simulate(window, SHORTEST)
    window.tab("Downloads")
    assert window.download("positive_density.csv").startswith("z_nm,density_M,error_M")
    window.tab(POSITIVE)
    window.picture("hub")
    window.close()
    assert window.trouble == []
    assert contents(tmp_path / "tool") == before  # an installed tool is read-only


@pytest.mark.long
def test_the_page_is_resumed_and_runs_are_kept_from_session_to_session(browser, hub):
    hub.start()
    window = opened(browser, hub)
    simulate(window, SHORTEST)
    window.reload().wait_for_status("Stored result")
    expect(window.field("Simulation length (ns)")).to_have_value(SHORTEST)
    window.close()
    hub.stop()

    hub.start()
    later = opened(browser, hub)
    later.tab("Runs")
    expect(later.page.get_by_role("row").filter(has_text="done")).to_have_count(1)
    later.close()
    assert window.trouble + later.trouble == []
