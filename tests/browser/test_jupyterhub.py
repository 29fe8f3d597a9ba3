"""The page of every user of a real JupyterHub."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect

from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.runs.run_state import RunState
from nanoconf.gui.tabs.registry import POSITIVE
from tests.support.browser import (
    PICTURES,
    ROOT,
    SHORTEST,
    Window,
    predict,
    simulate,
)
from tests.support.homes import begun, until
from tests.support.jupyter import voila_trouble
from tests.support.jupyterhub import JupyterHub

JO, ZOE = "jo@example.org", "zoë"

PHONE = {"width": 390, "height": 844}

LENGTH = "50"
"""Length of a simulation that does not end within the test (ns)."""


def signed_in(browser, hub: JupyterHub, user: str) -> Window:
    """Return a window of a user with the launcher of JupyterLab."""
    window = Window(browser, hub)
    window.page.goto(hub.url)
    window.page.get_by_label("Username").fill(user)
    window.page.get_by_label("Password").fill("any")
    window.page.get_by_role("button", name="Sign in").click()
    card(window).wait_for()
    assert window.page.url == f"{hub.address(user)}lab"
    return window


def card(window: Window):
    return window.page.locator(".jp-LauncherCard", has_text="Ions in Nanoconfinement").first


def pictures(window: Window, name: str) -> None:
    """Save screenshots in the sizes of a desktop and a phone."""
    PICTURES.mkdir(exist_ok=True)
    window.page.screenshot(path=PICTURES / f"jupyterhub-{name}.png")
    size = window.page.viewport_size
    window.page.set_viewport_size(PHONE)
    if window.page.locator(".nc-figure").count():
        window.settle()
    window.page.screenshot(path=PICTURES / f"jupyterhub-{name}-phone.png")
    window.page.set_viewport_size(size)


@pytest.mark.long
def test_every_user_of_a_jupyterhub_has_a_page(browser, tmp_path):
    """No request goes to another host, at any step."""
    with JupyterHub(tmp_path / "hub") as hub:
        jo, zoe = signed_in(browser, hub, JO), signed_in(browser, hub, ZOE)
        opens_from_the_launcher(hub, jo)
        works(hub, jo)
        is_closed_to_others(hub, zoe)
        renders_the_notebook(hub, zoe)
        zoe.page.goto(f"{hub.address(ZOE)}nanoconf/")
        zoe.ready()
        predict(zoe)
        runs_end_with_the_server_and_resume(hub, jo)
        simulate(zoe, SHORTEST)  # her server is still running
        assert [len(Archive(hub.archive(user)).runs()) for user in (JO, ZOE)] == [2, 1]
        jo.close()
        zoe.close()
        assert zoe.trouble == []
    assert not hub.processes(JO) + hub.processes(ZOE)


def opens_from_the_launcher(hub: JupyterHub, window: Window) -> None:
    pictures(window, "launcher")
    with window.context.expect_page() as opened:
        card(window).click()
    assert opened.value.url == f"{hub.address(JO)}nanoconf/"
    opened.value.close()


def works(hub: JupyterHub, window: Window) -> None:
    """Assert that a user can predict, simulate and download."""
    window.page.goto(f"{hub.url}hub/user-redirect/nanoconf/?h=3.4")
    window.ready()
    assert window.page.url == f"{hub.address(JO)}nanoconf/?h=3.4"
    expect(window.field("Confinement length h (nm)")).to_have_value("3.4")
    predict(window)
    simulate(window, SHORTEST)
    window.tab("Downloads")
    assert window.download("positive_density.csv").startswith("z_nm,density_M,error_M")
    window.tab(POSITIVE)  # which the next pages open, too
    window.settle()
    pictures(window, "page")
    assert window.trouble == []


def renders_the_notebook(hub: JupyterHub, window: Window) -> None:
    """Assert that Voila, as an extension, shows a user's copy of the notebook."""
    shutil.copyfile(ROOT / "app.ipynb", hub.home(ZOE) / "app.ipynb")
    window.page.goto(f"{hub.address(ZOE)}voila/render/app.ipynb")
    window.ready()
    predict(window)
    assert voila_trouble(window.trouble) == []
    window.trouble.clear()


def is_closed_to_others(hub: JupyterHub, other: Window) -> None:
    """Assert that the hub refuses the page, its files and its interface to another user."""
    for path in ("", "voila/static/voila.js", "api/predict"):
        answer = other.context.request.get(f"{hub.address(JO)}nanoconf/{path}")
        assert (answer.status, answer.url.startswith(f"{hub.url}hub/")) == (403, True), path


def runs_end_with_the_server_and_resume(hub: JupyterHub, window: Window) -> None:
    """Assert that the hub ends all processes of a user, and that nothing of a run is lost."""
    window.page.goto(f"{hub.address(JO)}nanoconf/")
    window.ready()
    window.paste("Simulation length (ns)", LENGTH)
    window.button("Run").click()
    until(lambda: (run := newest(hub)) and sampling(run), "the simulation")
    assert window.trouble == []
    stop_and_start(hub, window)

    window.wait_for_status("Simulating")
    run = newest(hub)
    until(lambda: len(run.attempts()) == 2 and sampling(run), "the simulation to resume")
    window.button("Cancel").click()
    window.wait_for_status("Cancelled")
    assert window.page.url == f"{hub.address(JO)}nanoconf/?redirects=1"


def stop_and_start(hub: JupyterHub, window: Window) -> None:
    """Stop a user's server from the hub's home page, and start it from the page that follows."""
    run = newest(hub)
    home = window.context.new_page()
    home.goto(f"{hub.url}hub/home")
    home.get_by_role("button", name="Stop My Server").click()
    expect(home.get_by_role("button", name="Start My Server")).to_be_visible()
    home.close()
    until(lambda: not hub.processes(JO), "the processes of the user to end")
    assert run.state == RunState.QUEUED and run.attempts()[-1]["ended"] == "interrupted"
    assert any(run.checkpoint_folder.iterdir())

    expect(window.page.get_by_role("alert")).to_contain_text("Your simulations are safe.")
    window.page.get_by_role("button", name="Reload the page").click()
    window.page.get_by_role("button", name="Launch Server").click()
    window.ready()


def newest(hub: JupyterHub) -> Run:
    return Archive(hub.archive(JO)).runs()[0]


def sampling(run: Run) -> bool:
    """Return True if a run has passed its first per cent, after which it has a checkpoint."""
    return begun(run) and run.progress().fraction > 0.01 and run.state == RunState.RUNNING
