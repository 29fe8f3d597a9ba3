"""``python -m benchmarks.page``: how long a user waits for the page, the network and a simulation.

Starts ``nanoconf app`` in a home of its own and looks at it in headless Chromium; with ``--picture
FILE`` it keeps a screenshot of both curves.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from backend.archive import Archive
from backend.keeper import stop_keeper

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MINUTE = 60_000


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_curve(page: Page, source: str) -> None:
    """Wait until the visible figure shows a finished curve of MD or ML for the present inputs."""
    page.wait_for_function(
        """source => [...document.querySelectorAll('[data-curves]')].some(figure =>
            figure.offsetParent !== null && JSON.parse(figure.dataset.curves).some(curve =>
                curve.source === source && !curve.stale && !curve.label.includes('so far')))""",
        arg=source,
        timeout=10 * MINUTE,
    )


def measure(page: Page, url: str, started: float, picture: Path | None) -> dict[str, float]:
    """Seconds of everything a first user does."""
    seconds = {}
    page.goto(url)
    predict = page.get_by_role("button", name="Predict using ML")
    predict.wait_for(timeout=MINUTE)
    seconds["start to page"] = time.perf_counter() - started
    for which in ("first", "later"):
        clicked = time.perf_counter()
        predict.click()
        wait_for_curve(page, "ML")
        seconds[f"click to ML curve, {which}"] = time.perf_counter() - clicked
        concentration = page.get_by_label("Salt concentration c (M)").locator("visible=true").last
        concentration.fill("0.6" if which == "first" else "0.5")
        concentration.press("Enter")
        page.wait_for_function(
            """() => [...document.querySelectorAll('[data-curves]')].every(figure =>
                JSON.parse(figure.dataset.curves).every(curve => curve.stale))"""
        )
    predict.click()
    clicked = time.perf_counter()
    page.get_by_role("button", name="Run", exact=True).click()
    wait_for_curve(page, "MD")
    seconds["default run, click to result"] = time.perf_counter() - clicked
    page.get_by_text("Done:").wait_for()
    if picture:
        page.screenshot(path=picture)
    return seconds


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="keep a screenshot")
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("No Chromium found: install chromium.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        port = free_port()
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        started = time.perf_counter()
        command = [sys.executable, "-m", "nanoconf.cli", "app", "--port", str(port)]
        server = subprocess.Popen(
            command,
            env=os.environ | {"NANOCONF_HOME": home},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            while "The page is at" not in (line := server.stdout.readline()):
                assert line, "the server has ended"
            seconds = measure(page, f"http://localhost:{port}", started, options.picture)
        finally:
            browser.close()
            server.terminate()
            server.wait()
            stop_keeper(Path(home))
        timings = Archive(home).runs()[0].result().summary["timings"]
    seconds["default run, in the engine"] = timings["seconds"]
    print(json.dumps({what: round(value, 2) for what, value in seconds.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
