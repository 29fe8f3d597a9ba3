"""``python -m benchmarks.page --students 30``: a class of students who use the page at once.

Students arrive at equal intervals. Each waits for the first curve and moves a slider twice a second
while the others arrive; then all move their sliders at once. Two of them use Chromium; the others
send the same messages without a browser. A simulation runs meanwhile, at the low priority that the
keeper gives it. Students without a place wait in the queue until the others leave; each leaves once
it has seen the first curve. The measurement ends after ``--at-most`` seconds in any case.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from playwright.async_api import Browser, Page, async_playwright

from backend.files import write_json
from backend.keeper.election import ensure_keeper
from backend.runs.archive import Archive
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf import Surrogate
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.figures.plots import ML
from nanoconf.tables import aligned
from tests.support.browser import FLAGS, cmdline, processes_of
from tests.support.headless import HeadlessPage, Waiting
from tests.support.homes import processes
from tests.support.web import WebServer

PAGE, CURVE = "GET to page", "page to first curve"
ARRIVING = "last move to its curve, others arriving"
TOGETHER = "last move to its curve, all moving"
LEAVING = "queue: first place free to page"
WAITED = "queue: arrival to page"
TARGETS = {PAGE: 15.0, ARRIVING: 1.0, TOGETHER: 1.0, LEAVING: None, WAITED: None, CURVE: None}
"""Upper limits (s): for the page, met by all students; for the others, by 95 % of them."""

MEMORY_TARGET = 120.0
"""Upper limit of the memory of a session (MB)."""

MOVES_PER_SECOND = 2.0
MINUTE = 60_000
INPUT = FIELDS["salt_concentration"]

RECORD = """() => {
    window.painted = 0;
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (...image) {
        window.painted = performance.now();
        return draw.apply(this, image);
    };
}"""
"""Record the time at which the browser last painted an image."""

MOVE = """async ([label, moves, pause]) => {
    const wait = ms => new Promise(done => setTimeout(done, ms));
    const row = [...document.querySelectorAll('.nc-number')].find(e => e.innerText.includes(label));
    const handle = row.querySelector('[role=slider]');
    let moved = 0;
    for (let i = 0; i < moves; i++) {
        const key = i % 20 < 10 ? 'ArrowRight' : 'ArrowLeft';
        moved = performance.now();
        handle.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        await wait(pause);
    }
    while (window.painted < moved || performance.now() - window.painted < 3000) await wait(50);
    return (window.painted - moved) / 1000;
}"""
"""Move a slider; return the seconds from the last move to the last image before a 3 s pause."""


@dataclass
class Lesson:
    """Plan of a measurement.

    Attributes
    ----------
    url : str
        Address of the page.
    students, browsers : int
        Number of students without and with a browser.
    within : float
        Time in which they arrive, and leave (s).
    moving : float
        Time for which they move a slider (s).
    peaks : dict of int to float
        Predicted highest density (M) at each position of the slider within the training range.
    barrier : asyncio.Barrier
        Where the students and the measurement wait for each other: when all have arrived, when
        they have moved their sliders, and when that has been measured.
    inside : int
        Number of students who had a place on arrival.
    lost : int
        Number of pages that stopped responding and were loaded again.
    left : float
        Time at which the first students leave; infinite before.
    """

    url: str
    students: int
    browsers: int
    within: float
    moving: float
    peaks: dict[int, float]
    barrier: asyncio.Barrier
    inside: int = 0
    lost: int = 0
    left: float = math.inf

    @property
    def moves(self) -> int:
        """Number of moves of each student in each of the two phases."""
        return round(self.moving * MOVES_PER_SECOND)

    def delays(self) -> Iterable[float]:
        """Arrival times (s), those of the browsers evenly among the others."""
        number = self.students + self.browsers
        return [self.within * (i + 1) / number for i in range(number)]


@dataclass
class Visit:
    """Waiting times and images of one student.

    Attributes
    ----------
    browser : bool
        True for a student with a browser.
    seconds : dict of str to float
        Waiting times.
    place : str
        Message of the queue on arrival; empty if there was a place.
    images : int
        Images that arrived while all moved.
    """

    browser: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    place: str = ""
    images: int = 0


def peaks() -> dict[int, float]:
    """Predict the highest density (M) at each position of the slider in the training range."""
    surrogate = Surrogate.load()
    trained = surrogate.domain.ranges[INPUT.name]
    return {
        position: float(
            surrogate.predict(SlitSystem(salt_concentration=value)).positive.density.max()
        )
        for position, value in enumerate(INPUT.positions)
        if trained.low <= value <= trained.high
    }


# --- students without a browser -------------------------------------------------------------


async def visit(lesson: Lesson, delay: float, seen: Visit) -> None:
    """Use the page without a browser."""
    page = HeadlessPage(lesson.url)
    await asyncio.sleep(delay)
    began = time.perf_counter()
    try:
        await page.load()
    except Waiting as queue:
        seen.place = str(queue)
        async with asyncio.TaskGroup() as group:
            group.create_task(wait_for_all(lesson))
            group.create_task(wait_in_queue(lesson, page, began, seen))
    else:
        lesson.inside += 1
        position = lesson.inside
        await open_page(page, began, seen, PAGE)
        await take_part(lesson, page, seen)
        await asyncio.sleep(lesson.within * position / lesson.inside)
        await page.close()


async def wait_for_all(lesson: Lesson) -> None:
    """Do not hold up those who take part."""
    for _ in range(3):
        await lesson.barrier.wait()


async def open_page(page: HeadlessPage, began: float, seen: Visit, name: str) -> None:
    """Connect to the kernel of a loaded page, and wait for the first curve."""
    await page.connect()
    up = time.perf_counter()
    seen.seconds[name] = up - began
    await page.until(lambda: page.images and page.shows(ML), "the first curve")
    seen.seconds[CURVE] = time.perf_counter() - up


async def take_part(lesson: Lesson, page: HeadlessPage, seen: Visit) -> None:
    """Move the slider while the others arrive, then with them."""
    seen.seconds[ARRIVING] = await move(lesson, page)
    await lesson.barrier.wait()
    before = page.images
    seen.seconds[TOGETHER] = await move(lesson, page)
    seen.images = page.images - before
    await lesson.barrier.wait()
    await lesson.barrier.wait()


async def wait_in_queue(lesson: Lesson, page: HeadlessPage, began: float, seen: Visit) -> None:
    """Keep asking for a place until one is free, and open the page; reload it if it is lost."""
    queued = True
    while CURVE not in seen.seconds:
        try:
            if queued:
                await page.wait_for_place()
            queued = False
            await page.load()
            await open_page(page, began, seen, WAITED)
        except Waiting:  # the reservation has expired on a busy server
            queued = True
        except ConnectionError:
            lesson.lost += 1
            await page.close()
            page = HeadlessPage(lesson.url)
    note_wait(lesson, began, seen)
    await page.close()


def note_wait(lesson: Lesson, began: float, seen: Visit) -> None:
    """Note the time from the first free place to the page, if all places were taken until then."""
    opened = began + seen.seconds[WAITED]
    if opened > lesson.left:
        seen.seconds[LEAVING] = opened - lesson.left


async def move(lesson: Lesson, page: HeadlessPage) -> float:
    """Move the slider to and fro; return the seconds from the last move to its curve."""
    slider = page.slider(INPUT.label)
    positions = itertools.cycle(to_and_fro(sorted(lesson.peaks), page.models[slider]["value"]))
    pause, position, moved = 1 / MOVES_PER_SECOND, 0, 0.0
    for number, position in enumerate(itertools.islice(positions, lesson.moves)):
        if number:
            await asyncio.sleep(pause)
        moved = time.perf_counter()
        page.change(slider, value=position)
    drawn = lesson.peaks[position]
    await page.until(lambda: abs(highest(page) - drawn) < 1e-4 * drawn, "the last curve")
    return time.perf_counter() - moved


def to_and_fro(allowed: list[int], start: int, steps: int = 10) -> list[int]:
    """Return the positions of some steps up and back, within the allowed ones."""
    up = [min(start + i, allowed[-1] - i % 2) for i in range(1, steps + 1)]
    return [*up, *up[-2::-1], start]


def highest(page: HeadlessPage) -> float:
    """Return the highest density (M) of the first curve of the figure."""
    curves = page.curves()
    return max(curves[0]["density_M"]) if curves else 0.0


# --- students with a browser ----------------------------------------------------------------


async def visit_with_browser(lesson: Lesson, delay: float, browser: Browser, seen: Visit) -> None:
    """Use the page in Chromium."""
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    page.set_default_timeout(10 * MINUTE)
    await page.add_init_script(f"({RECORD})()")
    await asyncio.sleep(delay)
    began = time.perf_counter()
    await page.goto(lesson.url)
    queued = page.get_by_text("All places are taken")
    predict = page.get_by_role("button", name="Predict using ML")
    await predict.or_(queued).first.wait_for()
    if await queued.count():
        seen.place = await page.locator("#place").inner_text()
        async with asyncio.TaskGroup() as group:
            group.create_task(wait_for_all(lesson))
            await predict.wait_for()
            await first_curve(page, began, seen, WAITED)
        note_wait(lesson, began, seen)
    else:
        await first_curve(page, began, seen, PAGE)
        await take_part_with_browser(lesson, page, seen)
    await context.close()


async def first_curve(page: Page, began: float, seen: Visit, name: str) -> None:
    """Wait for the first curve of a page that has appeared."""
    up = time.perf_counter()
    seen.seconds[name] = up - began
    await page.wait_for_function(
        """source => window.painted && [...document.querySelectorAll('[data-curves]')].some(
            figure => JSON.parse(figure.dataset.curves).some(curve => curve.source === source))""",
        arg=ML,
    )
    seen.seconds[CURVE] = time.perf_counter() - up


async def take_part_with_browser(lesson: Lesson, page: Page, seen: Visit) -> None:
    """Move the slider while the others arrive, then with them."""
    plan = [INPUT.label, lesson.moves, 1000 / MOVES_PER_SECOND]
    seen.seconds[ARRIVING] = await page.evaluate(MOVE, plan)
    await lesson.barrier.wait()
    seen.seconds[TOGETHER] = await page.evaluate(MOVE, plan)
    await lesson.barrier.wait()
    await lesson.barrier.wait()


# --- the measurement ------------------------------------------------------------------------


@dataclass(frozen=True)
class Usage:
    """Processor time so far (s), by kind of process, and the time of the measurement."""

    clock: float
    seconds: dict[str, float]

    @classmethod
    def of(cls, server: WebServer) -> Usage:
        """Measure the processes of a server and of this benchmark."""
        served = processes_of(server.home)
        runs = processes(server.home)
        kernels = [each for each in served if "ipykernel_launcher" in cmdline(each)]
        browsers = set(psutil.Process().children(recursive=True)) - {*served, *runs}
        kinds = {
            "server": [each for each in served if each not in kernels and each not in runs],
            "kernels": kernels,
            "simulation": runs,
            "browsers": browsers,
            "generator": [psutil.Process()],
        }
        return cls(time.perf_counter(), {kind: sum(map(_cpu, kinds[kind])) for kind in kinds})

    def since(self, earlier: Usage) -> dict[str, float]:
        """Return the processor time since an earlier measurement, and the elapsed time."""
        spent = {kind: self.seconds[kind] - earlier.seconds[kind] for kind in self.seconds}
        return {**spent, "elapsed": self.clock - earlier.clock}


def _cpu(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:2])
    except psutil.Error:
        return 0.0


def memory_of(of: list[psutil.Process]) -> list[float]:
    """Return the memory (MB) of each process; shared memory is divided among the processes."""
    return [each.memory_full_info().pss / 1e6 for each in of]


async def hold(
    lesson: Lesson, server: WebServer, browsers: list[Browser], at_most: float
) -> dict[str, Any]:
    """Hold the lesson; return its measurements, as far as they go after `at_most` seconds."""
    visits = [Visit() for _ in lesson.delays()]
    found: dict[str, Any] = {"visits": visits, "memory_MB": [], "cpu_seconds": {}, "problem": ""}
    every = len(visits) // (lesson.browsers or 1)
    try:
        async with asyncio.timeout(at_most), asyncio.TaskGroup() as group:
            group.create_task(watch(lesson, server, found))
            for number, (delay, seen) in enumerate(zip(lesson.delays(), visits, strict=True)):
                browser, position = divmod(number, every)
                if browser < len(browsers) and position == every // 2:
                    seen.browser = True
                    group.create_task(visit_with_browser(lesson, delay, browsers[browser], seen))
                else:
                    group.create_task(visit(lesson, delay, seen))
    except* TimeoutError:
        found["problem"] = f"it had lasted {at_most:g} s"
    except* OSError as problems:
        found["problem"] = f"a page was lost ({problems.exceptions[0]!r})"
    found["lost"] = lesson.lost
    return found


async def watch(lesson: Lesson, server: WebServer, found: dict[str, Any]) -> None:
    """Measure memory and processor time in each phase."""
    start = Usage.of(server)
    await lesson.barrier.wait()
    arrived = Usage.of(server)
    found["cpu_seconds"]["arriving"] = arrived.since(start)
    await lesson.barrier.wait()
    found["cpu_seconds"]["all moving"] = Usage.of(server).since(arrived)
    found["memory_MB"] = memory_of(server.kernels)
    found["server_MB"] = memory_of([psutil.Process(server.process.pid)])[0]
    lesson.left = time.perf_counter()
    await lesson.barrier.wait()


async def measure(options: argparse.Namespace, server: WebServer, program: str) -> dict[str, Any]:
    """Start the browsers and the simulation, and hold the lesson."""
    browsers = options.browsers
    lesson = Lesson(
        url=server.url,
        students=options.students,
        browsers=browsers,
        within=options.within,
        moving=options.moving,
        peaks=peaks(),
        barrier=asyncio.Barrier(options.students + browsers + 1),
    )
    Archive(server.home).submit(SlitSystem(), RunSettings(duration_ns=100.0))
    ensure_keeper(server.home)
    async with async_playwright() as playwright:
        launch = playwright.chromium.launch
        opened = [await launch(executable_path=program, args=FLAGS) for _ in range(browsers)]
        found = await hold(lesson, server, opened, options.at_most)
        for browser in opened:
            await browser.close()
    return found


# --- the report -----------------------------------------------------------------------------


def quantile(values: list[float], share: float) -> float:
    """Return the smallest value that a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def row(name: str, values: list[float], unit: str, target: str = "") -> list[str]:
    """Return a line of the table: number of values, median, 95 %, worst."""
    if not values:
        return [name, "0", "", "", "", unit, target]
    numbers = statistics.median(values), quantile(values, 0.95), max(values)
    return [name, str(len(values)), *(f"{number:.2f}" for number in numbers), unit, target]


