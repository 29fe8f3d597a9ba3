"""The page in a real JupyterLab: from its launcher, and as a notebook that Voila renders."""

from __future__ import annotations

import http.client
import re

import pytest
import websocket

from nanoconf.gui.server.tokens import TOKEN as VARIABLE
from tests.support.browser import (
    PICTURES,
    SHORTEST,
    Window,
    cmdline,
    predict,
    processes_of,
    simulate,
)
from tests.support.jupyter import PREFIX, TOKEN, JupyterLab, voila_trouble

NO_KERNEL = "00000000-0000-0000-0000-000000000000"


def only_jupyter_reaches_the_page(jupyter: JupyterLab, window: Window) -> None:
    """Assert that the page's own port asks for a token, and that Jupyter compares the origin."""
    (page,) = [each for each in processes_of(jupyter.home) if "nanoconf app" in cmdline(each)]
    port = re.search(r"--port=(\d+)", cmdline(page))[1]
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    connection.request("GET", f"{PREFIX}nanoconf/")
    answer = connection.getresponse()
    assert answer.status == 302 and answer.getheader("Location").startswith(
        f"{PREFIX}nanoconf/login"
    )
    connection.close()
    assert page.environ()[VARIABLE] not in cmdline(page)
    # Jupyter compares the origin if a cookie and not a token says who asks, as on other sites.
    cookies = "; ".join(f"{each['name']}={each['value']}" for each in window.context.cookies())
    address = f"{jupyter.url.replace('http', 'ws', 1)}nanoconf/api/kernels/{NO_KERNEL}/channels"
    own = f"http://localhost:{jupyter.port}"
    websocket.create_connection(address, origin=own, cookie=cookies).close()
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(address, origin="http://evil.example.org", cookie=cookies)
    assert refused.value.status_code == 403


@pytest.mark.long
def test_jupyter_opens_the_page_from_its_launcher_and_renders_the_notebook(browser, tmp_path):
    """No request goes to another host, in JupyterLab, on the page or in the rendered notebook."""
    with JupyterLab(tmp_path / "home") as jupyter:
        lab = Window(browser, jupyter)
        lab.page.goto(f"{jupyter.url}lab?token={TOKEN}")
        card = lab.page.locator(".jp-LauncherCard", has_text="Ions in Nanoconfinement").first
        card.wait_for()
        PICTURES.mkdir(exist_ok=True)
        lab.page.screenshot(path=PICTURES / "jupyter-launcher.png")
        with lab.context.expect_page() as opened:
            card.click()
        assert opened.value.url.startswith(f"{jupyter.url}nanoconf/")
        opened.value.close()

        page = Window(browser, jupyter)
        page.page.goto(f"{jupyter.url}nanoconf/?h=3.4&token={TOKEN}")
        page.ready()
        predict(page)
        simulate(page, SHORTEST)
        page.tab("Downloads")
        assert page.download("positive_density.csv").startswith("z_nm,density_M,error_M")
        page.page.screenshot(path=PICTURES / "jupyter-page.png")
        only_jupyter_reaches_the_page(jupyter, page)

        notebook = Window(browser, jupyter)
        notebook.page.goto(f"{jupyter.url}voila/render/app.ipynb?token={TOKEN}")
        notebook.ready()
        predict(notebook)
        notebook.page.screenshot(path=PICTURES / "jupyter-voila.png")
        for each in (notebook, page, lab):
            each.close()
        assert page.trouble == [] and lab.trouble == []
        assert voila_trouble(notebook.trouble) == []
