"""What the Runs tab knows: the runs of the archive, searched, named, compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Dict, Enum, HasTraits, Tuple, Unicode

from backend import __version__
from backend.runs.state import RunState
from nanoconf.gui import words
from nanoconf.gui.figures.plots import DENSITY, IONS, MD, Z_AXIS, Chart, Curve, Plot
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.tabs.registry import RUNS

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState

MOST = 200
"""Runs that the list shows: a search finds the others."""

TROUBLE = (OSError, RuntimeError, KeyError, ValueError)
"""What comes of a run that is damaged, or was deleted by somebody else."""


@dataclass(frozen=True)
class Entry:
    """A run as the list shows it.

    Attributes
    ----------
    run_id, name, state, where, created
        As in the archive.
    system : str
        Its system, in words.
    length : str
        How long it was simulated; how long it is to be while there is no result.
    mine : bool
        Whether this browser asked for it.
    """

    run_id: str
    name: str
    state: RunState
    where: str
    created: str
    system: str
    length: str
    mine: bool

    def in_words(self) -> str:
        """One line."""
        when = self.created[:16].replace("T", " ")
        state = self.state if self.where == "local" else f"{self.state} on {self.where}"
        parts = (self.name, self.system, self.length, state, when, self.run_id[:8])
        return " · ".join(filter(None, parts))


class History(HasTraits):
    """The runs of the archive.

    Parameters
    ----------
    state : AppState
        Whose tab says when the list is looked at.
    work : Work
        Whose archive it shows.

    Attributes
    ----------
    search : str
        Words that an entry must contain, all of them.
    entries : tuple of Entry
        What was found, the newest first.
    chosen : tuple of str
        Ids of the runs that are chosen.
    results : dict of str to SimulationResult
        What came out of those that are done.
    message, citation : str
        What came of the last button; one of them is empty.
    """

    search = Unicode()
    entries = Tuple()
    chosen = Tuple()
    results = Dict()
    species = Enum(tuple(IONS), "positive")
    message = Unicode()
    citation = Unicode()
    _asked = AnyTrait(None, allow_none=True)

    def __init__(self, state: AppState, work: Work):
        super().__init__()
        self._state, self._work = state, work
        self._told = ""
        self._latest = Latest(work.background, self._look, self._failed)
        state.observe(self.refresh, ["tab", "simulation", "offers"])
        self.observe(self.refresh, ["search", "chosen"])
        self.refresh()

    def refresh(self, _change: Any = None) -> None:
        """Look again, if anybody sees it."""
        if self._state.tab == RUNS:
            self._latest.ask(self.search, self.chosen)

    def _look(self, search: str, chosen: tuple[str, ...]) -> None:
        entries = self._entries(search.lower().split())
        results, problem = {}, ""
        for run_id in chosen:
            try:
                results[run_id] = self.results.get(run_id) or self._result(run_id)
            except TROUBLE as error:
                problem = words.one_line(error)
        there = {run_id: result for run_id, result in results.items() if result is not None}
        self._work.post(self._tell_once, problem, chosen)
        self._work.post(self._found, entries, there)

    def _failed(self, error: Exception) -> None:
        self._work.post(self._say, words.one_line(error))

    def _entries(self, wanted: list[str]) -> tuple[Entry, ...]:
        found = []
        for run in self._work.archive.runs():
            try:
                entry = self._entry(run)
            except TROUBLE:
                continue  # written by a version that allows what this one does not
            line = f"{entry.in_words()} {entry.run_id}".lower()
            if all(word in line for word in wanted):
                found.append(entry)
                if len(found) == MOST:
                    break
        return tuple(found)

    def _entry(self, run: Run) -> Entry:
        return Entry(
            run.id,
            run.name,
            run.state,
            run.where,
            run.created,
            words.describe(run.system),
            words.run_length(run),
            self._work.owns(run),
        )

    def _result(self, run_id: str) -> Any:
        run = self._work.archive.get(run_id)
        return run.result() if run.state == RunState.DONE else None

    def _tell_once(self, problem: str, chosen: tuple[str, ...]) -> None:
        """Say what is wrong with the chosen runs, though every look finds it again."""
        if chosen == self.chosen:
            if problem and problem != self._told:
                self._say(problem)
            self._told = problem

    def _found(self, entries: tuple[Entry, ...], results: dict[str, Any]) -> None:
        if entries != self.entries:
            self.entries = entries
        if results.keys() != self.results.keys():
            self.results = results

    # --- what can be done with the chosen ones ----------------------------------------------

    def open(self) -> None:
        """Show the chosen run, with its inputs at the left."""
        if len(self.chosen) == 1 and self._each(lambda run: self._state.choose(run.system)):
            self._work.attach(self.chosen[0])
        self.refresh()

    def rename(self, name: str) -> None:
        """Give the chosen run a name."""
        if len(self.chosen) == 1 and self._each(lambda run: run.rename(name)):
            self._say("1 run renamed.")
        self.refresh()

    def delete(self) -> None:
        """Remove the chosen runs of this browser; those of others stay."""
        theirs = [e.run_id for e in self.entries if e.run_id in self.chosen and not e.mine]
        if theirs:
            self._say("A run that was started in another browser cannot be deleted here.")
            return
        asked, folder = self.chosen, self._work.archive.folder
        removed = self._each(lambda run: run.remove())
        self.chosen = tuple(run_id for run_id in asked if (folder / run_id).exists())
        if asked and removed:
            self._say(f"{len(asked)} run{'s' if len(asked) > 1 else ''} deleted.")
        self.refresh()

    def cite(self) -> None:
        """Write how to cite the chosen runs."""
        found: list[str] = []
        if self._each(lambda run: found.append(citation(run))):
            self._say(citation="\n\n".join(found))
        self.refresh()

    def _each(self, action: Callable[[Run], object]) -> bool:
        """Do it with the chosen runs; False, and why is said, where it fails."""
        self._say()
        try:
            for run_id in self.chosen:
                action(self._work.archive.get(run_id))
        except TROUBLE as error:
            self._say(words.one_line(error))
            return False
        return True

    def _say(self, message: str = "", citation: str = "") -> None:
        self.citation, self.message = citation, message

    def plot(self) -> Plot:
        """The chosen runs, one over the other."""
        found = list(self.results.items())
        curves = [
            _curve(run_id, result, self.species, i / max(1, len(found) - 1))
            for i, (run_id, result) in enumerate(found)
        ]
        if not curves:
            return Plot(RUNS, (), "Choose one run to open it, or several to compare them.")
        width = max(result.system.confinement_length for _, result in found)
        label = f"Density of the {IONS[self.species]} (M)"
        return Plot(RUNS, (Chart(tuple(curves), Z_AXIS, label, DENSITY, width),))


def _curve(run_id: str, result: Any, species: str, shade: float) -> Curve:
    profile = result.profiles.by_species()[species]
    label = f"{run_id[:8]}: {words.describe(result.system)}"
    return Curve(label, profile.z, profile.density, MD, profile.error, species, shade=shade)


def citation(run: Run) -> str:
    """What identifies a run, for a paper: who reads it can make the result again.

    A result that somebody ended early is cited with its own length alone: the length asked for
    would not give it.
    """
    settings = run.settings
    name = f" ({run.name})" if run.name else ""
    return (
        f"Ions in Nanoconfinement, nanoconf {run.version or __version__}, run {run.id}{name}, "
        f"{run.created[:10]}: {words.describe(run.system, full=True)}; {_cited_length(run)}, "
        f"{settings.replicas} replicas, seed {settings.seed}, engine {settings.engine}."
    )


def _cited_length(run: Run) -> str:
    if run.simulated_ns is None:
        return words.length(run.settings)
    simulated = f"{words.run_length(run)} simulated"
    if run.finish_requested:
        return f"{simulated} (ended early)"
    return f"{simulated} (asked for: {words.length(run.settings)})"
