"""Model of the Class tab: queue, progress and results of the class, and clearing its runs."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Dict, Enum, HasTraits, Tuple, Unicode

from backend.runs.run import LOCAL, RUN_ERRORS
from backend.runs.run_state import RunState
from nanoconf.gui import words
from nanoconf.gui.figures.origin import MD, Origin, Source
from nanoconf.gui.figures.plots import DENSITY, IONS, Z_AXIS, Chart, Curve, Plot
from nanoconf.gui.figures.room import NARROW
from nanoconf.gui.services.classroom import Classroom
from nanoconf.gui.services.permissions import NotAllowed
from nanoconf.gui.tabs.registry import CLASS

if TYPE_CHECKING:
    from backend.keeper.open_runs import Wait
    from backend.profiles.density import DensityProfile
    from backend.runs.run import Run
    from backend.system import SlitSystem
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState

TICK_SECONDS = 2.0
"""Interval at which the archive is read while the tab is selected."""

MAXIMUM_ROWS = 200
"""Maximum number of runs in the table: those in progress, and the newest of the others."""

MAXIMUM_CURVES = 200
"""Maximum number of results in the figure, the newest ones."""

LEGEND, NARROW_LEGEND = 8, 3
"""Maximum number of legend entries (the inputs with the most results), and that in a narrow tab."""

TODAY, ALL = "Last 24 hours", "All"

DAY = timedelta(hours=24)

ORDER = (RunState.RUNNING, RunState.QUEUED)

NO_RUNS = "No runs yet: simulations appear here when students press Run."

ASKED = "Queued and running simulations will be cancelled, and all results deleted."


@dataclass(frozen=True)
class Row:
    """A run in the table, without any name.

    Attributes
    ----------
    browser : int
        Number of its browser.
    system, length : str
        The system, and the length: as requested, or as simulated if there is a result.
    state : str
        Its state, with its progress or its place in the queue.
    fraction : float or None
        Its progress (0 to 1) while it is running.
    """

    browser: int
    system: str
    length: str
    state: str
    fraction: float | None = None


@dataclass(frozen=True)
class Result:
    """A result in the figure: the profile of the positive ions.

    Attributes
    ----------
    run_id : str
        ID of its run.
    system : SlitSystem
        Its system.
    profile : DensityProfile
        The profile.
    converged : bool
        False if it is known not to have converged.
    """

    run_id: str
    system: SlitSystem
    profile: DensityProfile
    converged: bool


class ClassRuns(HasTraits):
    """The runs of the class: all that browsers have submitted in a period.

    Parameters
    ----------
    state : AppState
        State of the page; the runs are read only while the tab is selected.
    work : Work
        Session with the archive.

    Attributes
    ----------
    since : {"Last 24 hours", "All"}
        The period.
    rows : tuple of Row
        The table.
    results : dict of str to Result
        The results in the figure, by ID of the run.
    summary : str
        Text above the table.
    message : str
        Outcome of the last request.
    asked : tuple of str
        IDs of the runs that are deleted if the request is confirmed.
    clearing : bool
        True while runs are being deleted.
    """

    since = Enum((TODAY, ALL), TODAY)
    rows = Tuple()
    results = Dict()
    summary = Unicode()
    message = Unicode()
    asked = Tuple()
    clearing = Bool(False)
    _listed = Tuple()

    def __init__(self, state: AppState, work: Work):
        super().__init__()
        self._state, self._work = state, work
        self._class = Classroom(work)
        self._known: dict[str, Result | None] = {}
        self._wanted = threading.Event()
        state.observe(self.refresh, "tab")
        self.observe(self._choose_period, "since")
        threading.Thread(target=self._watch, daemon=True).start()

    def refresh(self, _change: Any = None) -> None:
        """Read the archive now, if the tab is selected."""
        self._wanted.set()

    def _watch(self) -> None:
        """Read the archive every few seconds while the tab is selected."""
        while not self._work.closed.is_set():
            self._wanted.clear()
            if self._state.tab == CLASS:
                try:
                    self._read(self.since)
                except Exception as error:  # the next one may succeed
                    self._work.post(self._report, words.one_line(error))
            self._wanted.wait(TICK_SECONDS)

    def _choose_period(self, _change: Any) -> None:
        self.keep()
        self.refresh()

    # --- reading ----------------------------------------------------------------------------

    def _read(self, since: str) -> None:
        runs = self._class.runs()
        numbers: dict[str, int] = {}
        for run in reversed(runs):
            numbers.setdefault(run.request["owner"], len(numbers) + 1)
        begin = (datetime.now(UTC) - DAY).isoformat() if since == TODAY else ""
        chosen = [run for run in runs if run.created >= begin]
        waits = self._class.waits()
        chosen.sort(key=lambda run: _position(run, waits))
        rows = [self._row(run, numbers, waits) for run in chosen[:MAXIMUM_ROWS]]
        found = self._results([run for run in chosen if run.state == RunState.DONE])
        summary = _summary(chosen)
        self._work.post(self._found, since, chosen, rows, found, summary)

    def _row(self, run: Run, numbers: dict[str, int], waits: dict[str, Wait]) -> Row:
        progress = run.progress() if run.state == RunState.RUNNING else None
        return Row(
            numbers[run.request["owner"]],
            words.describe(run.system),
            words.run_length(run),
            _state(run, progress, waits.get(run.id)),
            None if progress is None else progress.fraction,
        )

    def _results(self, done: list[Run]) -> dict[str, Result]:
        """Return the results of runs; each is read once, because it never changes."""
        shown = done[:MAXIMUM_CURVES]
        self._known = {run.id: self._result(run) for run in shown}
        return {run_id: each for run_id, each in self._known.items() if each is not None}

    def _result(self, run: Run) -> Result | None:
        if run.id in self._known:
            return self._known[run.id]
        try:
            result = run.result()
        except RUN_ERRORS:  # one damaged result does not hide the others
            return None
        profile = result.profiles.by_species()["positive"]
        return Result(run.id, run.system, profile, not result.summary.unconverged)

    def _found(
        self,
        since: str,
        runs: list[Run],
        rows: list[Row],
        results: dict[str, Result],
        summary: str,
    ) -> None:
        if since != self.since:  # the answer to the last question follows
            return
        with self.hold_trait_notifications():
            self._listed = tuple(run.id for run in runs)
            self.rows, self.summary = tuple(rows), summary
        if results.keys() != self.results.keys():
            self.results = results

    # --- clearing ---------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask whether to delete the runs that are listed now."""
        if self._listed and not self.clearing:
            self.asked, self.message = self._listed, ASKED

    def keep(self) -> None:
        """Withdraw the request."""
        if self.asked:
            self.asked, self.message = (), ""

    def clear(self) -> None:
        """Cancel and delete the runs that were listed when the question was asked."""
        asked, self.asked = self.asked, ()
        if not asked or self.clearing:
            return
        try:
            self._class.clear(asked, self._cleared)
        except NotAllowed as error:
            self._report(words.one_line(error))
            return
        self.clearing = True
        self._report(f"Deleting {words.plural(len(asked), 'run')} …")

    def _cleared(self, outcome: str) -> None:
        self.clearing = False
        self._report(outcome)
        self.refresh()

    def _report(self, message: str) -> None:
        self.message = message

    # --- the figure -------------------------------------------------------------------------

    def plot(self) -> Plot:
        """Plot all results in one chart: one colour and one legend entry for each set of inputs."""
        results = sorted(self.results.values(), key=lambda each: _inputs(each.system))
        if not results:
            return Plot(CLASS, (), "The results of the class appear here, one line each.")
        families = [list(same) for _, same in groupby(results, lambda each: each.system)]
        most = NARROW_LEGEND if 0 < self._state.stage[0] < NARROW else LEGEND
        listed = sorted(range(len(families)), key=lambda i: -len(families[i]))[:most]
        last = max(1, len(families) - 1)
        curves = [
            curve
            for i, family in enumerate(families)
            for curve in _curves(family, i / last, listed=i in listed)
        ]
        width = max(each.system.confinement_length for each in results)
        label = f"Density of the {IONS['positive']} (M)"
        chart = Chart(tuple(curves), Z_AXIS, label, DENSITY, width)
        sources = (Source(MD, each.run_id, each.system) for each in results)
        return Plot(CLASS, (chart,), origin=Origin(tuple(sources)))


