"""Model of the Uncertainty tab: distributions of the inputs and of the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Enum, Float, HasTraits, Int, Unicode

from backend.system import InvalidInput
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS, NUMBER
from nanoconf.gui.figures.origin import ML, Origin, Source
from nanoconf.gui.figures.plots import Z_AXIS, Chart, Columns, Curve, Marker, Plot
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
"""Initial distribution of each input and its width (half width or standard deviation): one entry
for each of `nanoconf.surrogate.domain.continuous_inputs`, which is imported only when needed."""

SAMPLES = (256, 1024, 4096)

OUTPUTS = {
    "positive_density": "Density of the positive ions at z (M)",
    "negative_density": "Density of the negative ions at z (M)",
    "net_charge_density": "Net charge density at z (e·M)",
    "integrated_charge": "Integrated charge from the left wall to z (C/m²)",
    "positive_contact_density": "Contact density of the positive ions (M)",
    "positive_peak_density": "Peak density of the positive ions (M)",
    "positive_mid_density": "Midplane density of the positive ions (M)",
    "negative_contact_density": "Contact density of the negative ions (M)",
    "negative_peak_density": "Peak density of the negative ions (M)",
    "negative_mid_density": "Midplane density of the negative ions (M)",
    **{name: f"Samples of the input: {FIELDS[name].label}" for name in START},
}
AT_Z = 4
"""Number of outputs that are functions of z; they come first."""

HISTOGRAM_BINS = 40


class UncertainInputs(HasTraits):
    """Distributions of the inputs, and the resulting distribution of an output.

    Parameters
    ----------
    state : AppState
        Provides the inputs, which are the means of the distributions.
    work : Work
        Session with the surrogate.

    Attributes
    ----------
    kinds, widths : dict of str to str
        Kind of distribution and its width as typed, by input.
    samples : int
        Number of base samples.
    output : str
        One of `OUTPUTS`.
    z : float
        Position (nm) of an output that is a function of z.
    over_z : bool
        True to plot the output over all z, False at the chosen z.
    found : Uncertainty or None
        The sampled outputs.
    problem : str
        Reason why there are none.
    version : int
        Counter that increases with every change.
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
        """True if the output is a function of z."""
        return self.output in list(OUTPUTS)[:AT_Z]

    def _ask(self, _change: Any = None) -> None:
        if self._state.tab == UNCERTAINTY and self._state.valid:
            self._latest.request(
                self._state.system, dict(self.kinds), dict(self.widths), self.samples
            )

    def _sample(
        self, system: SlitSystem, kinds: dict[str, str], widths: dict[str, str], samples: int
    ) -> None:
        from nanoconf.uncertainty.propagation import propagate

        try:
            surrogate = self._work.answers.surrogate
            problems = surrogate.domain.problems(system)
            if problems:
                raise InvalidInput("", "", words.outside_domain(problems, surrogate.card.domain))
            uncertain = distributions(system, kinds, widths)
            found = propagate(surrogate, system, uncertain, samples) if uncertain else None
            reason = "" if found else "All inputs are exact: choose a distribution for one of them."
        except InvalidInput as refused:
            found, reason = None, _message(refused)
        self._work.post(self._set, found, reason)

    def _failed(self, error: Exception) -> None:
        self._work.post(self._set, None, words.one_line(error))

    def _set(self, found: Uncertainty | None, reason: str) -> None:
        with self.hold_trait_notifications():
            self.found, self.problem = found, reason
            self.version += 1

    # --- output -----------------------------------------------------------------------------

    @property
    def place(self) -> float | None:
        """Position (nm) of the output; None if it is not a function of z."""
        if not self.is_profile or self.found is None:
            return None
        half = self.found.system.confinement_length / 2
        return max(-half, min(half, self.z))

    @property
    def empty_reason(self) -> str:
        """Reason why there is nothing to show; empty otherwise."""
        if self.found is None:
            return self.problem or "Sampling …"
        if self.output in START and self.output not in self.found.distributions:
            return f"{FIELDS[self.output].title} is exact: it has no samples."
        if self._spread(self.found) == 0:
            return "The output does not vary: it is the same in all samples."
        return ""

    def _spread(self, found: Uncertainty) -> float:
        """Return the range of the output in the samples."""
        import numpy as np

        if self.over_z and self.is_profile:
            return float(np.ptp(found.profiles[self.output], axis=(0, 1)).max())
        return float(np.ptp(found.values(self.output, self.place)))

    def numbers(self) -> str:
        """Describe the output by its mean, standard deviation and quantiles."""
        if self.found is None or self.empty_reason:
            return self.empty_reason
        summary = self.found.summary(self.output, self.place)
        text = (
            f"Mean {summary.mean:.4g}, standard deviation {summary.std:.2g}, variance "
            f"{summary.std**2:.2g}; 90 % interval: {summary.low:.4g} to {summary.high:.4g}."
        )
        if summary.model_error == summary.model_error:
            text += f" Model error (not included): {summary.model_error:.2g}."
        return text

    def plot(self) -> Plot:
        """Plot the histogram and the Sobol indices at one z, or the band and indices over z."""
        if self.found is None or self.empty_reason:
            hint = self.empty_reason.replace(". ", ".\n").replace(": ", ":\n")
            return Plot(UNCERTAINTY, (), hint)
        if self.over_z and self.is_profile:
            charts = self._band(self.found), self._indices_over_z(self.found)
        else:
            charts = self._histogram(self.found), self._indices(self.found)
        return Plot(UNCERTAINTY, charts, origin=self._origin(self.found))

    def _origin(self, found: Uncertainty) -> Origin:
        """Return the model of the figure."""
        model = self._state.model
        return Origin((Source(ML, model.name if model else "", found.system),))

    def _histogram(self, found: Uncertainty) -> Chart:
        density, edges = found.histogram(self.output, self.place, HISTOGRAM_BINS)
        centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        curve = Curve("samples", centres, density, ML, kind="bars", bar_width=width)
        summary = found.summary(self.output, self.place)
        markers = (
            Marker("mean", x=float(summary.mean)),
            Marker("5 %", x=float(summary.low)),
            Marker("95 %", x=float(summary.high)),
        )
        columns = Columns(self.output, "probability_density")
        label = OUTPUTS[self.output]
        if self.place is not None:
            place = f"{self.place:.2f} nm".replace("-", "−")
            label = label.replace(" at z", f" at z = {place}").replace(" to z", f" to z = {place}")
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
        return Chart(curves, "Input", "Sobol index, share of the variance", columns, names=names)

    def _band(self, found: Uncertainty) -> Chart:
        band = found.band(self.output)
        curves = (
            Curve("95th percentile", found.z, band.high, ML, shade=0.75),
            Curve("mean", found.z, band.mean, ML, shade=0.4),
            Curve("5th percentile", found.z, band.low, ML, shade=0.05),
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
        return Chart(tuple(curves), Z_AXIS, "Sobol index, share of the variance", columns)


def _bars(label: str, x: Any, shares: Any, confidence: Any, shade: float) -> Curve:
    """Return Sobol indices as bars; zero if the output does not vary."""
    import numpy as np

    heights, errors = np.nan_to_num(shares), np.nan_to_num(confidence)
    return Curve(label, x, heights, ML, errors, shade=shade, kind="bars", bar_width=0.38)


def distributions(
    system: SlitSystem, kinds: dict[str, str], widths: dict[str, str]
) -> dict[str, Any]:
    """Return the distributions of the uncertain inputs, centred on their values in a system.

    Raises
    ------
    InvalidInput
        If a width is not a positive number.
    """
    from nanoconf.uncertainty.propagation import Gaussian, Uniform

    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        if kind != EXACT:
            mean, width = getattr(system, name), _width(name, widths[name])
            uniform = kind == UNIFORM
            found[name] = Uniform(mean - width, mean + width) if uniform else Gaussian(mean, width)
    return found


def _width(name: str, typed: str) -> float:
    text = typed.strip()
    value = float(text.replace(",", ".")) if NUMBER.fullmatch(text) else 0.0
    if not 0 < value < float("inf"):
        raise InvalidInput(name, typed, "the width must be a positive number")
    return value


def _message(refused: InvalidInput) -> str:
    """Return the message of an error, with the page's name for the input."""
    field = FIELDS.get(refused.parameter)
    return (
        refused.allowed if field is None else f"{field.title}, {refused.value}: {refused.allowed}"
    )
