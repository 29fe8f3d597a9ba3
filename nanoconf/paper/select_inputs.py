"""Selection of the surrogate's inputs by backward elimination on adjusted R².

As in the paper (Kadupitiya, Sun, Fox and Jadhao, J. Comput. Sci. 42, 101107, 2020), contact,
midplane and peak densities of the positive ions are regressed by ordinary least squares on all
standardised candidate inputs, and the least useful inputs are dropped one by one. Adjusted R²
penalises each coefficient, so it falls if an input explains no more than random numbers would.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from backend.system import InvalidInput, SlitSystem
from nanoconf.paper.points import POINTS, point_densities
from nanoconf.surrogate.simulations import Simulations
from nanoconf.tables import aligned

CANDIDATES: dict[str, Callable[[SlitSystem], float]] = {
    "h": lambda system: system.confinement_length,
    "z+": lambda system: system.positive_valency,
    "z-": lambda system: system.negative_valency,
    "c": lambda system: system.salt_concentration,
    "d": lambda system: system.positive_diameter,
    "d-/d+": lambda system: system.diameters[1] / system.diameters[0],
    "T": lambda system: system.temperature,
    "eps": lambda system: system.relative_permittivity,
}
"""Candidate inputs: h, z₊, z₋, c, d = d₊, d₋/d₊, temperature, relative permittivity."""

MODELS = ("linear", "quadratic")
"""Linear terms only, or also all squares and products."""

RULE = (
    "each step drops the input whose removal leaves the highest score, the mean adjusted R² of the "
    "targets; the selection ends before a step that would lower the score (the table continues to "
    "the last input)"
)

Term = tuple[int, ...]


# --- candidates and terms -------------------------------------------------------------------


@dataclass(frozen=True)
class Inputs:
    """Values of candidate inputs.

    Attributes
    ----------
    names : tuple of str
        The inputs that vary.
    values : ndarray, shape (simulations, inputs)
        Their values, standardised to mean 0 and standard deviation 1.
    constant : dict of str to float
        Value of each input that is constant and therefore left out.
    """

    names: tuple[str, ...]
    values: np.ndarray
    constant: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, systems: Sequence[SlitSystem]) -> Self:
        """Collect the candidate inputs of simulated systems."""
        columns = {
            name: np.array([value_of(system) for system in systems], dtype=float).round(9)
            for name, value_of in CANDIDATES.items()
        }
        varying = {name: column for name, column in columns.items() if np.ptp(column) > 0}
        constant = {name: float(columns[name][0]) for name in columns if name not in varying}
        standard = [(column - column.mean()) / column.std() for column in varying.values()]
        values = np.array(standard).reshape(len(varying), len(systems)).T
        return cls(tuple(varying), values, constant)

    def terms(self, model: str) -> list[Term]:
        """Return the terms of a model, each a tuple of the indices of the inputs to multiply.

        An input with only two values has no square term, which would be linear in the input.
        """
        linear: list[Term] = [(i,) for i in range(len(self.names))]
        if model == "linear":
            return linear
        pairs = itertools.combinations_with_replacement(range(len(self.names)), 2)
        return linear + [(i, j) for i, j in pairs if i != j or self._has_square(i)]

    def _has_square(self, position: int) -> bool:
        return len(np.unique(self.values[:, position])) > 2

    def columns(self, terms: Sequence[Term]) -> np.ndarray:
        """Values of terms, shape (simulations, terms)."""
        columns = [self.values[:, list(term)].prod(axis=1) for term in terms]
        return np.array(columns).reshape(len(terms), len(self.values)).T


# --- least squares --------------------------------------------------------------------------


@dataclass(frozen=True)
class Fit:
    """Ordinary least-squares fit with an intercept.

    Attributes
    ----------
    coefficients : ndarray, shape (terms, targets)
        Coefficients without the intercept.
    residual : ndarray, shape (targets,)
        Sum of squared residuals.
    freedom : int
        Degrees of freedom of the residuals.
    r2, adjusted_r2 : ndarray, shape (targets,)
        Fraction of the variance explained, and the same adjusted for the number of terms.
    """

    coefficients: np.ndarray
    residual: np.ndarray
    freedom: int
    r2: np.ndarray
    adjusted_r2: np.ndarray


def least_squares(columns: np.ndarray, targets: np.ndarray) -> Fit:
    """Regress targets, shape (simulations, targets), on columns, shape (simulations, terms)."""
    count = len(targets)
    design = np.column_stack([np.ones(count), columns])
    coefficients, _, rank, _ = np.linalg.lstsq(design, targets, rcond=None)
    residual = np.sum((targets - design @ coefficients) ** 2, axis=0)
    unexplained = residual / np.sum((targets - targets.mean(axis=0)) ** 2, axis=0)
    freedom = count - int(rank)
    adjusted = 1 - unexplained * (count - 1) / freedom
    return Fit(coefficients[1:], residual, freedom, 1 - unexplained, adjusted)


def p_values(fit: Fit, without: Fit) -> np.ndarray:
    """Return the p-values of the F test between a fit and one without some terms, shape (targets,).

    For a single term, F is the square of its t statistic, and the test is the two-sided t test.
    """
    from scipy import stats

    terms = without.freedom - fit.freedom
    if terms == 0:  # the terms are linear combinations of the others
        return np.ones_like(fit.residual)
    with np.errstate(divide="ignore"):
        f = (without.residual - fit.residual) / terms / (fit.residual / fit.freedom)
    return stats.f.sf(f, terms, fit.freedom)


# --- elimination ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One step of an elimination: the fit with the remaining inputs.

    Attributes
    ----------
    inputs : tuple of str
        The remaining inputs.
    terms : int
        Number of terms of the model, without the intercept.
    r2, adjusted_r2 : dict of str to float
        By target.
    score : float
        Mean adjusted R² of the targets.
    score_without : dict of str to float
        Score of the fit without an input and all its terms, by input.
    p, t : dict of str to dict of str to float
        p-value, and t statistic if the input has a single term; by input and target.
    dropped : str, optional
        Input that this step drops.
    """

    inputs: tuple[str, ...]
    terms: int
    r2: dict[str, float]
    adjusted_r2: dict[str, float]
    score: float
    score_without: dict[str, float]
    p: dict[str, dict[str, float]]
    t: dict[str, dict[str, float]]
    dropped: str | None


