"""What the page says, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.system import SlitSystem
    from nanoconf.gui.state import MachineLearning, Simulation


def describe(system: SlitSystem) -> str:
    """A system in one line: ``h 3 nm, 1:−1, 0.5 M, d 0.714 nm``."""
    positive, negative = system.valencies
    return (
        f"h {system.confinement_length:g} nm, {positive}:−{-negative}, "
        f"{system.salt_concentration:g} M, d {system.positive_diameter:g} nm"
    )


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


def status(simulation: Simulation, *, cancelling: bool = False) -> str:
    """The status line for a simulation."""
    if simulation.state == "done":
        return _done(simulation)
    if simulation.state == "cancelled":
        return "Cancelled. What had been simulated stays on screen; Run starts afresh."
    if simulation.state == "failed":
        return f"The simulation failed: {simulation.reason}"
    if cancelling:
        return "Cancelling …"
    if simulation.where:
        return _on_cluster(simulation)
    if simulation.state == "queued":
        return "Waiting for a free processor …"
    return _running(simulation.progress)


def _on_cluster(simulation: Simulation) -> str:
    """The status line for a simulation on a cluster: the queue first, then the progress."""
    how = simulation.on_cluster or "on its way"
    if simulation.state == "queued":
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
    length = f"{simulation.settings.duration_ns:g} ns"
    text = f"{'Stored result' if simulation.joined else 'Done'}: {length} simulated"
    error = typical_error(simulation)
    if error is not None:
        text += f", typical error of the profile {percent(error)}"
    return text + ". See Downloads for the files."


def typical_error(simulation: Simulation) -> float | None:
    """Median relative standard error of the profile; None where unknown."""
    if simulation.result is None:
        return None
    return simulation.result.summary.get("median_relative_error")


def milestone(simulation: Simulation) -> str:
    """A line of the log: a run is there, or over."""
    name = f"Run {simulation.run_id[:8]}"
    if simulation.state == "done" and simulation.joined:
        return f"{name}: this system is in the archive already"
    if simulation.joined and simulation.active:
        return f"{name}: the same simulation is {simulation.state} already; watching it"
    if simulation.state in ("failed", "cancelled"):
        return f"{name} {simulation.state}: {simulation.reason}"
    return f"{name} is {simulation.state}"


def mood(simulation: Simulation) -> str:
    """How the status line looks."""
    return {"done": "good", "failed": "bad", "cancelled": "idle"}.get(simulation.state, "busy")


def predicted(prediction: MachineLearning) -> str:
    """A prediction is there."""
    learnt = [ion for ion in ("positive", "negative") if getattr(prediction, ion) is not None]
    milliseconds = 1000 * prediction.seconds
    return f"Predicted the profiles of the {' and '.join(learnt)} ions in {milliseconds:.0f} ms."


def estimate(seconds: float | None) -> str:
    """How long a simulation would take."""
    return "" if seconds is None else f"≈ {duration(seconds)} here"
