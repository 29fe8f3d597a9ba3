"""What the Trends tab knows: one input varied, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Enum, Float, HasTraits, Int, Tuple, Unicode

from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS, system_fields
from nanoconf.gui.figures.plots import DENSITY, IONS, MD, ML, Z_AXIS, Chart, Columns, Curve, Plot
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.tabs.registry import TRENDS

if TYPE_CHECKING:
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState
    from nanoconf.surrogate.trends import SimulatedPoint, Trend

POINTS = 43
"""Values of the input along the curves."""

FAMILY = 7
"""Profiles that are shown of them."""

NAMES = {"contact": "contact", "peak": "peak", "mid": "middle"}


class Trends(HasTraits):
    """One input varied over a range that the surrogate has learnt, the others as at the left.

    Parameters
    ----------
    state : AppState
        Whose inputs and model it follows.
    work : Work
        Whose surrogate and archive it asks.

    Attributes
    ----------
    name : str
        The input.
    choices : tuple of str
        Inputs that may vary: those of which the surrogate has learnt more than one value.
    low, high : float
        The range.
    species : str
        The ion that is shown.
    trend : Trend or None
        What the surrogate says.
    points : tuple of SimulatedPoint
        What was simulated.
    problem : str
        Why there is no trend.
    """

    name = Unicode("salt_concentration")
    choices = Tuple()
    low = Float(0.0)
    high = Float(0.0)
    species = Enum(tuple(IONS), "positive")
    trend = AnyTrait(None, allow_none=True)
    points = Tuple()
    problem = Unicode()
    version = Int(0)

    def __init__(self, state: AppState, work: Work):
        super().__init__()
        self._state, self._work = state, work
        self._latest = Latest(work.answers.executor, self._predict, self._failed)
        self._choose_range()
        self.observe(self._choose_range, "name")
        self.observe(self._ask, ["low", "high"])
        state.observe(self._choose_range, "model")
        state.observe(self._ask, ["values", "tab"])
        state.observe(self._reported, "simulation")
        state.observe(self._tell, "model_problem")
        self._ask()

    @property
    def learnt(self) -> tuple[float, float] | None:
        """What the surrogate has learnt of the input; None before it is loaded."""
        ranges = self._state.model.domain.ranges if self._state.model else {}
        learnt = ranges.get(self.name)
        return (learnt.low, learnt.high) if learnt else None

    def _choose_range(self, _change: Any = None) -> None:
        if self._state.model:
            ranges = self._state.model.domain.ranges
            self.choices = tuple(
                field.name
                for field in system_fields()
                if field.name in ranges and ranges[field.name].low < ranges[field.name].high
            )
        if self.learnt:
            with self.hold_trait_notifications():
                self.low, self.high = self.learnt

    def _ask(self, _change: Any = None) -> None:
        state = self._state
        if state.tab == TRENDS and state.valid and self.low < self.high:
            self._latest.ask(state.system, self.name, self.low, self.high)

    def _reported(self, change: dict[str, Any]) -> None:
        """A result may be a point; reports of a run on its way, twice a second, are not."""
        before, now = (shown and shown.result for shown in (change["old"], change["new"]))
        if now is not None and now is not before:
            self._ask()

    def _predict(self, system: Any, name: str, low: float, high: float) -> None:
        from nanoconf.surrogate.trends import simulated_points, trend, varied

        work = self._work
        values = values_between(name, low, high)
        problems = work.answers.surrogate.domain.problems(varied(system, name, values[0]))
        found = None if problems else trend(work.answers.surrogate, system, name, values)
        points = simulated_points(work.archive.runs(), system, name)
        work.post(self._answered, found, tuple(points), words.unlearnt(problems))

    def _failed(self, error: Exception) -> None:
        self._work.post(self._answered, None, (), words.one_line(error))

    def _tell(self, _change: Any) -> None:
        self.version += 1

    def _answered(self, found: Trend | None, points: tuple[SimulatedPoint, ...], why: str) -> None:
        with self.hold_trait_notifications():
            self.trend, self.points = found, points
            self.problem = "" if found else why
            self.version += 1

    def plot(self) -> Plot:
        """The family of profiles, and what sums them up against the input."""
        if self.trend is None:
            why = self.problem or self._state.model_problem or "The surrogate is loading …"
            return Plot(TRENDS, (), why.replace(": ", ":\n"))
        plot = Plot(TRENDS, (self._family(self.trend), self._summary(self.trend)))
        current = self._state.is_current(self.trend.systems[0], varied=self.trend.name)
        return plot if current else plot.of_other_inputs()

    def _family(self, found: Trend) -> Chart:
        field = FIELDS[found.name]
        step = max(1, (len(found.values) - 1) // (FAMILY - 1))
        chosen = range(0, len(found.values), step)
        curves = []
        for place in chosen:
            profile = found.profiles[place].by_species()[self.species]
            value = f"{field.text(found.values[place])} {field.unit if not field.whole else ''}"
            label = f"{field.symbol} = {value}".rstrip()
            shade = place / (len(found.values) - 1)
            curves.append(
                Curve(label, profile.z, profile.density, ML, None, self.species, shade=shade)
            )
        width = max(system.confinement_length for system in found.systems)
        label = f"Density of the {IONS[self.species]} (M)"
        return Chart(tuple(curves), Z_AXIS, label, DENSITY, width)

    def _summary(self, found: Trend) -> Chart:
        field = FIELDS[found.name]
        curves = []
        for i, (quantity, name) in enumerate(NAMES.items()):
            shade = i / (len(NAMES) - 1)
            density = found.densities(quantity, self.species)
            label = f"ML, {name}"
            curves.append(Curve(label, found.values, density, ML, None, self.species, shade=shade))
            curves += self._simulated(quantity, name, shade)
        columns = Columns(found.name, "density_M", "error_M")
        label = f"Density of the {IONS[self.species]} (M)"
        return Chart(tuple(curves), field.label, label, columns)

    def _simulated(self, quantity: str, name: str, shade: float) -> list[Curve]:
        import numpy as np

        inside = [point for point in self.points if self.low <= point.value <= self.high]
        if not inside:
            return []
        values = np.array([point.value for point in inside])
        density = np.array([point.densities[self.species][quantity] for point in inside])
        error = np.array([point.errors[self.species][quantity] for point in inside])
        return [Curve(f"MD, {name}", values, density, MD, error, self.species, shade=shade)]


def values_between(name: str, low: float, high: float) -> list[float]:
    """Values of an input over a range: a few where it is a whole number."""
    if FIELDS[name].whole:
        return [float(value) for value in range(round(low), round(high) + 1)]
    return [low + (high - low) * i / (POINTS - 1) for i in range(POINTS)]