@dataclass(frozen=True)
class Elimination:
    """Backward elimination down to the last input.

    Attributes
    ----------
    model : {"linear", "quadratic"}
        Terms of the model.
    targets : tuple of str
        Densities whose mean adjusted R² is the score.
    steps : list of Step
        Steps from all inputs to one.
    """

    model: str
    targets: tuple[str, ...]
    steps: list[Step]

    @property
    def chosen(self) -> Step:
        """The first step at which dropping any input would lower the score."""
        for step in self.steps:
            if step.dropped is None or step.score_without[step.dropped] < step.score:
                return step
        return self.steps[-1]

    def to_dict(self) -> dict[str, Any]:
        """Return the elimination as JSON values."""
        return {
            "model": self.model,
            "targets": list(self.targets),
            "chosen": list(self.chosen.inputs),
            "steps": [_tidied(asdict(step)) for step in self.steps],
        }


def eliminate(
    inputs: Inputs, densities: np.ndarray, model: str, targets: Sequence[str] = POINTS
) -> Elimination:
    """Drop inputs one by one, by `RULE`.

    Parameters
    ----------
    inputs : Inputs
        At least two candidates.
    densities : ndarray, shape (simulations, 3)
        Contact, midplane and peak densities (M).
    model : {"linear", "quadratic"}
        Terms of the model.
    targets : sequence of str
        Densities whose mean adjusted R² is the score.

    Raises
    ------
    ValueError
        If the model has at least as many terms as there are simulations.
    """
    terms = inputs.terms(model)
    if len(terms) + 1 >= len(densities):
        raise ValueError(
            f"{len(densities)} simulations are too few for the {len(terms)} terms of the {model} "
            "model"
        )
    chosen = densities[:, [POINTS.index(name) for name in targets]]
    remaining = list(range(len(inputs.names)))
    steps = []
    while remaining:
        step = _step(inputs, remaining, terms, chosen, targets)
        steps.append(step)
        remaining = [i for i in remaining if step.dropped not in (None, inputs.names[i])]
    return Elimination(model, tuple(targets), steps)


def _step(
    inputs: Inputs,
    remaining: list[int],
    terms: list[Term],
    densities: np.ndarray,
    targets: Sequence[str],
) -> Step:
    present = [term for term in terms if set(term) <= set(remaining)]
    fit = least_squares(inputs.columns(present), densities)
    p, t, score_without = {}, {}, {}
    for i in remaining:
        others = [term for term in present if i not in term]
        without = least_squares(inputs.columns(others), densities)
        name = inputs.names[i]
        score_without[name] = float(without.adjusted_r2.mean())
        p[name] = _by_target(p_values(fit, without), targets)
        if len(present) - len(others) == 1:
            t[name] = _by_target(_t(fit, without, present.index((i,))), targets)
    last = len(remaining) == 1
    return Step(
        inputs=tuple(inputs.names[i] for i in remaining),
        terms=len(present),
        r2=_by_target(fit.r2, targets),
        adjusted_r2=_by_target(fit.adjusted_r2, targets),
        score=float(fit.adjusted_r2.mean()),
        score_without=score_without,
        p=p,
        t=t,
        dropped=None if last else max(score_without, key=lambda name: score_without[name]),
    )


