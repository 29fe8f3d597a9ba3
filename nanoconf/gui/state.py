"""State of the page, without widgets.

Panels display the state and call its methods. `nanoconf.gui.services` runs the slow work in threads
and reports back. All methods run on the kernel's main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Enum, Float, TraitError, Tuple, Unicode, UseEnum, validate

from backend.engines import registry
from backend.runs.run_state import RunState
from nanoconf.gui import words
from nanoconf.gui.entered_inputs import Inputs, texts_of
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.phase import RunPhase
from nanoconf.gui.services.identity import Submitter
from nanoconf.gui.status import Status, current_status, outcome
from nanoconf.gui.tabs.registry import POSITIVE, PREDICTION, RENAMED, TABS, Tab

if TYPE_CHECKING:
    from backend.keeper.open_runs import Wait
    from backend.profiles.charge import ChargeProfile
    from backend.profiles.density import SlitProfiles
    from backend.sampling.result import Progress, SimulationResult
    from backend.settings import RunSettings
    from backend.system import SlitSystem
    from nanoconf.gui.links import Link

LOG_LINES = 200

MINE, EVERYONE = "Mine", "Everyone"
"""Runs of this browser, and runs of all browsers and commands."""


@dataclass(frozen=True)
class Simulation:
    """A simulation on the page.

    Attributes
    ----------
    run_id : str
        ID of its run in the archive.
    system : SlitSystem
        The simulated system.
    settings : RunSettings
        The settings of the run.
    state : RunState
        State of the run.
    submitter : Submitter
        Its submitter.
    read_only : bool
        True if it was opened from a link, so that it can only be watched.
    joined : bool
        True if the request joined an identical run that already existed.
    stored : bool
        True if it was done before it was requested on this page.
    progress : Progress or None
        Its progress; None before it starts and when it is done.
    wait : Wait or None
        Its place in the line for a free processor; None if it is not queued, or not known yet.
    profiles : SlitProfiles or None
        The profiles so far, or those of the result.
    charge : ChargeProfile or None
        The charge density and potential that follow from the profiles.
    result : SimulationResult or None
        The result, once it is done.
    files : dict of str to str
        Text of each file of the result, by name.
    reason : str
        Reason why it failed or was cancelled.
    where : str
        The cluster that it runs on; empty for this computer.
    on_cluster : str
        Its status on the cluster, e.g. ``pending: Priority``.
    obstacle : str
        Reason why the run can neither start nor save its progress, and what to do; usually empty.
    """

    run_id: str
    system: SlitSystem
    settings: RunSettings
    state: RunState = RunState.QUEUED
    submitter: Submitter = Submitter.HERE
    read_only: bool = False
    joined: bool = False
    stored: bool = False
    progress: Progress | None = None
    wait: Wait | None = None
    profiles: SlitProfiles | None = None
    charge: ChargeProfile | None = None
    result: SimulationResult | None = None
    files: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    where: str = ""
    on_cluster: str = ""
    obstacle: str = ""

    @property
    def active(self) -> bool:
        """True if the run is queued or running."""
        return self.state.active

    @property
    def mine(self) -> bool:
        """True if this browser submitted it."""
        return self.submitter is Submitter.HERE


@dataclass(frozen=True)
class MachineLearning:
    """A prediction on the page.

    Attributes
    ----------
    system : SlitSystem
        The predicted system.
    profiles : SlitProfiles
        The profiles, with the errors of the model.
    charge : ChargeProfile
        The charge density and potential that follow from the profiles.
    seconds : float
        Time from the request to the prediction (s).
    """

    system: SlitSystem
    profiles: SlitProfiles
    charge: ChargeProfile
    seconds: float


@dataclass(frozen=True)
class MeanField:
    """Profiles of Poisson-Boltzmann theory on the page.

    Attributes
    ----------
    system : SlitSystem
        The system.
    profiles : SlitProfiles
        The profiles.
    charge : ChargeProfile
        The charge density and potential that follow from the profiles.
    """

    system: SlitSystem
    profiles: SlitProfiles
    charge: ChargeProfile


@dataclass(frozen=True)
class Offer:
    """A running simulation that this page can watch."""

    run_id: str
    system: SlitSystem
    state: RunState
    fraction: float


class AppState(Inputs):
    """Inputs, simulation, prediction and messages of the page.

    Parameters
    ----------
    tabs : iterable of Tab
        The tabs of the page, in order.

    Attributes
    ----------
    tabs : dict of str to Tab
        The tabs by title.
    """

    engines = Tuple((registry.DEFAULT,))  # names of the engines that can be used here
    cluster_mode = Bool(False)
    cluster_note = Unicode()
    # Names of the available clusters and the chosen one; typed cores and minutes, empty to use the
    # estimates; the resources to request; the reason why they are refused.
    clusters = Tuple()
    cluster = Unicode()
    cluster_typed = Dict({"cores": "", "minutes": ""})
    cluster_asked = Dict()
    cluster_problem = Unicode()
    estimate = Float(None, allow_none=True)

    simulation = AnyTrait(None, allow_none=True)
    simulation_stale = Bool(False)
    phase = UseEnum(RunPhase, RunPhase.IDLE)

    prediction = AnyTrait(None, allow_none=True)
    prediction_stale = Bool(False)
    predicting = Bool(False)
    # The system for which Predict using ML was pressed last; None since the last news of a run.
    prediction_asked = AnyTrait(None, allow_none=True)
    # Reason why there is no prediction for the inputs; empty if there is one.
    prediction_problem = Unicode()
    # The card of the surrogate once it is loaded, or the reason why loading failed.
    model = AnyTrait(None, allow_none=True)
    model_problem = Unicode()

    mean_field_wanted = Bool(False)
    mean_field = AnyTrait(None, allow_none=True)

    tab = Unicode(PREDICTION)
    # The chosen figure of each tab that has several.
    figures = Dict()
    # Functions that make the figures displayed so far, by title.
    drawn = Dict()
    # Space for a figure (CSS pixels); True for the dark theme.
    stage = Tuple((0, 0))
    dark = Bool(False)
    # The runs that the Runs tab lists.
    whose_runs = Enum((MINE, EVERYONE), EVERYONE)
    # The outcome of the last request, until the inputs or the run change: a `Status` or None.
    notice = AnyTrait(None, allow_none=True)
    # One line for each part of the link that was ignored, until the inputs or the run change.
    link_problems = Tuple()
    log = Tuple()
    worker_log = Tuple()
    offers = Tuple()
    # The open lesson and the student's answers: see `nanoconf.gui.tabs.lessons.model`.
    lessons = Dict()

    def __init__(self, tabs: Iterable[Tab] = TABS, **kwargs: Any):
        self.tabs = {tab.title: tab for tab in tabs}
        super().__init__(**kwargs)
        self.figures = {title: tab.figures[0] for title, tab in self.tabs.items() if tab.figures}
        self.observe(self._inputs_changed, "texts")
        self.observe(self._mark_stale, "values")
        # Sends a file to the browser, given its name, content and media type.
        self.deliver: Callable[[str, bytes, str], None] = lambda _name, _content, _kind: None

    # --- tabs and appearance ----------------------------------------------------------------

    @validate("tab")
    def _known_tab(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self.tabs:
            raise TraitError(f"there is no tab {proposal['value']!r}")
        return proposal["value"]

    @property
    def shown_tab(self) -> Tab:
        """The selected tab."""
        return self.tabs[self.tab]

    @property
    def shown_figure(self) -> str:
        """Title of the figure on the selected tab."""
        return self.figures.get(self.tab, self.tab)

    @property
    def linked_view(self) -> str:
        """Title of the selected tab for a link, or of its figure unless that is the first."""
        figures = self.shown_tab.figures
        return self.shown_figure if self.shown_figure in figures[1:] else self.tab

    def choose_figure(self, title: str) -> None:
        """Choose a figure of a tab that has several; other titles are ignored."""
        for tab in self.tabs.values():
            if title in tab.figures:
                self.figures = {**self.figures, tab.title: title}

    def restore_view(self, memory: dict[str, Any]) -> None:
        """Restore the tab and the appearance that the browser stored; ignore unknown values."""
        figures = memory.get("figures")
        for title in figures.values() if isinstance(figures, dict) else ():
            self.choose_figure(str(title))
        self.open_tab(str(memory.get("tab")))
        self.dark = bool(memory.get("dark"))
        if memory.get("whose_runs") in (MINE, EVERYONE):
            self.whose_runs = memory["whose_runs"]
        self.mean_field_wanted = bool(memory.get("mean_field_wanted"))
        if isinstance(memory.get("lessons"), dict):
            self.lessons = memory["lessons"]

    def open_link(self, link: Link, *, keep: bool = False) -> None:
        """Set the inputs and the tab to those of a link.

        Parameters
        ----------
        link : Link
            The link.
        keep : bool
            Keep the inputs that it does not give; otherwise they get their defaults.
        """
        defaults = {name: each.text(each.default) for name, each in FIELDS.items()}
        held = {name: defaults[name] for name in (*link.fixed, *link.hidden)}
        self.replace_all({**(held if keep else defaults), **link.texts})
        self.hold(link.fixed, link.hidden)
        if link.tab:
            self.open_tab(link.tab)
        elif link.run:
            self.show_simulation_tab()
        self.report_link(*link.problems)

    def choose_linked(self, system: SlitSystem) -> None:
        """Set the inputs to those of the run of a link, also those that the link fixes."""
        problems = self.link_problems
        self.replace_all(texts_of(system))
        self.link_problems = problems

    def open_tab(self, title: str) -> None:
        """Select a tab by its title, its former title, or the title of one of its figures."""
        title = RENAMED.get(title, title)
        self.choose_figure(title)
        for tab in self.tabs.values():
            if title in (tab.title, *tab.figures):
                self.tab = tab.title

    def show_prediction_tab(self) -> None:
        """Select a tab that shows a prediction."""
        if not self.shown_tab.with_prediction:
            self.tab = PREDICTION

    def show_simulation_tab(self) -> None:
        """Select a tab that shows a simulation."""
        if not self.shown_tab.with_simulation:
            self.tab = POSITIVE

    # --- results for the inputs ---------------------------------------------------------------

    @property
    def has_result(self) -> bool:
        """True if the result for the inputs is on screen, or a simulation is in progress."""
        shown = self.simulation
        fresh = shown is not None and shown.result is not None and self.is_current(shown.system)
        return fresh or self.simulating

    @property
    def theory(self) -> MeanField | None:
        """Mean-field theory for the inputs; None if it is off or not computed yet."""
        found = self.mean_field if self.mean_field_wanted else None
        return found if found is not None and self.is_current(found.system) else None

    def is_stale(self, shown: Simulation | MachineLearning | None) -> bool:
        """Return True if a result or prediction is not for the inputs."""
        return shown is not None and not self.is_current(shown.system)

    def _mark_stale(self, _change: Any = None) -> None:
        self.simulation_stale = self.is_stale(self.simulation)
        self.prediction_stale = self.is_stale(self.prediction)

    # --- simulating -------------------------------------------------------------------------

    @property
    def simulating(self) -> bool:
        """True if a simulation is starting, queued or running."""
        return self.phase is not RunPhase.IDLE

    @property
    def can_finish(self) -> bool:
        """True if the simulation in progress can be asked to end early with a result."""
        shown = self.simulation
        if shown is None or shown.where or not self.phase.allows(RunPhase.FINISHING):
            return False
        return registry.get(shown.settings.engine).resumable

    @property
    def runnable(self) -> bool:
        """True if the inputs and the resources requested of the cluster are valid."""
        return self.valid and not (self.cluster_mode and self.cluster_problem)

    def type_for_cluster(self, name: str, text: str) -> None:
        """Set the cores or minutes; empty text or the estimate itself selects the estimate."""
        asked = str(self.cluster_asked.get(name, ""))
        if not self.cluster_typed[name] and text.strip() == asked:
            return
        self.cluster_typed = {**self.cluster_typed, name: text.strip()}

    def start(self) -> None:
        """Enter the starting phase: Run was pressed."""
        with self.hold_trait_notifications():
            self.phase, self.worker_log = RunPhase.STARTING, ()
            self.notice, self.link_problems = None, ()
            self.show_simulation_tab()
        self.append_log(f"Run: {words.describe(self.system)}, {words.length(self.settings)}")

    def show(self, simulation: Simulation) -> None:
        """Display a report on a run."""
        before = None if self.phase is RunPhase.STARTING else self.simulation
        same_run = before is not None and before.run_id == simulation.run_id
        with self.hold_trait_notifications():
            self.phase = self.phase.reported(active=simulation.active, same_run=same_run)
            self.simulation = simulation
            self._mark_stale()
            if before is None or not same_run or before.state != simulation.state:
                self._changed_state(simulation)

    def _changed_state(self, simulation: Simulation) -> None:
        self.notice, self.prediction_asked = outcome(self), None
        self.append_log(words.milestone(simulation))

    def cancel_requested(self) -> None:
        """Enter the cancelling phase."""
        self._enter(RunPhase.CANCELLING)

    def finish_requested(self) -> None:
        """Enter the finishing phase."""
        self._enter(RunPhase.FINISHING)

    def _enter(self, phase: RunPhase) -> None:
        with self.hold_trait_notifications():
            self.phase, self.notice = phase, None

    def detach(self) -> None:
        """Stop displaying a simulation, which continues to run."""
        with self.hold_trait_notifications():
            self.phase, self.simulation, self.worker_log = RunPhase.IDLE, None, ()
            self.notice = None
            self._mark_stale()

    # --- predicting -------------------------------------------------------------------------

    def prediction_requested(self) -> None:
        """Select a tab with predictions: Predict using ML was pressed."""
        with self.hold_trait_notifications():
            self.predicting, self.prediction_asked = True, self.system
            self.notice, self.link_problems = None, ()
        self.show_prediction_tab()
        self.append_log(f"Predict using ML: {words.describe(self.system)}")

    def predicted(self, prediction: MachineLearning, *, requested: bool = True) -> None:
        """Display a prediction; report it if `requested` by the user.

        A prediction that only follows a change in the inputs is not reported.
        """
        self._set_prediction(prediction, "")
        if requested:
            self.append_log(words.predicted(prediction))

    def not_predicted(self, reason: str, *, requested: bool = True) -> None:
        """Display the reason for a missing prediction; report it if `requested` by the user."""
        asked = self.prediction_asked
        with self.hold_trait_notifications():
            self._set_prediction(None, reason)
            # The inputs may have changed in the meantime.
            if requested and asked is not None and self.is_current(asked):
                self.notice = Status(reason, "bad")
        if requested:
            self.append_log(reason)

    def _set_prediction(self, prediction: MachineLearning | None, problem: str) -> None:
        with self.hold_trait_notifications():
            self.predicting = False
            self.prediction, self.prediction_problem = prediction, problem
            self._mark_stale()

    # --- messages ---------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """The status line."""
        return current_status(self).text

    @property
    def mood(self) -> str:
        """Mood of the status line."""
        return current_status(self).mood

    def _inputs_changed(self, _change: Any) -> None:
        self.notice, self.link_problems = None, ()

    def append_log(self, line: str) -> None:
        """Add a line to the log."""
        self.log = (*self.log, f"{time.strftime('%H:%M:%S')}  {line}")[-LOG_LINES:]

    def report_link(self, *problems: str) -> None:
        """Report parts of the link that were ignored."""
        self.link_problems = (*self.link_problems, *problems)
        for problem in problems:
            self.append_log(problem)

    def report_kept(self, names: list[str]) -> None:
        """Report the inputs that were to be changed, but are fixed or hidden by the link."""
        self.notice = Status(words.kept(names))
        self.append_log(words.kept(names))

    def report_problem(self, problem: str) -> None:
        """Report a problem in the log and, until the inputs change, on the status line.

        Unlike a failure, it ends no request.
        """
        self.append_log(problem)
        self.notice = Status(problem, "bad")

    def report_failure(self, message: str) -> None:
        """Report a failure in the log and on the status line, and drop pending requests."""
        with self.hold_trait_notifications():
            active = self.simulation is not None and self.simulation.active
            self.phase, self.predicting = self.phase.failed(active=active), False
            self.notice = Status(message, "bad")
        self.append_log(message)