def table(found: dict[str, Any]) -> str:
    """Return the measurements as a table."""
    visits: list[Visit] = found["visits"]
    rows = [["", "number", "median", "95 %", "worst", "", "target"]]
    for browser, who in ((False, ""), (True, "Chromium: ")):
        for name in (PAGE, CURVE, ARRIVING, TOGETHER, LEAVING, WAITED):
            values = [
                each.seconds[name]
                for each in visits
                if name in each.seconds and each.browser == browser
            ]
            if values or name not in (LEAVING, WAITED):
                limit = TARGETS[name]
                target = "" if limit is None else f"{limit:g} s"
                rows.append(row(who + name, values, "s", target))
    rows.append(row("memory of a session", found["memory_MB"], "MB", f"{MEMORY_TARGET:g} MB"))
    images = [float(each.images) for each in visits if TOGETHER in each.seconds]
    rows.append(row("images while all move", images, ""))
    return aligned(rows)


def each_tenth(visits: list[Visit]) -> str:
    """Return the time from the first free place to the page of each tenth student in the queue."""
    seconds = sorted(each.seconds[LEAVING] for each in visits if LEAVING in each.seconds)
    return ", ".join(f"{i}: {seconds[i - 1]:.0f} s" for i in range(10, len(seconds) + 1, 10))


