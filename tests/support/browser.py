"""The page in a real browser: its server, a window, and the actions of a user."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import psutil
import pytest
from playwright.sync_api import (
    Browser,
    Error,
    Locator,
    Page,
    Playwright,
    ViewportSize,
    expect,
)

from backend.keeper.election import ensure_keeper
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.settings import RunSettings
from backend.system import SlitSystem
from tests.support import homes
from tests.support.homes import clean_up, until

ROOT = Path(__file__).parents[2]
PATIENCE = 1000 * homes.PATIENCE
"""Timeout of all waits (ms)."""

PICTURES = ROOT / "test-results"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SERVE = "from nanoconf.gui.serve import serve; serve('127.0.0.1', {port}, False)"

expect.set_options(timeout=PATIENCE)  # five seconds by default

DEFAULTS = {
    "Confinement length h (nm)": ("3.00", "3.00 nm"),
    "Salt concentration c (M)": ("0.50", "0.50 M"),
}
"""Inputs that tests in a shared window change: the texts of their fields and sliders."""

SHORT = "0.02"
"""Length of a short simulation (ns)."""

SHORTEST = "0.01"
"""Length of the shortest simulation that the page accepts (ns)."""


def chromium(playwright: Playwright) -> str | None:
    """Return the path of a Chromium on this machine; None if there is none.

    The headless shell renders pages like Chromium and takes half of its processor time.
    """
    for name in ("chromium-headless-shell", "chromium", "google-chrome"):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def require_chromium(playwright: Playwright) -> str:
    """Return the path of a Chromium; skip the test if there is none, or fail in CI."""
    if found := chromium(playwright):
        return found
    message = "NO CHROMIUM: the page is not tested; `make test` installs one where it can"
    (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


class Server:
    """Voila server of the page for one home."""

    def __init__(self, home: Path):
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://localhost:{self.port}/"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, plain: bool = False) -> None:
        """Start the server unless it is running; `plain` uses the standard Voila command."""
        if self.process is not None and self.process.poll() is None:
            return
        voila = ["-m", "voila", "app.ipynb", "--no-browser", f"--port={self.port}"]
        command = voila if plain else ["-c", SERVE.format(port=self.port)]
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, "NANOCONF_HOME": str(self.home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self.answers, "the server to answer")

    def answers(self) -> bool:
        assert self.process and self.process.poll() is None, "the server has ended"
        try:
            urlopen(f"{self.url}voila/static/voila.js", timeout=5).close()
        except (URLError, OSError):
            return False
        return True

    def kill(self) -> None:
        """Kill the server without warning."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def clear(self) -> None:
        """End the pages, keeper and runs of a test and empty the home for the next one."""
        until(lambda: not self.kernels(), "the kernels of closed pages to end")
        clean_up(self.home)
        for each in self.home.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()

    def stop(self) -> None:
        """End the server and everything that was started with its home."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(homes.PATIENCE)
        clean_up(self.home)
        until(lambda: not processes_of(self.home), f"the processes of {self.home} to end")

    def kernels(self) -> list[psutil.Process]:
        return [each for each in processes_of(self.home) if "ipykernel_launcher" in cmdline(each)]


def cmdline(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def processes_of(home: Path) -> list[psutil.Process]:
    """Return all processes that were started with this home."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        if environment.get("NANOCONF_HOME") == str(home) and process.pid != os.getpid():
            found.append(process)
    return found


