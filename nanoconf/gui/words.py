"""Text on the page: descriptions, status lines and log lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from backend.engines.run_time import in_words as duration
from backend.inputs import SYSTEM
from backend.runs.run_state import RunState
from nanoconf.gui.fields import FIELDS, WITHOUT_FIELD
from nanoconf.gui.phase import RunPhase
from nanoconf.gui.services.identity import Submitter

if TYPE_CHECKING:
    from backend.inputs import Range
    from backend.keeper.open_runs import Wait
    from backend.runs.run import Run
    from backend.settings import RunSettings
    from backend.system import InvalidInput, SlitSystem
    from nanoconf.gui.state import MachineLearning, Simulation
    from nanoconf.surrogate.domain import Domain


def describe(system: SlitSystem, *, full: bool = False) -> str:
    """Describe a system in one line: ``h 3 nm, 1:−1, 0.5 M, d 0.714 nm``.

    Inputs without a field on the page follow if they differ from the default, or if `full` is True.
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
    """Describe the inputs without a field that differ from the default; all if `full` is True."""
    values = {name: getattr(system, name) for name in WITHOUT_FIELD}
    return [
        WITHOUT_FIELD[name].format(value)
        for name, value in values.items()
        if value is not None and (full or value != SYSTEM[name].default)
    ]


def length(settings: RunSettings) -> str:
    """Describe the requested length of a simulation."""
    if settings.target_error is None:
        return f"{settings.duration_ns:g} ns"
    target = percent(settings.target_error)
    return f"until the error is {target}, at most {settings.duration_ns:g} ns"


def run_length(run: Run) -> str:
    """Describe the length of a run: as simulated if it has a result, else as requested."""
    simulated = run.simulated_ns
    return length(run.settings) if simulated is None else nanoseconds(simulated)


def nanoseconds(time: float) -> str:
    """Format a simulated time with three significant digits."""
    return f"{float(f'{time:.3g}'):g} ns"


def percent(share: float) -> str:
    """Format a relative error with two significant digits."""
    return f"{100 * share:.2g} %"


ENDINGS = {
    RunPhase.CANCELLING: "Cancelling …",
    RunPhase.FINISHING: "Finishing: keeping the result so far …",
}
"""Status line of a run that was asked to stop."""


def status(
    simulation: Simulation, phase: RunPhase = RunPhase.ACTIVE, *, stale: bool = False
) -> str:
    """Return the status line of a simulation.

    Parameters
    ----------
    simulation : Simulation
        The simulation.
    phase : RunPhase
        Its phase on the page, while it is queued or running.
    stale : bool
        True if it is over and the inputs are different now.
    """
    without = without_field(simulation.system)
    note = f" Inputs not shown on the page: {', '.join(without)}." if without else ""
    return _status(simulation, phase, stale) + note


def _status(simulation: Simulation, phase: RunPhase, stale: bool) -> str:
    if simulation.state == RunState.DONE:
        return _done(simulation, stale)
    if simulation.state == RunState.CANCELLED:
        return _cancelled(simulation, stale)
    if simulation.state == RunState.FAILED:
        return f"The simulation failed: {simulation.reason}"
    if phase in ENDINGS:
        return ENDINGS[phase]
    if simulation.obstacle:
        return f"Waiting: {simulation.obstacle}."
    if simulation.where:
        return _on_cluster(simulation)
    if simulation.state == RunState.QUEUED:
        return _waiting(simulation.wait, simulation.progress)
    return _running(simulation.progress)


def spoken(simulation: Simulation, phase: RunPhase = RunPhase.ACTIVE) -> str:
    """Return the status of an active simulation for screen readers.

    It consists of the phase and of the progress in steps of 25 %.
    """
    if phase in ENDINGS:
        return ENDINGS[phase]
    if simulation.obstacle:
        return f"Waiting: {simulation.obstacle}"
    where = f"On {simulation.where}: " if simulation.where else ""
    if simulation.state == RunState.QUEUED:
        return f"{where}waiting in the queue" if where else "Waiting for a free processor"
    progress = simulation.progress
    if progress is None or progress.phase == "compiling":
        return f"{where}preparing the engine" if where else "Preparing the engine"
    text = "equilibrating" if progress.phase == "equilibrating" else "simulating"
    return f"{where}{text if where else text.capitalize()}{_quarter(progress)}"