def _position(run: Run, waits: dict[str, Wait]) -> tuple[int, int]:
    """Return the position of a run in the table: running, queued, then the others, newest first."""
    state = run.state
    active = ORDER.index(state) if state in ORDER else len(ORDER)
    return active, waits[run.id].ahead if run.id in waits else len(waits)


def _state(run: Run, progress: Any, wait: Wait | None) -> str:
    state = run.state
    text = state if run.where == LOCAL else f"{state} on {run.where}"
    if state == RunState.QUEUED and wait is not None:
        return f"{text}, {wait.in_words()}"
    if state == RunState.DONE and run.outcome is not None:
        error = run.outcome.median_relative_error
        text += "" if error is None else f", error {words.percent(error)}"
        return text + (f", {words.NOT_CONVERGED}" if run.outcome.converged is False else "")
    if progress is not None:
        text += f", {100 * progress.fraction:.0f} %"
        left = progress.seconds_left
        text += "" if left is None else f", about {words.duration(left)} left"
    return text


def _summary(runs: list[Run]) -> str:
    if not runs:
        return NO_RUNS
    states = Counter(run.state for run in runs)
    counts = [f"{states[state]} {state}" for state in RunState if states[state]]
    browsers = words.plural(len({run.request["owner"] for run in runs}), "browser")
    text = f"{words.plural(len(runs), 'run')} from {browsers}: {', '.join(counts)}."
    if len(runs) > MAXIMUM_ROWS:
        text += f" The table shows {MAXIMUM_ROWS} of them."
    if states[RunState.DONE] > MAXIMUM_CURVES:
        text += f" The figure shows the newest {MAXIMUM_CURVES} results."
    return text


def _inputs(system: SlitSystem) -> tuple[float, ...]:
    """Return the inputs of a system, in the order by which families of curves are sorted."""
    sizes = (system.confinement_length, *system.valencies, system.salt_concentration)
    return (*sizes, *system.diameters, system.surface_charge_density, hash(system))


def _curves(family: list[Result], shade: float, *, listed: bool) -> list[Curve]:
    """Return the curves of results for the same inputs; the legend lists the first one."""
    system = words.describe(family[0].system)
    first = f"{system}: {words.plural(len(family), 'run')}"
    unconverged = sum(not each.converged for each in family)
    if unconverged:
        first += f", {unconverged} {words.NOT_CONVERGED}"
    curves: list[Curve] = []
    for each in family:
        label = f"{system}: {each.run_id[:8]}" if curves else first
        profile = each.profile
        curve = Curve(label, profile.z, profile.density, MD, None, "positive", shade=shade)
        curves.append(replace(curve, kind="line", listed=listed and not curves))
    return curves
