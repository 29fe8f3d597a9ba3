"""Prediction of the profiles of a system."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from backend.inputs import SYSTEM
from nanoconf.verbs import arguments
from nanoconf.verbs.values import densities, profile_values
from nanoconf.verbs.verb import Answer, Verb

if TYPE_CHECKING:
    from nanoconf.surrogate import Surrogate
    from nanoconf.verbs.caller import Caller

ERROR_BARS = "90 % of the true densities lie within 1.645 times their error"

INSTEAD = "simulate the system instead"
"""Advice for a system outside the training range."""


def _predict(caller: Caller, given: dict[str, Any]) -> Answer:
    from backend.system import SlitSystem

    wanted = {name: given[name] for name in SYSTEM if name in given}
    system = SlitSystem(**wanted)
    surrogate = caller.model.load()
    problems = surrogate.domain.problems(system)
    values: dict[str, Any] = {
        "inputs": system.to_dict(),
        "model": surrogate.name,
        "in_training_range": not problems,
    }
    if problems:
        return _refused(values, problems, surrogate)
    profiles = surrogate.predict(system).profiles
    values |= {
        "typical_error": surrogate.typical_error,
        "densities_M": densities(system, profiles),
        "error_bars": ERROR_BARS,
    }
    if given.get("profiles", True):
        values["profiles"] = profile_values(profiles)
    return Answer(values, csv=profiles.to_csv())


def _refused(values: dict[str, Any], problems: list, surrogate: Surrogate) -> Answer:
    """Return the answer for a system outside the training range."""
    lines = [str(problem) for problem in problems]
    ranges = {
        name: {"low": allowed.low, "high": allowed.high, "unit": allowed.unit}
        for name, allowed in surrogate.domain.ranges.items()
    }
    values |= {
        "error": f"no prediction: {'; '.join(lines)}; {INSTEAD}",
        "reasons": lines,
        "training_range": ranges,
    }
    return Answer(values, status=HTTPStatus.UNPROCESSABLE_ENTITY)


PREDICT = Verb(
    name="predict",
    title="Predict density profiles",
    description=(
        "Predict the density profiles of positive and negative ions between two walls with a "
        "neural network, in milliseconds. Returns density and error (M) in 300 bins across the "
        "slit, and the contact, peak, midplane and mean densities. If an input lies outside the "
        "training range, the answer says which and gives the range; such a system can be simulated."
    ),
    arguments=(
        *arguments.of_inputs(SYSTEM),
        arguments.flag("profiles", True, "false leaves out the profiles and keeps the densities"),
    ),
    execute=_predict,
    path="/predict",
    has_csv=True,
)
