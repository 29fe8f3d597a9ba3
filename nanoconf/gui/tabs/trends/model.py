"""Model of the Trends tab: profiles and characteristic densities against one input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Enum, Float, HasTraits, Int, Tuple, Unicode

from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS, system_fields
from nanoconf.gui.figures.origin import MD, ML, Origin, Source, Varied
from nanoconf.gui.figures.plots import (
    DENSITY,
    IONS,
    Z_AXIS,
    Chart,
    Columns,
    Curve,
    Plot,
)
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.tabs.registry import TRENDS

if TYPE_CHECKING:
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState
    from nanoconf.surrogate.trends import SimulatedPoint, Trend

POINTS = 43
"""Number of values of the varied input."""

FAMILY = 7
"""Number of profiles in the figure."""

NAMES = {"contact": "contact", "peak": "peak", "mid": "midplane"}


class Trends(HasTraits):
    """Trend along one input within the training range, with the other inputs fixed.

    Parameters
    ----------
    state : AppState
        Provides the inputs and the model's card.
    work : Work
        Session with the surrogate and the archive.

    Attributes
    ----------
    name : str
        Name of the varied input.
    choices : tuple of str
        Inputs that can vary: those with a training range of more than one value.
    low, high : float
        Range of the varied input.
    species : str
        The displayed ion species.
    trend : Trend or None
        The predictions.
    points : tuple of SimulatedPoint
        Simulations in the archive along the trend.
    problem : str
        Reason why there is no trend.
    version : int
        Counter that increases with every change.
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
        state.observe(self._redraw, "model_problem")
        self._ask()

    @property
    def training_range(self) -> tuple[float, float] | None:
        """Training range of the varied input; None before the surrogate is loaded."""
        ranges = self._state.model.domain.ranges if self._state.model else {}
        trained = ranges.get(self.name)
        return (trained.low, trained.high) if trained else None

    def _choose_range(self, _change: Any = None) -> None:
        if self._state.model:
            ranges = self._state.model.domain.ranges
            self.choices = tuple(
                field.name
                for field in system_fields()
                if field.name in ranges and ranges[field.name].low < ranges[field.name].high
            )
        if self.training_range:
            with self.hold_trait_notifications():
                self.low, self.high = self.training_range

    def _ask(self, _change: Any = None) -> None:
        state = self._state
        if state.tab == TRENDS and state.valid and self.low < self.high:
            self._latest.request(state.system, self.name, self.low, self.high)

    def _reported(self, change: dict[str, Any]) -> None:
        """Update the trend if the simulation has a new result, which may be a point on it."""
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
        reason = words.outside_domain(problems, work.answers.surrogate.card.domain)
        work.post(self._set, found, tuple(points), reason)

    def _failed(self, error: Exception) -> None:
        self._work.post(self._set, None, (), words.one_line(error))

    def _redraw(self, _change: Any) -> None:
        self.version += 1

    def _set(self, found: Trend | None, points: tuple[SimulatedPoint, ...], reason: str) -> None:
        with self.hold_trait_notifications():
            self.trend, self.points = found, points
            self.problem = "" if found else reason
            self.version += 1

    def plot(self) -> Plot:
        """Plot the family of profiles, and their characteristic densities against the input."""
        if self.trend is None:
            hint = self.problem or self._state.model_problem or "The surrogate is loading …"
            return Plot(TRENDS, (), hint.replace(". ", ".\n").replace(": ", ":\n"))
        charts = self._family(self.trend), self._summary(self.trend)
        plot = Plot(TRENDS, charts, origin=self._origin(self.trend))
        current = self._state.is_current(self.trend.systems[0], varied=self.trend.name)
        return plot if current else plot.marked_stale()

    def _origin(self, found: Trend) -> Origin:
        """Return the model and the simulations of the figure."""
        system, state = found.systems[0], self._state
        sources = [Source(ML, state.model.name if state.model else "", system)]
        sources += [Source(MD, point.run_id, system) for point in self._inside()]
        return Origin(tuple(sources), Varied(found.name, found.values[0], found.values[-1]))

    def _family(self, found: Trend) -> Chart:
        field = FIELDS[found.name]
        step = max(1, (len(found.values) - 1) // (FAMILY - 1))
        chosen = range(0, len(found.values), step)
        curves = []
        for place in chosen:
            profile = found.profiles[place].by_species()[self.species]
            label = f"{field.symbol} = {rounded(found.name, found.values[place])}"
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
        """Return the simulated densities as curves of points: converged ones and others."""
        curves = []
        for converged in (True, False):
            points = [point for point in self._inside() if point.converged == converged]
            if points:
                label = f"MD, {name}" + ("" if converged else f" ({words.NOT_CONVERGED})")
                curve = _points(label, points, self.species, quantity, shade)
                curves.append(replace(curve, converged=converged))
        return curves

    def _inside(self) -> list[SimulatedPoint]:
        """Return the simulations within the range of the varied input."""
        return [point for point in self.points if self.low <= point.value <= self.high]


def _points(
    label: str, points: list[SimulatedPoint], species: str, quantity: str, shade: float
) -> Curve:
    import numpy as np

    values = np.array([point.value for point in points])
    density = np.array([point.densities[species][quantity] for point in points])
    error = np.array([point.errors[species][quantity] for point in points])
    return Curve(label, values, density, MD, error, species, shade=shade)


def rounded(name: str, value: float) -> str:
    """Format a value of an input for a legend: at most its usual number of decimals, and a unit."""
    field = FIELDS[name]
    text = f"{value:.{field.decimals}f}" if field.decimals else f"{value:.3g}"
    if field.decimals and value and abs(value) < 10**-field.decimals:
        text = f"{value:.2g}"
    unit = "" if field.whole else field.unit
    return f"{text} {unit}".rstrip().replace("-", "−")


def values_between(name: str, low: float, high: float) -> list[float]:
    """Return the values of an input over a range; only whole numbers for a valency."""
    if FIELDS[name].whole:
        return [float(value) for value in range(round(low), round(high) + 1)]
    return [low + (high - low) * i / (POINTS - 1) for i in range(POINTS)]