def lines(found: dict[str, Any]) -> list[str]:
    """Return what the table does not contain: places, and processor time."""
    visits: list[Visit] = found["visits"]
    queued = [each for each in visits if each.place]
    inside = sum(PAGE in each.seconds for each in visits)
    text = f"{inside} of {len(visits)} students had a place on arrival"
    if queued:
        text += f", {len(queued)} waited ({queued[0].place!r} to {queued[-1].place!r})"
        text += f", {sum(CURVE in each.seconds for each in queued)} got a place later"
        text += f"; {found['lost']} pages stopped responding and were loaded again"
    said = [text + "."]
    if tenths := each_tenth(visits):
        said.append(f"First place free to page, for each tenth of those who waited: {tenths}.")
    if found["problem"]:
        missing = sum(CURVE not in each.seconds for each in visits)
        said.append(f"Ended early, because {found['problem']}; {missing} had not seen a curve.")
    if found["memory_MB"]:
        pages = sum(found["memory_MB"])
        said.append(f"Memory: {pages:.0f} MB for all pages, {found['server_MB']:.0f} MB the server")
    for phase, spent in found["cpu_seconds"].items():
        elapsed = spent["elapsed"]
        used = ", ".join(f"{kind} {spent[kind]:.1f}" for kind in spent if kind != "elapsed")
        said.append(f"Processor time, {phase} ({elapsed:.0f} s), s: {used}")
    return said


