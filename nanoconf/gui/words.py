"""What the page says, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.inputs import SYSTEM
from backend.runs.state import RunState
from nanoconf.gui.fields import FIELDS, WITHOUT_FIELD
from nanoconf.gui.phase import RunPhase

if TYPE_CHECKING:
    from backend.runs.run import Run
    from backend.settings import RunSettings
    from backend.system import InvalidInput, SlitSystem
    from nanoconf.gui.state import MachineLearning, Simulation


def describe(system: SlitSystem, *, full: bool = False) -> str:
    """A system in one line: ``h 3 nm, 1:−1, 0.5 M, d 0.714 nm``.

    Inputs that the page has no fields for follow where they are not the default, or if `full`.
    """
    positive, negative = system.valencies
    sizes = [f"{each:g}" for each in dict.fromkeys(system.diameters)]
    text = (
        f"h {system.confinement_length:g} nm, {positive}:−{-negative}, "
        f"{system.salt_concentration:g} M, d {'/'.join(sizes)} nm"
    )
    if system.surface_charge_density:
        text += f", σ −{-system.surface_charge_density:g} C/m²"
    return ", ".join([text, *without_field(system, full=full)])


def without_field(system: SlitSystem, *, full: bool = False) -> list[str]:
    """What is not the default of the inputs that the page has no fields for; `full`: all."""
    values = {name: getattr(system, name) for name in WITHOUT_FIELD}
    return [
        WITHOUT_FIELD[name].format(value)
        for name, value in values.items()
        if value is not None and (full or value != SYSTEM[name].default)
    ]


def length(settings: RunSettings) -> str:
    """How long a system is simulated."""
    if settings.target_error is None:
        return f"{settings.duration_ns:g} ns"
    return f"to {percent(settings.target_error)}, at most {settings.duration_ns:g} ns"


def run_length(run: Run) -> str:
    """Length of a run: the simulated one where there is a result, else the one asked for."""
    simulated = run.simulated_ns
    return length(run.settings) if simulated is None else nanoseconds(simulated)


def nanoseconds(time: float) -> str:
    """A simulated time, to three digits."""
    return f"{float(f'{time:.3g}'):g} ns"


def duration(seconds: float) -> str:
    """A time in words, no more exact than it is known."""
    if seconds < 1.5:
        return "1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def percent(share: float) -> str:
    """A relative error: two digits, no more."""
    return f"{100 * share:.2g} %"


ENDINGS = {RunPhase.CANCELLING: "Cancelling …", RunPhase.FINISHING: "Finishing …"}
"""Status line of a run that was told to end."""


def status(simulation: Simulation, phase: RunPhase = RunPhase.ACTIVE) -> str:
    """The status line for a simulation in some phase."""
    without = without_field(simulation.system)
    note = f" The page has no input for: {', '.join(without)}." if without else ""
    return _status(simulation, phase) + note


def _status(simulation: Simulation, phase: RunPhase) -> str:
    if simulation.state == RunState.DONE:
        return _done(simulation)
    if simulation.state == RunState.CANCELLED:
        return "Cancelled. What had been simulated stays on screen; Run starts afresh."
    if simulation.state == RunState.FAILED:
        return f"The simulation failed: {simulation.reason}"
    if phase in ENDINGS:
        return ENDINGS[phase]
    if simulation.where:
        return _on_cluster(simulation)
    if simulation.state == RunState.QUEUED:
        return _waiting(simulation.ahead)
    return _running(simulation.progress)


def _waiting(ahead: int) -> str:
    if not ahead:
        return "Waiting for a free processor: it is the next …"
    return f"Waiting for a free processor: {ahead} more before it …"


def _on_cluster(simulation: Simulation) -> str:
    """The status line for a simulation on a cluster: the queue first, then the progress."""
    how = simulation.on_cluster or "on its way"
    if simulation.state == RunState.QUEUED:
        return f"On {simulation.where}: {how} …"
    return f"On {simulation.where}, {how}. {_running(simulation.progress)}"


def _running(progress: Any) -> str:
    if progress is None or progress.phase == "compiling":
        return "Preparing the engine (longer the first time) …"
    if progress.phase == "equilibrating":
        return f"Equilibrating: {progress.fraction:.0%}{_left(progress)}.".replace("%", " %")
    text = f"Simulating: {100 * progress.fraction:.0f} %"
    if progress.median_relative_error:
        text += f", converged to {percent(progress.median_relative_error)} so far"
    return f"{text}{_left(progress)}."


def _left(progress: Any) -> str:
    if progress.seconds_left is None:
        return ""
    return f", about {duration(progress.seconds_left)} left"


def _done(simulation: Simulation) -> str:
    simulated = nanoseconds(simulated_ns(simulation))
    begin = "Stored result" if simulation.stored else "Done"
    text = f"{begin}: {simulated} simulated"
    error = typical_error(simulation)
    if error is not None:
        text += f", {_convergence(simulation, error)}"
    return text + ". See Downloads for the files."


def _convergence(simulation: Simulation, error: float) -> str:
    target = simulation.settings.target_error
    if simulation.result is not None and simulation.result.summary.converged:
        return f"converged to {percent(error)}"
    if target is not None:
        return f"typical error {percent(error)}: not yet converged to {percent(target)}"
    return f"typical error of the profile {percent(error)}"


def simulated_ns(simulation: Simulation) -> float:
    """Production time of a result (ns): shorter than asked for where that was enough."""
    simulated = simulation.result.summary.simulated_ns if simulation.result else None
    return simulation.settings.duration_ns if simulated is None else simulated


def typical_error(simulation: Simulation) -> float | None:
    """Median relative standard error of the profile; None where unknown."""
    if simulation.result is None:
        return None
    return simulation.result.summary.median_relative_error


def milestone(simulation: Simulation) -> str:
    """A line of the log: a run is there, or over."""
    name = f"Run {simulation.run_id[:8]}"
    if simulation.stored and simulation.joined:
        return f"{name}: this system is in the archive already"
    if simulation.joined and simulation.active:
        return f"{name}: the same simulation is {simulation.state} already; watching it"
    if simulation.state in (RunState.FAILED, RunState.CANCELLED):
        return f"{name} {simulation.state}: {simulation.reason}"
    return f"{name} is {simulation.state}"


def mood(simulation: Simulation) -> str:
    """How the status line looks."""
    return {RunState.DONE: "good", RunState.FAILED: "bad", RunState.CANCELLED: "idle"}.get(
        simulation.state, "busy"
    )


def predicted(prediction: MachineLearning) -> str:
    """A prediction is there."""
    return f"Predicted the profiles of both ions in {1000 * prediction.seconds:.0f} ms."


def unlearnt(problems: list[InvalidInput]) -> str:
    """Why the surrogate does not answer, kindly, and what can be done."""
    outside = " and ".join(map(_outside, problems))
    return f"The surrogate has not learnt this yet: {outside}. Run simulates it."


def _outside(problem: InvalidInput) -> str:
    field = FIELDS.get(problem.parameter)
    if field is None:
        return str(problem)
    if problem.parameter == "negative_diameter":
        return "it knows ions of equal diameter only"
    value = f"{field.symbol} = {field.text(float(str(problem.value)))} {field.unit}".rstrip()
    return f"{value} {problem.allowed.split(', the ')[0]}"


def estimate(seconds: float | None) -> str:
    """How long a simulation would take."""
    return "" if seconds is None else f"≈ {duration(seconds)} here"


def one_line(error: BaseException) -> str:
    """An error in one line, without a traceback."""
    text = " ".join(str(error).split())
    return text or type(error).__name__