def _quarter(progress: Any) -> str:
    quarters = int(4 * progress.fraction)
    return f": {25 * quarters} %" if 0 < quarters < 4 else ""


def _cancelled(simulation: Simulation, stale: bool) -> str:
    progress = simulation.progress
    if progress is None or progress.phase == "compiling":
        return "Cancelled before it started."
    if simulation.profiles is None:
        return "Cancelled before the first profile."
    if stale:
        return "Cancelled. The partial profile stays on screen; it is for different inputs."
    return "Cancelled. The partial profile stays on screen; press Run to start over."


def _waiting(wait: Wait | None, progress: Any) -> str:
    place = "next in line" if wait is None else wait.in_words()
    text = f"Waiting for a free processor: {place}"
    if progress is not None and progress.fraction >= 0.005:
        text += f"; {100 * progress.fraction:.0f} % simulated so far"
    return f"{text} …"


def _on_cluster(simulation: Simulation) -> str:
    """Return the status line of a simulation on a cluster: its queue state, then its progress."""
    status = simulation.on_cluster or "submitting"
    if simulation.state == RunState.QUEUED:
        return f"On {simulation.where}: {status} …"
    return f"On {simulation.where}, {status}. {_running(simulation.progress)}"


def _running(progress: Any) -> str:
    if progress is None or progress.phase == "compiling":
        return "Preparing the engine (slower the first time) …"
    if progress.phase == "equilibrating":
        return f"Equilibrating: {progress.fraction:.0%}{_left(progress)}.".replace("%", " %")
    text = f"Simulating: {100 * progress.fraction:.0f} %"
    if progress.median_relative_error:
        text += f", typical error {percent(progress.median_relative_error)} so far"
    return f"{text}{_left(progress)}."


def _left(progress: Any) -> str:
    if progress.seconds_left is None:
        return ""
    return f", about {duration(progress.seconds_left)} left"


def _done(simulation: Simulation, stale: bool) -> str:
    begin = "Stored result" if simulation.stored else "Done"
    text = f"{nanoseconds(simulated_ns(simulation))} simulated"
    error = typical_error(simulation)
    if error is not None:
        text += f", {_convergence(simulation, error)}"
    elif not_converged(simulation):
        text += f", {NOT_CONVERGED}"
    if stale:
        return f"{begin}, for different inputs: {text}. Press Run to simulate the current inputs."
    return f"{begin}: {text}. See Downloads for the files."


def _convergence(simulation: Simulation, error: float) -> str:
    target = simulation.settings.target_error
    if simulation.result is not None and simulation.result.summary.converged:
        return f"converged to {percent(error)}"
    if target is not None:
        return f"typical error {percent(error)}, not converged to {percent(target)}"
    mark = f", {NOT_CONVERGED}" if not_converged(simulation) else ""
    return f"typical error of the profile {percent(error)}{mark}"


NOT_CONVERGED = "not converged"


def not_converged(simulation: Simulation) -> bool:
    """Return True if the result of a simulation is known not to have converged."""
    return simulation.result is not None and simulation.result.summary.unconverged


def simulated_ns(simulation: Simulation) -> float:
    """Return the production time of a result (ns), which may be shorter than requested."""
    simulated = simulation.result.summary.simulated_ns if simulation.result else None
    return simulation.settings.duration_ns if simulated is None else simulated


def shown_length(simulation: Simulation) -> str:
    """Describe the length of a simulation on screen; without a result, the time so far."""
    if simulation.result is None and simulation.progress is not None:
        so_far = " so far" if simulation.active else ""
        return nanoseconds(simulation.progress.simulated_ns) + so_far
    return nanoseconds(simulated_ns(simulation))


def result_length(simulation: Simulation) -> str:
    """Describe the length of a result, marked if it has not converged."""
    mark = f", {NOT_CONVERGED}" if not_converged(simulation) else ""
    return shown_length(simulation) + mark


def typical_error(simulation: Simulation) -> float | None:
    """Return the median relative standard error of the profile; None if unknown."""
    if simulation.result is None:
        return None
    return simulation.result.summary.median_relative_error


def origin(simulation: Simulation) -> str:
    """Return where a simulation that does not belong to this browser was started."""
    by_command = simulation.submitter is Submitter.COMMAND
    return "from the command line" if by_command else "in another browser"


