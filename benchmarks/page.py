"""``python -m benchmarks.page``: waiting times for the page, a prediction and a simulation.

Starts ``nanoconf app`` in an empty home and operates it in headless Chromium. ``--picture FILE``
saves a screenshot of both curves. ``--students 30`` instead measures a class: see `students`;
``--memory`` measures the memory of a page: see `page_memory`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from playwright.sync_api import Page, sync_playwright

from backend.keeper.election import stop_keeper
from backend.runs.archive import Archive
from backend.system import SlitSystem
from benchmarks import page_memory, students
from nanoconf import Surrogate
from nanoconf.gui.figures.drawing import draw
from nanoconf.gui.figures.plots import DENSITY, ML, Z_AXIS, Chart, Curve, Plot
from tests.support.browser import FLAGS

MINUTE = 60_000

STEPS = 38
"""Moves of each slider, all within the domain of the surrogate."""

WATCH = """label => {
    const row = [...document.querySelectorAll('.nc-number')].find(e => e.innerText.includes(label));
    window.handle = row.querySelector('[role=slider]');
    if (window.painted) return;
    window.painted = [];
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (...image) {
        window.painted.push(performance.now());
        return draw.apply(this, image);
    };
}"""
"""Record the times at which the browser paints an image."""

MOVE = """async key => {
    const data = () => [...document.querySelectorAll('[data-curves]')].find(e => e.offsetParent)
        .dataset.curves;
    const pause = () => new Promise(done => setTimeout(done, 2));
    const before = data();
    window.painted = [];
    const start = performance.now();
    window.handle.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    while (performance.now() - start < 2000 && (data() === before || !window.painted.length))
        await pause();
    const seconds = (window.painted[0] - start) / 1000;
    await new Promise(done => setTimeout(done, 100));
    return seconds;
}"""
"""Move the slider by a step; return the seconds until the figure of its prediction is painted."""


SHOWN = """async source => {
    const shown = () => [...document.querySelectorAll('[data-curves]')].some(figure =>
        figure.offsetParent !== null && JSON.parse(figure.dataset.curves).some(curve =>
            curve.source === source && !curve.stale && !curve.label.includes('so far')));
    while (!shown()) await new Promise(requestAnimationFrame);
}"""
"""Wait until the visible figure shows a final curve of MD or ML for the current inputs."""


def full_redraw() -> float:
    """Measure the median time (s) that matplotlib takes to redraw a figure of one ML curve."""
    figure = Figure((8.0, 5.6), dpi=100)
    canvas = FigureCanvasAgg(figure)
    profile = Surrogate.load().predict(SlitSystem()).positive
    curve = Curve("ML", profile.z, profile.density, ML, profile.error, "positive")
    draw(figure, Plot("", (Chart((curve,), Z_AXIS, "Ion density (M)", DENSITY, 3.0),)))
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        canvas.draw()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_curve(page: Page, source: str) -> None:
    """Wait until the visible figure shows a final curve of MD or ML for the current inputs."""
    page.evaluate(SHOWN, source)


def measure(page: Page, url: str, started: float, picture: Path | None) -> dict[str, float]:
    """Measure the waiting times (s) in a first session."""
    seconds = {}
    page.goto(url)
    predict = page.get_by_role("button", name="Predict using ML")
    predict.wait_for(timeout=MINUTE)
    seconds["start to page"] = time.perf_counter() - started
    shown = time.perf_counter()
    wait_for_curve(page, "ML")  # the page predicts on opening
    seconds["page to ML curve"] = time.perf_counter() - shown
    seconds["full redraw by matplotlib"] = full_redraw()
    for label, default in (
        ("Salt concentration c (M)", "0.5"),
        ("Confinement length h (nm)", "3"),
    ):
        page.evaluate(WATCH, label)
        moves = sorted(page.evaluate(MOVE, "ArrowRight") for _ in range(STEPS))
        seconds[f"{label}, move to curve, median"] = moves[len(moves) // 2]
        seconds[f"{label}, move to curve, 95 %"] = moves[int(0.95 * len(moves))]
        page.get_by_label(label).first.fill(default)
    clicked = time.perf_counter()
    page.get_by_role("button", name="Run", exact=True).click()
    wait_for_curve(page, "MD")
    seconds["default run, click to result"] = time.perf_counter() - clicked
    page.get_by_role("status").filter(has_text="Done:").wait_for()
    if picture:
        page.screenshot(path=picture)
    return seconds


def main() -> int:
    """Measure and print the times as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="save a screenshot")
    parser.add_argument("--memory", action="store_true", help="measure the memory of a page")
    students.add_options(parser)
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("Chromium not found. Install the package chromium.", file=sys.stderr)
        return 1
    if options.memory:
        return page_memory.measure(program)
    if options.students:
        return students.run(options, program)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        port = free_port()
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        started = time.perf_counter()
        command = [sys.executable, "-m", "nanoconf", "app", "--port", str(port)]
        command += ["--max-pages", str(options.students or 1)]
        server = subprocess.Popen(
            command,
            env=os.environ | {"NANOCONF_HOME": home},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            while "The page is at" not in (line := server.stdout.readline()):
                assert line, "the server exited"
            url = f"http://localhost:{port}"
            figures = measure(page, url, started, options.picture)
        finally:
            browser.close()
            server.terminate()
            server.wait()
            stop_keeper(Path(home))
        for run in Archive(home).runs():
            timings = run.result().summary.timings
            assert timings is not None
            figures["default run, in the engine"] = timings.seconds
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
