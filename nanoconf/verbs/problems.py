"""Errors of verbs: one line and a status for each."""

from __future__ import annotations

from http import HTTPStatus

from backend.inputs import LONGEST_MESSAGE, InvalidInput, escaped, shortened


def explain(error: Exception) -> tuple[HTTPStatus, str] | None:
    """Return the status and the line for an error that the caller can act on, else None."""
    from backend.cluster.problems import ClusterProblem
    from backend.runs.archive import UnknownRun, UnusableHome
    from backend.runs.run import DamagedRun
    from backend.sampling.result import Cancelled, SimulationError
    from nanoconf.surrogate.lifecycle.registry import ModelNotFound

    statuses: dict[type[Exception], HTTPStatus] = {
        InvalidInput: HTTPStatus.BAD_REQUEST,
        UnknownRun: HTTPStatus.NOT_FOUND,
        UnusableHome: HTTPStatus.SERVICE_UNAVAILABLE,
        ModelNotFound: HTTPStatus.SERVICE_UNAVAILABLE,
        ClusterProblem: HTTPStatus.SERVICE_UNAVAILABLE,
        DamagedRun: HTTPStatus.CONFLICT,
        SimulationError: HTTPStatus.CONFLICT,
        Cancelled: HTTPStatus.CONFLICT,
    }
    for kind, status in statuses.items():
        if isinstance(error, kind):
            return status, one_line(error)
    return None


def one_line(error: Exception) -> str:
    """Return the message of an error on one line."""
    text = str(error)
    if isinstance(error, InvalidInput) and error.value == "" and "is missing" in error.allowed:
        text = f"{error.parameter} {error.allowed}"
    return escaped(shortened(" ".join(text.split()) or type(error).__name__, LONGEST_MESSAGE))