def milestone(simulation: Simulation) -> str:
    """Return the log line for a change in a run's state."""
    name = f"Run {simulation.run_id[:8]}"
    if simulation.stored and simulation.joined:
        mark = f", {NOT_CONVERGED}" if not_converged(simulation) else ""
        return f"{name}: stored result reused{mark}"
    if simulation.joined and simulation.active:
        return f"{name}: the same simulation is already {simulation.state}; watching it"
    if simulation.state in (RunState.FAILED, RunState.CANCELLED):
        return f"{name} {simulation.state}: {simulation.reason}"
    mark = f", {NOT_CONVERGED}" if not_converged(simulation) else ""
    return f"{name} is {simulation.state}{mark}"


def mood(simulation: Simulation) -> str:
    """Return the mood of the status line, which sets its colour."""
    return {RunState.DONE: "good", RunState.FAILED: "bad", RunState.CANCELLED: "idle"}.get(
        simulation.state, "busy"
    )


def predicted(prediction: MachineLearning) -> str:
    """Return the status line of a prediction."""
    return f"Predicted the profiles of both ion species in {1000 * prediction.seconds:.0f} ms."


def outside_domain(problems: list[InvalidInput], domain: Domain) -> str:
    """Return the reason for a missing prediction, and what to do instead.

    Parameters
    ----------
    problems : list of InvalidInput
        Inputs outside the domain, as `Domain.problems` lists them.
    domain : Domain
        The domain of the surrogate.
    """
    parts = _requirements(problems, domain) + _fixed_values(problems, domain)
    return f"No ML prediction here: {', and '.join(parts)}. Press Run to simulate."


def needed(name: str, domain: Domain) -> str:
    """Return what the surrogate needs of an input of its network: ``h of 3-4 nm``."""
    trained = domain.ranges[name]
    return _range(name, trained) if _varies(name, domain) else _only(name, trained.low)


def _requirements(problems: list[InvalidInput], domain: Domain) -> list[str]:
    """Return one clause with the ranges that the inputs must lie in, if any."""
    names = [problem.parameter for problem in problems]
    needs = ["equal diameters"] if "negative_diameter" in names else []
    needs += [_range(name, domain.ranges[name]) for name in names if _varies(name, domain)]
    return [f"it needs {' and '.join(needs)}"] if needs else []


def _range(name: str, trained: Range) -> str:
    field = FIELDS[name]
    unit = "" if field.whole else field.unit
    return f"{field.symbol} of {trained.low:g}-{trained.high:g} {unit}".rstrip()


def _varies(name: str, domain: Domain) -> bool:
    return name in domain.ranges and domain.ranges[name].low < domain.ranges[name].high


def _fixed_values(problems: list[InvalidInput], domain: Domain) -> list[str]:
    """Return a clause for each input that must have a single value."""
    names = [problem.parameter for problem in problems]
    fixed = {name: each.low for name, each in domain.ranges.items() if not _varies(name, domain)}
    fixed |= domain.fixed
    return [_only(name, fixed[name]) for name in names if name in fixed]


def _only(name: str, value: Any) -> str:
    return f"{_symbol(name)} must be {_value(name, value)}"


def _symbol(name: str) -> str:
    return SYSTEM[name].symbol or SYSTEM[name].term.lower()


def _value(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else f"{value:g}".replace("-", "−")
    return text if SYSTEM[name].whole else f"{text} {SYSTEM[name].unit}".rstrip()


NOUNS = {"target_error": "target error"}
"""Fields whose label is not a noun."""


def correct(names: Iterable[str]) -> str:
    """Return the status line while some fields are invalid."""
    nouns = (NOUNS.get(name) or _lower_first(FIELDS[name].title) for name in names)
    return f"Correct the {' and the '.join(nouns)} to run or predict."


def kept(names: Iterable[str]) -> str:
    """Return the status line after a change to inputs that a link fixes or hides."""
    titles = [_lower_first(FIELDS[name].title) for name in names]
    return f"The link fixes the {' and the '.join(titles)}: unchanged."


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def estimate(seconds: float | None) -> str:
    """Return the estimated time of a simulation."""
    return "" if seconds is None else f"≈ {duration(seconds)} on this computer"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 run``, ``2 runs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def one_line(error: BaseException) -> str:
    """Return the message of an error on one line, without a traceback."""
    text = " ".join(str(error).split())
    return text or type(error).__name__