def _t(fit: Fit, without: Fit, term: int) -> np.ndarray:
    """The t statistic of a term, from the fit without it."""
    f = (without.residual - fit.residual) / (fit.residual / fit.freedom)
    return np.sign(fit.coefficients[term]) * np.sqrt(np.maximum(f, 0))


def _by_target(values: np.ndarray, targets: Sequence[str]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(targets, values, strict=True)}


# --- selection ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """Eliminations with both models, for the three densities together and separately.

    Attributes
    ----------
    data : Simulations
        The dataset.
    inputs : Inputs
        The candidates.
    together : list of Elimination
        One per model, for all three densities.
    apart : list of Elimination
        One per model and density.
    """

    data: Simulations
    inputs: Inputs
    together: list[Elimination]
    apart: list[Elimination]

    def to_dict(self) -> dict[str, Any]:
        """Return the eliminations as JSON values."""
        return {
            "what": "Choice of inputs by backward elimination on adjusted R²; contact, "
            "midplane and peak densities of the positive ions",
            "rule": RULE,
            "data": {
                "folder": self.data.folder,
                "sha256": self.data.sha256,
                "simulations": len(self.data),
            },
            "candidates": list(self.inputs.names),
            "constant": self.inputs.constant,
            "together": [each.to_dict() for each in self.together],
            "apart": [each.to_dict() for each in self.apart],
        }


def select_inputs(data: Simulations) -> Choice:
    """Select inputs by backward elimination.

    Raises
    ------
    InvalidInput
        If fewer than two inputs vary in the data, or there are too few simulations.
    """
    inputs = Inputs.of(data.systems)
    if len(inputs.names) < 2:
        raise InvalidInput("data", data.folder, "must vary at least two inputs")
    densities = point_densities(data).density
    try:
        together = [eliminate(inputs, densities, model) for model in MODELS]
        apart = [
            eliminate(inputs, densities, model, (point,)) for model in MODELS for point in POINTS
        ]
    except ValueError as problem:
        raise InvalidInput("data", data.folder, str(problem)) from None
    return Choice(data, inputs, together, apart)


# --- the table ------------------------------------------------------------------------------


def format_choice(choice: Choice) -> str:
    """Return the eliminations as text, step by step."""
    lines = [
        f"Backward elimination on adjusted R², {len(choice.data)} simulations; contact/mid/peak "
        "density of the positive ions",
        f"Rule: {RULE}.",
    ]
    lines += [
        f"{name} = {value:g} in all simulations: it is omitted."
        for name, value in choice.inputs.constant.items()
    ]
    for elimination in choice.together:
        lines += ["", *_described(elimination)]
    apart = [
        (
            each.model,
            each.targets[0],
            " ".join(each.chosen.inputs),
            f"adjusted R² {each.chosen.score:.4f}",
        )
        for each in choice.apart
    ]
    kept = textwrap.indent(aligned(apart, left=3), "  ")
    return "\n".join([*lines, "", "Inputs kept for each density alone:", kept])


def _described(elimination: Elimination) -> list[str]:
    chosen = elimination.chosen
    lines = [f"--- {elimination.model} model ---"]
    for number, step in enumerate(elimination.steps, 1):
        lines += [*_step_lines(number, step), ""]
    return [*lines, f"The {elimination.model} model keeps: {' '.join(chosen.inputs)}"]


def _step_lines(number: int, step: Step) -> list[str]:
    head = (
        f"step {number}: {len(step.inputs)} inputs, {step.terms} terms; "
        f"R² {_slashed(step.r2, '.4f')}; adjusted {_slashed(step.adjusted_r2, '.4f')}; "
        f"score {step.score:.5f}"
    )
    rows = [("input", "t", "p", "score without", ""), *(_row(step, name) for name in step.inputs)]
    return [head, textwrap.indent(aligned(rows), "  ")]


def _row(step: Step, name: str) -> tuple[str, ...]:
    return (
        name,
        _slashed(step.t[name], ".1f") if name in step.t else "",
        _slashed(step.p[name], ".1e"),
        f"{step.score_without[name]:.5f}",
        "dropped" if name == step.dropped else "",
    )


def _slashed(values: dict[str, float], style: str) -> str:
    return "/".join(format(value, style) for value in values.values())


def _tidied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tidied(each) for name, each in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
