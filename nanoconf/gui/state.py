"""What the page knows, without a single widget.

Panels show it and call its methods; `nanoconf.gui.work` does what takes time and reports back here.
Everything runs on the kernel's main thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Float, HasTraits, Int, Tuple, Unicode

from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS, Refused

if TYPE_CHECKING:
    from backend.profiles import SlitProfiles
    from backend.result import Progress, SimulationResult

TABS = ("Positive Ion Density", "Negative Ion Density", "Prediction Graph", "Downloads")
LOG_LINES = 200

ACTIVE = ("queued", "running")
FINISHED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Simulation:
    """A simulation as the page shows it.

    Attributes
    ----------
    run_id : str
        Its run in the archive.
    system, settings
        What is simulated, and how.
    state : str
        State of the run; empty between the click and the archive's answer.
    mine : bool
        Whether this browser asked for it.
    joined : bool
        Whether an equal run that was there already answers the request.
    progress : Progress or None
        How far it is.
    profiles : SlitProfiles or None
        The profile so far, or the result's.
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
    state: str = "queued"
    mine: bool = True
    joined: bool = False
    progress: Progress | None = None
    profiles: SlitProfiles | None = None
    result: SimulationResult | None = None
    files: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    where: str = ""
    on_cluster: str = ""

    @property
    def active(self) -> bool:
        """Whether the run is waiting or running."""
        return self.state in ACTIVE


@dataclass(frozen=True)
class MachineLearning:
    """A prediction as the page shows it.

    Attributes
    ----------
    system : SlitSystem
        What was predicted.
    positive, negative : DensityProfile or None
        The profiles; None for an ion that the model has not learnt.
    files : dict of str to str
        Text of each file of the prediction, by name.
    seconds : float
        From click to curve.
    """

    system: SlitSystem
    positive: Any
    negative: Any
    files: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Offer:
    """A simulation in progress that this page may watch."""

    run_id: str
    system: SlitSystem
    state: str
    fraction: float


