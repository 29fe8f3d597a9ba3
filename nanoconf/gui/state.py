"""State of the page, without a single widget.

Panels show it and call its methods; `nanoconf.gui.services` does what takes time and reports back
here. Everything runs on the kernel's main thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Float, TraitError, Tuple, Unicode, UseEnum, validate

from backend.runs.state import RunState
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.inputs import Inputs
from nanoconf.gui.phase import RunPhase
from nanoconf.gui.tabs.registry import POSITIVE, PREDICTION, TABS, Tab

if TYPE_CHECKING:
    from backend.profiles.charge import ChargeProfile
    from backend.profiles.density import SlitProfiles
    from backend.sampling.result import Progress, SimulationResult
    from backend.settings import RunSettings
    from backend.system import SlitSystem

LOG_LINES = 200


@dataclass(frozen=True)
class Simulation:
    """A simulation as the page shows it.

    Attributes
    ----------
    run_id : str
        Its run in the archive.
    system, settings
        What is simulated, and how.
    state : RunState
        State of the run.
    mine : bool
        Whether this browser asked for it.
    joined : bool
        Whether an equal run that was there already answers the request.
    stored : bool
        Whether it was done before anybody on this page asked.
    progress : Progress or None
        How far it is.
    ahead : int
        Runs that wait before it for a free processor.
    profiles : SlitProfiles or None
        The profile so far, or the result's.
    charge : ChargeProfile or None
        What they say about charge and potential.
    result : SimulationResult or None
        The result, once it is done.
    files : dict of str to str
        Text of each file of the result, by name.
    reason : str
        Why it failed or was cancelled.
    where : str
        The cluster that it runs on; empty for this computer.
    on_cluster : str
        How it is there, as in ``pending: Priority``.
    """

    run_id: str
    system: SlitSystem
    settings: RunSettings
    state: RunState = RunState.QUEUED
    mine: bool = True
    joined: bool = False
    stored: bool = False
    progress: Progress | None = None
    ahead: int = 0
    profiles: SlitProfiles | None = None
    charge: ChargeProfile | None = None
    result: SimulationResult | None = None
    files: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    where: str = ""
    on_cluster: str = ""

    @property
    def active(self) -> bool:
        """Whether the run is waiting or running."""
        return self.state.active


@dataclass(frozen=True)
class MachineLearning:
    """A prediction as the page shows it.

    Attributes
    ----------
    system : SlitSystem
        What was predicted.
    profiles : SlitProfiles
        The profiles; their errors are the model's.
    charge : ChargeProfile
        What they say about charge and potential.
    seconds : float
        From click to curve.
    """

    system: SlitSystem
    profiles: SlitProfiles
    charge: ChargeProfile
    seconds: float


@dataclass(frozen=True)
class MeanField:
    """What Poisson-Boltzmann theory says, as the page shows it.

    Attributes
    ----------
    system : SlitSystem
        The system.
    profiles : SlitProfiles
        The profiles.
    charge : ChargeProfile
        What they say about charge and potential.
    """

    system: SlitSystem
    profiles: SlitProfiles
    charge: ChargeProfile


@dataclass(frozen=True)
class Offer:
    """A simulation in progress that this page may watch."""

    run_id: str
    system: SlitSystem
    state: RunState
    fraction: float


class AppState(Inputs):
    """Inputs, simulation and prediction, and what the page says about them.

    Parameters
    ----------
    tabs : iterable of Tab
        The tabs of the page, in order.

    Attributes
    ----------
    tabs : dict of str to Tab
        The same, by title.
    """

    cluster_mode = Bool(False)
    cluster_note = Unicode()
    # Names that may be chosen, and the one that is; what was typed for cores and minutes, empty
    # where the estimate stands; what is asked for; why that is too much.
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
    # Why there is no prediction for the inputs on screen; empty where there is one.
    unlearnt = Unicode()
    # The surrogate's card once it is loaded, and why it cannot be.
    model = AnyTrait(None, allow_none=True)
    model_problem = Unicode()

    mean_field_wanted = Bool(False)
    mean_field = AnyTrait(None, allow_none=True)

    tab = Unicode(PREDICTION)
    # What makes the figures that have been looked at, by tab.
    drawn = Dict()
    # Room for a figure (CSS pixels), and whether the browser's user prefers a dark page.
    stage = Tuple((0, 0))
    dark = Bool(False)
    status = Unicode("Ready.")
    mood = Unicode("idle")  # idle, busy, good, bad
    log = Tuple()
    worker_log = Tuple()
    offers = Tuple()

    def __init__(self, tabs: Iterable[Tab] = TABS, **kwargs: Any):
        self.tabs = {tab.title: tab for tab in tabs}
        super().__init__(**kwargs)
        self.observe(self._mark_stale, "values")

    # --- what is seen -----------------------------------------------------------------------

    @validate("tab")
    def _known_tab(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self.tabs:
            raise TraitError(f"there is no tab {proposal['value']!r}")
        return proposal["value"]

    @property
    def shown_tab(self) -> Tab:
        """The tab that is seen."""
        return self.tabs[self.tab]

    def look(self, memory: dict[str, Any]) -> None:
        """Look as before the page was loaded again; anything unknown is left out."""
        if memory.get("tab") in list(self.tabs):
            self.tab = memory["tab"]
        self.dark = bool(memory.get("dark"))
        self.mean_field_wanted = bool(memory.get("mean_field_wanted"))

    def look_at_simulation(self) -> None:
        """Turn to a tab where a simulation is seen."""
        if not self.shown_tab.with_simulation:
            self.tab = POSITIVE

    # --- which of it belongs to the inputs ----------------------------------------------------

    @property
    def has_result(self) -> bool:
        """Whether a result of the inputs on screen is shown, or on its way."""
        shown = self.simulation
        fresh = shown is not None and shown.result is not None and self.is_current(shown.system)
        return fresh or self.simulating

    @property
    def theory(self) -> MeanField | None:
        """Mean-field theory of the inputs on screen, where it is wanted and known."""
        found = self.mean_field if self.mean_field_wanted else None
        return found if found is not None and self.is_current(found.system) else None

    def _mark_stale(self, _change: Any = None) -> None:
        self.simulation_stale = self._is_stale(self.simulation)
        self.prediction_stale = self._is_stale(self.prediction)

    def _is_stale(self, shown: Simulation | MachineLearning | None) -> bool:
        return shown is not None and not self.is_current(shown.system)

    # --- simulating -------------------------------------------------------------------------

    @property
    def simulating(self) -> bool:
        """Whether a simulation is being asked for, waits or runs."""
        return self.phase is not RunPhase.IDLE

    @property
    def runnable(self) -> bool:
        """Whether the inputs, and what is asked of the cluster, can be used."""
        return self.valid and not (self.cluster_mode and self.cluster_problem)

    def type_for_cluster(self, name: str, text: str) -> None:
        """A user typed cores or minutes; nothing, or the estimate itself, is the estimate."""
        asked = str(self.cluster_asked.get(name, ""))
        if not self.cluster_typed[name] and text.strip() == asked:
            return
        self.cluster_typed = {**self.cluster_typed, name: text.strip()}

    def start(self) -> None:
        """Run was pressed."""
        with self.hold_trait_notifications():
            self.phase, self.worker_log = RunPhase.STARTING, ()
            self.look_at_simulation()
        self.say("Starting the simulation …", "busy")
        self.note(f"Run: {words.describe(self.system)}, {words.length(self.settings)}")

    def show(self, simulation: Simulation) -> None:
        """A run is there, has come further or is over."""
        before = None if self.phase is RunPhase.STARTING else self.simulation
        same_run = before is not None and before.run_id == simulation.run_id
        with self.hold_trait_notifications():
            self.phase = self.phase.reported(active=simulation.active, same_run=same_run)
            self.simulation = simulation
            self._mark_stale()
        changed = before is None or not same_run or before.state != simulation.state
        if changed:
            self.note(words.milestone(simulation))
        # A question stands until it is answered.
        if changed or (simulation.active and self.phase is not RunPhase.CONFIRMING):
            self.say(words.status(simulation, self.phase), words.mood(simulation))

    def ask_before_cancelling(self) -> None:
        """Cancel was pressed for a simulation that somebody else may wait for."""
        self.phase = RunPhase.CONFIRMING
        self.say(
            "This simulation was started in another browser. "
            "Press Cancel once more to end it for everybody.",
            "bad",
        )

    def cancel_requested(self) -> None:
        """Cancel was pressed, and the run is being ended."""
        self.phase = RunPhase.CANCELLING
        self.say("Cancelling …", "busy")

    def finish_requested(self) -> None:
        """The simulation is good enough, and is being brought to its end."""
        self.phase = RunPhase.FINISHING
        self.say("Finishing with what has been simulated …", "busy")

    def leave(self) -> None:
        """Stop watching a simulation, which goes on."""
        with self.hold_trait_notifications():
            self.phase, self.simulation, self.worker_log = RunPhase.IDLE, None, ()
            self._mark_stale()
        self.say("Ready.")

    # --- predicting -------------------------------------------------------------------------

    def ask_prediction(self) -> None:
        """Predict using ML was pressed."""
        self.predicting = True
        if not self.shown_tab.with_prediction:
            self.tab = PREDICTION
        self.note(f"Predict using ML: {words.describe(self.system)}")

    def predicted(self, prediction: MachineLearning, *, asked: bool = True) -> None:
        """The network has answered, because somebody asked or because the inputs changed."""
        self._answered(prediction, "")
        if not asked:
            return
        message = words.predicted(prediction)
        self.note(message)
        if not self.simulating:
            self.say(message, "good")

    def not_predicted(self, reason: str, *, asked: bool = True) -> None:
        """The network cannot answer."""
        self._answered(None, reason)
        if not asked:
            return
        self.note(reason)
        self.say(reason, "bad")

    def _answered(self, prediction: MachineLearning | None, why_not: str) -> None:
        with self.hold_trait_notifications():
            self.predicting = False
            self.prediction, self.unlearnt = prediction, why_not
            self._mark_stale()

    # --- words ------------------------------------------------------------------------------

    def say(self, text: str, mood: str = "idle") -> None:
        """Set the status line."""
        with self.hold_trait_notifications():
            self.status, self.mood = text, mood

    @property
    def status_line(self) -> tuple[str, str]:
        """What the status line says, and its mood: why the buttons are off goes first."""
        if self.valid or self.simulating:
            return self.status, self.mood
        refused = " and ".join(FIELDS[name].title for name in self.problems)
        return f"Run and Predict are off until this is mended: {refused}.", "bad"

    def note(self, line: str) -> None:
        """Add a line to the log."""
        self.log = (*self.log, f"{time.strftime('%H:%M:%S')}  {line}")[-LOG_LINES:]

    def fail(self, what: str) -> None:
        """Something went wrong; the user reads what, and what to do."""
        with self.hold_trait_notifications():
            active = self.simulation is not None and self.simulation.active
            self.phase, self.predicting = self.phase.failed(active=active), False
        self.note(what)
        self.say(what, "bad")