def as_json(found: dict[str, Any], options: argparse.Namespace, load: float) -> dict[str, Any]:
    """Return the measurements and their conditions."""
    plan = ("students", "browsers", "within", "moving", "max_pages")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "load_before": load,
        **{name: getattr(options, name) for name in plan},
        **{name: value for name, value in found.items() if name != "visits"},
        "visits": [vars(each) for each in found["visits"]],
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a class."""
    group = parser.add_argument_group("a class")
    group.add_argument("--students", type=int, metavar="N", help="students without a browser")
    group.add_argument("--browsers", type=int, default=2, metavar="N", help="default: 2")
    group.add_argument("--within", type=float, default=60.0, metavar="S", help="default: 60 s")
    group.add_argument("--moving", type=float, default=20.0, metavar="S", help="default: 20 s")
    group.add_argument("--max-pages", type=int, metavar="N", help="default: that of nanoconf app")
    group.add_argument("--at-most", type=float, default=540.0, metavar="S", help="default: 540 s")
    group.add_argument("--json", type=Path, metavar="FILE", help="also write the results to FILE")


def run(options: argparse.Namespace, program: str) -> int:
    """Measure a class, and print a table."""
    load = os.getloadavg()[0]
    limit = [f"--max-pages={options.max_pages}"] if options.max_pages else []
    with tempfile.TemporaryDirectory() as folder, WebServer(Path(folder) / "home", limit) as server:
        found = asyncio.run(measure(options, server, program))
    print(f"{os.cpu_count()} cores, load before the measurement {load:.1f}")
    print(table(found), *lines(found), sep="\n")
    if options.json:
        write_json(options.json, as_json(found, options, load))
    return 0