class AppState(HasTraits):
    """Inputs, what runs, what came out."""

    # What was typed, as it was typed; what it means; why it cannot be used.
    texts = Dict()
    values = Dict()
    problems = Dict()
    valid = Bool(True)

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
    starting = Bool(False)
    cancelling = Bool(False)
    confirm_cancel = Bool(False)

    prediction = AnyTrait(None, allow_none=True)
    prediction_stale = Bool(False)
    predicting = Bool(False)
    model = AnyTrait(None, allow_none=True)

    tab = Int(TABS.index("Prediction Graph"))
    status = Unicode("Ready.")
    mood = Unicode("idle")  # idle, busy, good, bad
    log = Tuple()
    worker_log = Tuple()
    offers = Tuple()

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._read_inputs({name: field.text(field.default) for name, field in FIELDS.items()})

    # --- inputs -----------------------------------------------------------------------------

    def type(self, name: str, text: str) -> None:
        """A user typed this into one of the fields."""
        if self.texts[name] != text:
            self._read_inputs({**self.texts, name: text})

    def restore(self, texts: dict[str, Any]) -> None:
        """What was typed before the page was loaded again; anything else is left out."""
        known = {name: str(text) for name, text in texts.items() if name in FIELDS}
        self._read_inputs({**self.texts, **known})

    def _read_inputs(self, texts: dict[str, str]) -> None:
        values: dict[str, float | None] = {}
        problems: dict[str, str] = {}
        for name, each in FIELDS.items():
            try:
                values[name] = each.parse(texts[name])
            except Refused as refusal:
                values[name], problems[name] = None, str(refusal)
        if not problems:
            problems = _combination_problems(values)
        with self.hold_trait_notifications():
            self.texts, self.values, self.problems = texts, values, problems
            self.valid = not problems
            self._mark_stale()

    @property
    def system(self) -> SlitSystem:
        """The system at the left; only where `valid`."""
        return _system(self.values)

    @property
    def settings(self) -> RunSettings:
        """How it is to be simulated; only where `valid`."""
        return RunSettings(duration_ns=self.values["duration_ns"])

    def _mark_stale(self) -> None:
        current = self.system if self.valid else None
        shown, predicted = self.simulation, self.prediction
        self.simulation_stale = shown is not None and shown.system != current
        self.prediction_stale = predicted is not None and predicted.system != current

    # --- simulating -------------------------------------------------------------------------

    @property
    def simulating(self) -> bool:
        """Whether a simulation is being asked for, waits or runs."""
        return self.starting or (self.simulation is not None and self.simulation.active)

    def start(self) -> None:
        """Run was pressed."""
        with self.hold_trait_notifications():
            self.starting, self.cancelling, self.confirm_cancel = True, False, False
            self.worker_log = ()
            self.look_at_densities()
        self.say("Starting the simulation …", "busy")
        self.note(f"Run: {words.describe(self.system)}, {self.settings.duration_ns:g} ns")

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

    def look_at_densities(self) -> None:
        """Turn to a tab where a simulation is seen."""
        if TABS[self.tab] not in TABS[:2]:
            self.tab = 0

    def show(self, simulation: Simulation) -> None:
        """A run is there, has come further or is over."""
        before = None if self.starting else self.simulation
        with self.hold_trait_notifications():
            self.starting = False
            self.simulation = simulation
            if not simulation.active:
                self.cancelling, self.confirm_cancel = False, False
            self._mark_stale()
        changed = before is None or (before.run_id, before.state) != (
            simulation.run_id,
            simulation.state,
        )
        if changed:
            self.note(words.milestone(simulation))
        # A question stands until it is answered.
        if changed or (simulation.active and not self.confirm_cancel):
            self.say(words.status(simulation, cancelling=self.cancelling), words.mood(simulation))

    def cancel_requested(self) -> None:
        """Cancel was pressed, and the run is being ended."""
        self.cancelling, self.confirm_cancel = True, False
        self.say("Cancelling …", "busy")

    def ask_before_cancelling(self) -> None:
        """Cancel was pressed for a simulation that somebody else may wait for."""
        self.confirm_cancel = True
        self.say(
            "This simulation was started in another browser. "
            "Press Cancel once more to end it for everybody.",
            "bad",
        )

    def leave(self) -> None:
        """Stop watching a simulation, which goes on."""
        with self.hold_trait_notifications():
            self.simulation, self.starting, self.cancelling = None, False, False
            self.confirm_cancel, self.worker_log = False, ()
            self._mark_stale()
        self.say("Ready.")

    # --- predicting -------------------------------------------------------------------------

    def ask_prediction(self) -> None:
        """Predict using ML was pressed."""
        self.predicting = True
        if self.tab == TABS.index("Downloads"):
            self.tab = TABS.index("Prediction Graph")
        self.note(f"Predict using ML: {words.describe(self.system)}")

    def predicted(self, prediction: MachineLearning) -> None:
        """The network has answered."""
        with self.hold_trait_notifications():
            self.predicting = False
            self.prediction = prediction
            self._mark_stale()
        message = words.predicted(prediction)
        self.note(message)
        if not self.simulating:
            self.say(message, "good")

    def not_predicted(self, reason: str) -> None:
        """The network cannot answer."""
        self.predicting = False
        self.note(reason)
        self.say(reason, "bad")

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
            self.starting, self.predicting, self.cancelling = False, False, False
        self.note(what)
        self.say(what, "bad")


def _system(values: dict[str, Any]) -> SlitSystem:
    return SlitSystem(**{name: value for name, value in values.items() if name != "duration_ns"})


def _combination_problems(values: dict[str, Any]) -> dict[str, str]:
    """What the engine objects to though each number alone is allowed."""
    try:
        _system(values)
        RunSettings(duration_ns=values["duration_ns"])
    except InvalidInput as refusal:
        name = refusal.parameter if refusal.parameter in FIELDS else "confinement_length"
        each = FIELDS[name]
        return {name: f"{each.title} = {each.text(values[name])}: {refusal.allowed}"}
    return {}
