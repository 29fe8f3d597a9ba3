"""Model of the Runs tab: search, rename, compare, cite and delete runs in the archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Dict, Enum, HasTraits, Tuple, Unicode

from backend import __version__
from backend.runs.run import LOCAL, RUN_ERRORS
from backend.runs.run_state import RunState
from nanoconf.gui import words
from nanoconf.gui.figures.origin import MD, Origin, Source
from nanoconf.gui.figures.plots import DENSITY, IONS, Z_AXIS, Chart, Curve, Plot
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.services.permissions import Action, checked_name, refusal
from nanoconf.gui.state import MINE
from nanoconf.gui.tabs.registry import RUNS

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.identity import Submitter
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState, Simulation

MAXIMUM_ENTRIES = 1000
"""Maximum number of runs in the table; a search finds the others."""

MAXIMUM_CURVES = 12
"""Maximum number of runs that the figure compares."""

NO_RUNS = "No runs yet: press Run to simulate a system."
NO_RUNS_HERE = "No runs from this browser yet: press Run."


@dataclass(frozen=True)
class Entry:
    """A run in the table.

    Attributes
    ----------
    run_id, name, state, where, created
        As in the archive.
    system : str
        Description of its system.
    length : str
        The simulated length, or the requested length while there is no result.
    length_ns : float
        The same as a number (ns).
    simulated : bool
        True if there is a result.
    relative_error : float or None
        Typical error of the result; None if unknown.
    converged : bool or None
        True if it has converged; None if unknown.
    submitter : Submitter
        Its submitter.
    """

    run_id: str
    name: str
    state: RunState
    where: str
    created: str
    system: str
    length: str
    length_ns: float
    simulated: bool
    relative_error: float | None
    converged: bool | None
    submitter: Submitter

    @property
    def title(self) -> str:
        """Name and short id: ``a fine run (3f2a77b0)``."""
        short = self.run_id[:8]
        return f"{self.name} ({short})" if self.name else short

    @property
    def place(self) -> str:
        """State and cluster: ``running on NAME``."""
        return self.state if self.where == LOCAL else f"{self.state} on {self.where}"

    @property
    def error(self) -> str:
        """Typical error of the result; marked if it has not converged."""
        known = "" if self.relative_error is None else words.percent(self.relative_error)
        mark = words.NOT_CONVERGED if self.converged is False else ""
        return ", ".join(filter(None, (known, mark)))

    @property
    def when(self) -> str:
        """Time of its submission (UTC)."""
        return self.created[:16].replace("T", " ")

    def as_text(self) -> str:
        """Return the text that is searched."""
        texts = (self.system, self.length, self.error, self.place, self.submitter, self.when)
        return " · ".join(filter(None, (self.name, *texts, self.run_id)))


class History(HasTraits):
    """The runs in the archive.

    Parameters
    ----------
    state : AppState
        State of the page; the list is updated only while its tab is selected.
    work : Work
        Session with the archive.

    Attributes
    ----------
    search : str
        Words, all of which an entry must contain.
    entries : tuple of Entry
        The matching runs, newest first.
    chosen : tuple of str
        IDs of the selected runs.
    results : dict of str to SimulationResult
        Results of the selected runs that are done.
    note : str
        Text below the table.
    message, citation : str
        Outcome of the last button press; one of the two is empty.
    """

    search = Unicode()
    entries = Tuple()
    chosen = Tuple()
    results = Dict()
    species = Enum(tuple(IONS), "positive")
    note = Unicode()
    message = Unicode()
    citation = Unicode()
    _asked = AnyTrait(None, allow_none=True)

    def __init__(self, state: AppState, work: Work):
        super().__init__()
        self._state, self._work = state, work
        self._reported = ""
        self._latest = Latest(work.background, self._read, self._failed)
        state.observe(self.refresh, ["tab", "offers", "whose_runs"])
        state.observe(self._simulation_changed, "simulation")
        self.observe(self.refresh, ["search", "chosen"])
        self.refresh()

    def refresh(self, _change: Any = None) -> None:
        """Read the archive again if the tab is selected."""
        if self._state.tab == RUNS:
            self._latest.request(self.search, self.chosen, self._state.whose_runs)

    def _simulation_changed(self, change: dict[str, Any]) -> None:
        """Read the archive again for a new run or state, but not for each progress update."""
        before, now = change["old"], change["new"]
        if before is None or now is None or _key(before) != _key(now):
            self.refresh()

    def _read(self, search: str, chosen: tuple[str, ...], whose: str) -> None:
        entries = self._entries(search.lower().split(), whose)
        results, problem = {}, ""
        for run_id in chosen:
            try:
                results[run_id] = self.results.get(run_id) or self._result(run_id)
            except RUN_ERRORS as error:
                problem = words.one_line(error)
        done = {run_id: result for run_id, result in results.items() if result is not None}
        self._work.post(self._report_once, problem, chosen)
        self._work.post(self._found, entries, done, len(self._work.archive.damaged()))

    def _failed(self, error: Exception) -> None:
        self._work.post(self._set_message, words.one_line(error))

    def _entries(self, wanted: list[str], whose: str) -> tuple[Entry, ...]:
        found = []
        for run in self._work.archive.runs():
            if whose == MINE and not self._work.owns(run):
                continue
            try:
                entry = self._entry(run)
            except RUN_ERRORS:
                continue  # written by a version with different limits
            line = entry.as_text().lower()
            if all(word in line for word in wanted):
                found.append(entry)
                if len(found) == MAXIMUM_ENTRIES:
                    break
        return tuple(found)

    def _entry(self, run: Run) -> Entry:
        outcome = run.outcome
        return Entry(
            run.id,
            run.name,
            run.state,
            run.where,
            run.created,
            words.describe(run.system),
            words.run_length(run),
            run.length_ns,
            run.simulated_ns is not None,
            None if outcome is None else outcome.median_relative_error,
            None if outcome is None else outcome.converged,
            self._work.identity.submitter(run),
        )

    def _result(self, run_id: str) -> Any:
        run = self._work.permitted(Action.OPEN, run_id)
        return run.result() if run.state == RunState.DONE else None

    def _report_once(self, problem: str, chosen: tuple[str, ...]) -> None:
        """Report a problem with the selected runs once, although every refresh finds it."""
        if chosen == self.chosen:
            if problem and problem != self._reported:
                self._set_message(problem)
            self._reported = problem

    def _found(self, entries: tuple[Entry, ...], results: dict[str, Any], damaged: int) -> None:
        with self.hold_trait_notifications():
            if entries != self.entries:
                self.entries = entries
            self.note = " ".join(filter(None, (self._note(), _set_aside(damaged))))
        if results.keys() != self.results.keys():
            self.results = results

    def _note(self) -> str:
        """Return the text below the table; if empty, the number of runs is shown."""
        if not self.entries:
            if self.search.strip():
                return f"No run matches “{self.search}”."
            return NO_RUNS_HERE if self._state.whose_runs == MINE else NO_RUNS
        if len(self.entries) == MAXIMUM_ENTRIES:
            return f"Showing the newest {MAXIMUM_ENTRIES} runs; search to find the others."
        if len(self.chosen) > MAXIMUM_CURVES:
            return f"{len(self.chosen)} runs selected; the figure shows the first {MAXIMUM_CURVES}."
        return ""

    # --- actions on the selected runs -------------------------------------------------------

    @property
    def selected(self) -> list[Entry]:
        """The selected runs in the table."""
        return [entry for entry in self.entries if entry.run_id in self.chosen]

    def refusal(self, action: Action) -> str:
        """Return the reason why this page may not act on the selected runs; empty if it may."""
        reasons = (refusal(action, each.run_id, each.submitter) for each in self.selected)
        return next(filter(None, reasons), "")

    @property
    def renamable(self) -> bool:
        """True if one run is selected, and it belongs to this browser."""
        return len(self.selected) == 1 and not self.refusal(Action.RENAME)

    @property
    def deletable(self) -> bool:
        """True if runs are selected, all of them belong to this browser, and none is running."""
        selected = self.selected
        running = any(each.state == RunState.RUNNING for each in selected)
        return bool(selected) and not running and not self.refusal(Action.DELETE)

    @property
    def cancellable(self) -> bool:
        """True if runs are selected and all of them belong to this browser and are active."""
        selected = self.selected
        active = bool(selected) and all(each.state.active for each in selected)
        return active and not self.refusal(Action.CANCEL)

    def open(self) -> None:
        """Display the selected run, and set the inputs to its system."""

        def choose(run: Run) -> None:
            self._state.choose(run.system)

        if len(self.chosen) == 1 and self._each(Action.OPEN, choose):
            self._work.attach(self.chosen[0])
        self.refresh()

    def rename(self, name: str) -> None:
        """Rename the selected run, if it belongs to this browser."""

        def set_name(run: Run) -> None:
            run.rename(checked_name(name))

        if len(self.chosen) == 1 and self._each(Action.RENAME, set_name):
            self._set_message("1 run renamed.")
        self.refresh()

    def delete(self) -> None:
        """Delete the selected runs, unless one does not belong to this browser."""
        asked, folder = self.chosen, self._work.archive.folder
        removed = self._each(Action.DELETE, lambda run: run.remove())
        self.chosen = tuple(run_id for run_id in asked if (folder / run_id).exists())
        if asked and removed:
            self._set_message(f"{words.plural(len(asked), 'run')} deleted.")
        self.refresh()

    def cancel(self) -> None:
        """Cancel the selected runs, unless one does not belong to this browser."""
        cancelled: list[str] = []

        def cancel(run: Run) -> None:
            if not run.finished:
                run.cancel()
                cancelled.append(run.id)

        if self.chosen and self._each(Action.CANCEL, cancel):
            self._set_message(f"{words.plural(len(cancelled), 'run')} cancelled.")
        self.refresh()

    def cite(self) -> None:
        """Write the citation of the selected runs."""
        found: list[str] = []
        if self._each(Action.CITE, lambda run: found.append(citation(run))):
            self._set_message(citation="\n\n".join(found))
        self.refresh()

    def _each(self, action: Action, apply: Callable[[Run], object]) -> bool:
        """Act on the selected runs if all of them permit it.

        Otherwise, or if the action fails, report the reason and return False.
        """
        self._set_message()
        try:
            for run in [self._work.permitted(action, run_id) for run_id in self.chosen]:
                apply(run)
        except RUN_ERRORS as error:
            self._set_message(words.one_line(error))
            return False
        return True

    def _set_message(self, message: str = "", citation: str = "") -> None:
        self.citation, self.message = citation, message

    def plot(self) -> Plot:
        """Plot the results of the selected runs in one chart."""
        found = list(self.results.items())[:MAXIMUM_CURVES]
        titles = {entry.run_id: entry.title for entry in self.entries}
        last = max(1, len(found) - 1)
        curves = [
            _curve(titles.get(run_id, run_id[:8]), result, self.species, i / last)
            for i, (run_id, result) in enumerate(found)
        ]
        if not curves:
            return Plot(RUNS, (), "Select one run to open it, or several to compare them.")
        width = max(result.system.confinement_length for _, result in found)
        label = f"Density of the {IONS[self.species]} (M)"
        chart = Chart(tuple(curves), Z_AXIS, label, DENSITY, width)
        origin = Origin(tuple(Source(MD, run_id, result.system) for run_id, result in found))
        return Plot(RUNS, (chart,), origin=origin)


def _curve(title: str, result: Any, species: str, shade: float) -> Curve:
    profile, unconverged = result.profiles.by_species()[species], result.summary.unconverged
    label = f"{title}: {words.describe(result.system)}"
    if unconverged:
        label += f", {words.NOT_CONVERGED}"
    return Curve(
        *(label, profile.z, profile.density, MD, profile.error, species),
        shade=shade,
        converged=not unconverged,
    )


def _set_aside(damaged: int) -> str:
    if not damaged:
        return ""
    folders = "1 damaged folder is" if damaged == 1 else f"{damaged} damaged folders are"
    return f"{folders} not shown; for the reasons, use the command nanoconf runs."


def _key(simulation: Simulation) -> tuple[str, RunState]:
    return simulation.run_id, simulation.state


def citation(run: Run) -> str:
    """Return a citation that identifies a run, so that a reader can reproduce the result.

    A run that was finished early is cited with its simulated length only, because the requested
    length would not reproduce it.
    """
    settings = run.settings
    name = f" ({run.name})" if run.name else ""
    return (
        f"Ions in Nanoconfinement, nanoconf {run.version or __version__}, run {run.id}{name}, "
        f"{run.created[:10]}: {words.describe(run.system, full=True)}; {_cited_length(run)}, "
        f"{words.plural(settings.replicas, 'replica')}, seed {settings.seed}, "
        f"engine {settings.engine}{_not_converged(run)}."
    )


def _not_converged(run: Run) -> str:
    unconverged = run.outcome is not None and run.outcome.converged is False
    return f"; {words.NOT_CONVERGED}" if unconverged else ""


def _cited_length(run: Run) -> str:
    if run.simulated_ns is None:
        return words.length(run.settings)
    simulated = f"{words.run_length(run)} simulated"
    if run.finish_requested:
        return f"{simulated} (finished early)"
    return f"{simulated} (requested: {words.length(run.settings)})"