class Window:
    """A browser window with the page.

    Attributes
    ----------
    page : Page
        Playwright's page.
    trouble : list of str
        Requests to other hosts, console errors and exceptions; tests fail if there are any.
    """

    def __init__(
        self, browser: Browser, server: Any, size: tuple[int, int] = (1280, 800), **options: Any
    ):
        self.server = server
        viewport = ViewportSize(width=size[0], height=size[1])
        # Without a graphics processor, animations take a core.
        self.context = browser.new_context(
            viewport=viewport, accept_downloads=True, reduced_motion="reduce", **options
        )
        self.trouble: list[str] = []
        self._highest: float | None = None
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", self._requested)
        self.page.on("console", self._logged)
        self.page.on("pageerror", lambda error: self.trouble.append(f"exception: {error}"))

    def _requested(self, request: Any) -> None:
        url = self.server.url
        ours = (url, url.replace("http", "ws", 1), "data:", "blob:")
        if not request.url.startswith(ours):
            self.trouble.append(f"a request to {request.url[:200]}")

    def _logged(self, message: Any) -> None:
        if message.type == "error":
            self.trouble.append(f"console: {message.text}")

    def open(self) -> Window:
        self.page.goto(self.server.url)
        return self.ready()

    def reload(self) -> Window:
        self.page.reload()
        return self.ready()

    def ready(self) -> Window:
        """Wait until the inputs and a figure are visible."""
        self.field("Confinement length h (nm)").wait_for()
        self.wait("document.querySelector('.nc-figure canvas')")
        return self

    def reset(self) -> None:
        """Return to the default inputs, the first figure and the usual size."""
        self.page.emulate_media(media="screen", reduced_motion="reduce")
        self.page.set_viewport_size(ViewportSize(width=1280, height=800))
        self.tab("Prediction Graph")
        for label, (text, shown) in DEFAULTS.items():
            if self.field(label).input_value() != text:
                self.paste(label, text)
            expect(self.slider(label)).to_have_attribute("aria-valuetext", shown)
        self.wait(f"{HIGHEST} > 0")
        self._highest = self._highest or self.page.evaluate(HIGHEST)
        self.wait(f"{HIGHEST} === {self._highest}")  # the prediction for these inputs

    def close(self) -> None:
        self.page.close(run_before_unload=False)
        self.context.close()

    # --- reading ----------------------------------------------------------------------------

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression holds.

        With a token, the page's Content-Security-Policy forbids Playwright's `wait_for_function`,
        which evaluates text in the page.
        """
        until(lambda: self._holds(condition), condition)

    def _holds(self, condition: str) -> bool:
        try:
            return bool(self.page.evaluate(condition))
        except Error as error:
            if "context was destroyed" in error.message:  # the page is being reloaded
                return False
            raise

    def field(self, label: str) -> Locator:
        return self.page.get_by_role("textbox", name=label, exact=True)

    def slider(self, label: str) -> Locator:
        return self.page.get_by_role("slider", name=label, exact=True)

    def button(self, words: str) -> Locator:
        return self.page.get_by_role("button", name=words, exact=True)

    @property
    def status(self) -> str:
        return self.page.get_by_role("status").inner_text()

    def wait_for_status(self, beginning: str) -> None:
        quoted = json.dumps(beginning)
        condition = f"document.querySelector('[role=status]')?.innerText.startsWith({quoted})"
        self.wait(condition)

    def curves(self) -> list[dict[str, Any]]:
        """Return the data of the visible figure."""
        return json.loads(self.page.evaluate(f"{SEEN}.dataset.curves"))

    def lines(self) -> dict[str, dict[str, Any]]:
        """Return the lines across the visible figure, by label."""
        found = json.loads(self.page.evaluate(f"{SEEN}.dataset.lines"))
        return {line["label"]: line for line in found}

    def wait_for_curves(self, *sources: str) -> list[dict[str, Any]]:
        quoted = json.dumps(list(sources))
        self.wait(
            f"JSON.stringify(JSON.parse({SEEN}?.dataset.curves ?? '[]').map(c => c.source))"
            f" === JSON.stringify({quoted})"
        )
        return self.curves()

    def wait_for_highest(self, density: float) -> None:
        """Wait until the first curve has the given highest density (M)."""
        first = f"JSON.parse({SEEN}?.dataset.curves ?? '[]')[0]"
        self.wait(f"Math.abs(Math.max(...({first}?.density_M ?? [0])) - {density}) < 1e-4")

    def settle(self, interval_ms: int = 300) -> None:
        """Wait until the figure is painted and no longer changes."""
        self.wait(f"{PAINTED} > 100")
        self.page.evaluate("window.paint = null")
        pause = f"await new Promise(done => setTimeout(done, {interval_ms}))"
        now = f"window.paint === (window.paint = {PAINTED})"
        self.wait(f"(async () => {{ {pause}; return {now}; }})()")

    def figure_box(self) -> tuple[float, float, float, float]:
        """Return the left, top, width and height of the visible figure."""
        box = self.page.locator(".nc-figure canvas:visible").first.bounding_box()
        assert box is not None
        return box["x"], box["y"], box["width"], box["height"]

    def picture(self, name: str) -> None:
        """Save a screenshot."""
        self.settle(interval_ms=100)
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")

    # --- acting -----------------------------------------------------------------------------

    def tab(self, title: str) -> None:
        self.page.get_by_role("tab", name=title, exact=True).click()

    def figure(self, title: str) -> None:
        """Choose one of the figures of a tab, and wait until it is displayed."""
        self.page.get_by_role("radio", name=title, exact=True).click()
        self.page.get_by_role("img", name=re.compile(f"^{title}")).wait_for(state="attached")

    def paste(self, label: str, text: str) -> None:
        """Replace the text of a field at once."""
        self.field(label).fill(text)

    def type(self, label: str, text: str) -> None:
        """Replace the text of a field key by key; intermediate texts may be invalid."""
        field = self.field(label)
        field.click()
        field.press("ControlOrMeta+a")
        field.press("Delete")
        field.press_sequentially(text)

    def download(self, name: str) -> str:
        with self.page.expect_download() as waiting:
            self.page.get_by_role("link", name=name, exact=True).click()
        assert waiting.value.suggested_filename == name
        return Path(waiting.value.path()).read_text(encoding="utf-8")


SEEN = (
    "[...document.querySelectorAll('[data-curves]')]"
    ".find(e => e.closest('.nc-figure').offsetParent)"
)

HIGHEST = (
    f"Math.max(...JSON.parse({SEEN}?.dataset.curves ?? '[]')"
    ".filter(c => c.source === 'ML').flatMap(c => c.density_M), 0)"
)

PAINTED = """(() => {
  const canvas = [...document.querySelectorAll('.nc-figure canvas')].find(e => e.offsetParent);
  if (!canvas || !canvas.width) return 0;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let dark = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 0 && data[i] < 200) dark += 1;
  return dark;
})()"""


def same(curve: dict, profile) -> None:
    """Assert that a curve on the page equals a profile of the library."""
    np.testing.assert_allclose(curve["z_nm"], profile.z, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(curve["density_M"], profile.density, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(curve["error_M"], profile.error, rtol=1e-5, atol=1e-9)


def predict(window: Window) -> None:
    """Press Predict using ML, and wait for the curves of both ions."""
    window.button("Predict using ML").click()
    window.wait_for_curves("ML", "ML")


def submit_another(server: Server, concentration: float) -> Run:
    """Submit a short run that does not belong to the page."""
    system = SlitSystem(salt_concentration=concentration)
    run = Archive(server.home).submit(system, RunSettings(duration_ns=float(SHORT)))
    ensure_keeper(server.home)
    return run


def simulate(window: Window, length: str = SHORT) -> None:
    """Run a short simulation, and wait until it is done."""
    window.paste("Simulation length (ns)", length)
    window.button("Run").click()
    window.wait_for_status("Done")
