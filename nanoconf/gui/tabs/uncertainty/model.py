"""What the Uncertainty tab knows: how well the inputs are known, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Enum, Float, HasTraits, Int, Unicode

from backend.system import InvalidInput
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS, NUMBER
from nanoconf.gui.figures.plots import ML, Z_AXIS, Chart, Columns, Curve, Marker, Plot
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.tabs.registry import UNCERTAINTY

if TYPE_CHECKING:
    from backend.system import SlitSystem
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState
    from nanoconf.uncertainty.propagation import Uncertainty

EXACT, UNIFORM, GAUSSIAN = "exact", "uniform ±", "Gaussian ±"
KINDS = (EXACT, UNIFORM, GAUSSIAN)

START = {
    "confinement_length": (EXACT, "0.05"),
    "salt_concentration": (UNIFORM, "0.05"),
    "positive_diameter": (GAUSSIAN, "0.005"),
}
"""Distribution and width (half width, or standard deviation) that each input starts with: one for
each of `nanoconf.surrogate.domain.continuous_inputs`, which is not imported before it is needed."""

SAMPLES = (256, 1024, 4096)

OUTPUTS = {
    "positive_density": "Density of the positive ions at z (M)",
    "negative_density": "Density of the negative ions at z (M)",
    "net_charge_density": "Net charge density at z (e·M)",
    "integrated_charge": "Charge from the left wall to z (C/m²)",
    "positive_contact_density": "Contact density of the positive ions (M)",
    "positive_peak_density": "Peak density of the positive ions (M)",
    "positive_mid_density": "Mid density of the positive ions (M)",
    "negative_contact_density": "Contact density of the negative ions (M)",
    "negative_peak_density": "Peak density of the negative ions (M)",
    "negative_mid_density": "Mid density of the negative ions (M)",
    **{name: f"Samples of the input: {FIELDS[name].label}" for name in START},
}
AT_Z = 4
"""The first so many outputs are functions of z."""

HISTOGRAM_BINS = 40


class UncertainInputs(HasTraits):
    """Which inputs are uncertain, by how much, and what comes of it.

    Parameters
    ----------
    state : AppState
        Whose inputs are the middles of the distributions.
    work : Work
        Whose surrogate is asked.

    Attributes
    ----------
    kinds, widths : dict of str to str
        Kind of distribution, and its width as typed, by input.
    samples : int
        Base samples.
    output : str
        One of `OUTPUTS`.
    z : float
        Where (nm), for those that are functions of z.
    over_z : bool
        Whether the figure shows all z, or the chosen one.
    found : Uncertainty or None
        What came of it.
    problem : str
        Why nothing did.
    """

    kinds = Dict({name: kind for name, (kind, _) in START.items()})
    widths = Dict({name: width for name, (_, width) in START.items()})
    samples = Enum(SAMPLES, 1024)
    output = Enum(tuple(OUTPUTS), "positive_contact_density")
    z = Float(0.0)
    over_z = Bool(False)
    found = AnyTrait(None, allow_none=True)
    problem = Unicode()
    version = Int(0)

    def __init__(self, state: AppState, work: Work):
        super().__init__()
        self._state, self._work = state, work
        self._latest = Latest(work.background, self._sample, self._failed)
        self.observe(self._ask, ["kinds", "widths", "samples"])
        state.observe(self._ask, ["values", "tab"])
        self._ask()

    @property
    def is_profile(self) -> bool:
        """Whether the output is a function of z."""
        return self.output in list(OUTPUTS)[:AT_Z]

    def _ask(self, _change: Any = None) -> None:
        if self._state.tab == UNCERTAINTY and self._state.valid:
            self._latest.ask(self._state.system, dict(self.kinds), dict(self.widths), self.samples)

    def _sample(
        self, system: SlitSystem, kinds: dict[str, str], widths: dict[str, str], samples: int
    ) -> None:
        from nanoconf.uncertainty.propagation import propagate

        try:
            surrogate = self._work.answers.surrogate
            problems = surrogate.domain.problems(system)
            if problems:
                raise InvalidInput("", "", words.unlearnt(problems))
            spread = distributions(system, kinds, widths)
            found = propagate(surrogate, system, spread, samples) if spread else None
            why = "" if found else "All inputs are exact: choose how well one of them is known."
        except InvalidInput as refused:
            found, why = None, _in_words(refused)
        self._work.post(self._answered, found, why)

    def _failed(self, error: Exception) -> None:
        self._work.post(self._answered, None, words.one_line(error))

    def _answered(self, found: Uncertainty | None, why: str) -> None:
        with self.hold_trait_notifications():
            self.found, self.problem = found, why
            self.version += 1

    # --- what is shown ----------------------------------------------------------------------

    @property
    def place(self) -> float | None:
        """Where the output is asked for; None where it is one number."""
        if not self.is_profile or self.found is None:
            return None
        half = self.found.system.confinement_length / 2
        return max(-half, min(half, self.z))

    @property
    def nothing(self) -> str:
        """Why there is nothing to show; empty where there is."""
        if self.found is None:
            return self.problem or "Sampling …"
        if self.output in START and self.output not in self.found.distributions:
            return f"{FIELDS[self.output].title} is exact: there are no samples of it."
        return ""

    def numbers(self) -> str:
        """Mean, standard deviation and quantiles of the output, in words."""
        if self.found is None or self.nothing:
            return self.nothing
        summary = self.found.summary(self.output, self.place)
        text = (
            f"Mean {summary.mean:.4g}, standard deviation {summary.std:.2g}, variance "
            f"{summary.std**2:.2g}; 90 % between {summary.low:.4g} and {summary.high:.4g}"
        )
        if summary.model_error == summary.model_error:
            text += f"; the surrogate's own standard error {summary.model_error:.2g} comes on top"
        return text + "."

    def plot(self) -> Plot:
        """Histogram and shares of the variance at one z, or band and shares over all z."""
        if self.found is None or self.nothing:
            return Plot(UNCERTAINTY, (), self.nothing.replace(": ", ":\n"))
        if self.over_z and self.is_profile:
            return Plot(UNCERTAINTY, (self._band(self.found), self._indices_over_z(self.found)))
        return Plot(UNCERTAINTY, (self._histogram(self.found), self._indices(self.found)))

    def _histogram(self, found: Uncertainty) -> Chart:
        density, edges = found.histogram(self.output, self.place, HISTOGRAM_BINS)
        middles, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        curve = Curve("samples", middles, density, ML, kind="bars", bar_width=width)
        summary = found.summary(self.output, self.place)
        markers = (
            Marker("mean", x=float(summary.mean)),
            Marker("5 %", x=float(summary.low)),
            Marker("95 %", x=float(summary.high)),
        )
        columns = Columns(self.output, "probability_density")
        label = OUTPUTS[self.output]
        if self.place is not None:
            label = label.replace(" at z", f" at z = {self.place:.2f} nm")
        return Chart((curve,), label, "Probability density", columns, markers=markers)

    def _indices(self, found: Uncertainty) -> Chart:
        import numpy as np

        indices = found.sobol_indices(self.output, self.place)
        places = np.arange(len(indices.inputs), dtype=float)
        curves = (
            _bars("first order", places - 0.2, indices.first, indices.first_confidence, 0.1),
            _bars("total", places + 0.2, indices.total, indices.total_confidence, 0.7),
        )
        names = tuple(FIELDS[name].symbol for name in indices.inputs)
        columns = Columns("input", "sobol_index", "confidence_95")
        return Chart(curves, "Input", "Share of the variance (Sobol index)", columns, names=names)

    def _band(self, found: Uncertainty) -> Chart:
        band = found.band(self.output)
        curves = (
            Curve("95 % of samples below", found.z, band.high, ML, shade=0.75),
            Curve("mean", found.z, band.mean, ML, shade=0.4),
            Curve("5 % below", found.z, band.low, ML, shade=0.05),
        )
        columns = Columns("z_nm", self.output)
        label = OUTPUTS[self.output].replace(" at z", "")
        return Chart(
            curves,
            Z_AXIS,
            label,
            columns,
            from_zero=self.output in ("positive_density", "negative_density"),
        )

    def _indices_over_z(self, found: Uncertainty) -> Chart:
        indices = found.sobol_indices_over_z(self.output)
        last = max(1, len(indices.inputs) - 1)
        curves = []
        for i, name in enumerate(indices.inputs):
            symbol, shade = FIELDS[name].symbol, i / last
            first, total = indices.first[i], indices.total[i]
            curves += [
                Curve(f"{symbol}, first order", found.z, first, ML, shade=shade),
                Curve(f"{symbol}, total", found.z, total, ML, shade=shade, second=True),
            ]
        columns = Columns("z_nm", "sobol_index")
        return Chart(tuple(curves), Z_AXIS, "Share of the variance (Sobol index)", columns)


def _bars(label: str, x: Any, shares: Any, confidence: Any, shade: float) -> Curve:
    """Shares of the variance as bars; none where the output does not vary."""
    import numpy as np

    heights, errors = np.nan_to_num(shares), np.nan_to_num(confidence)
    return Curve(label, x, heights, ML, errors, shade=shade, kind="bars", bar_width=0.38)


def distributions(
    system: SlitSystem, kinds: dict[str, str], widths: dict[str, str]
) -> dict[str, Any]:
    """The distributions of the uncertain inputs, around a system.

    Raises
    ------
    InvalidInput
        A width is no number above zero.
    """
    from nanoconf.uncertainty.propagation import Gaussian, Uniform

    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        if kind != EXACT:
            middle, width = getattr(system, name), _width(name, widths[name])
            uniform = kind == UNIFORM
            found[name] = (
                Uniform(middle - width, middle + width) if uniform else Gaussian(middle, width)
            )
    return found


def _width(name: str, typed: str) -> float:
    text = typed.strip()
    value = float(text.replace(",", ".")) if NUMBER.fullmatch(text) else 0.0
    if not 0 < value < float("inf"):
        raise InvalidInput(name, typed, "its spread must be a number above 0")
    return value


def _in_words(refused: InvalidInput) -> str:
    """A refusal, with the input as the page names it."""
    field = FIELDS.get(refused.parameter)
    return (
        refused.allowed if field is None else f"{field.title}, {refused.value}: {refused.allowed}"
    )
