"""A verb, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from nanoconf.verbs.arguments import Argument

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.verbs.caller import Caller


@dataclass(frozen=True)
class Answer:
    """Answer to a call.

    Attributes
    ----------
    values : dict
        JSON values.
    csv : str
        The profiles as CSV; empty if there are none.
    status : HTTPStatus
        ``OK``, ``ACCEPTED`` for a run that has not finished, or ``UNPROCESSABLE_ENTITY`` for valid
        inputs without a prediction.
    run : Run or None
        The run that the call is about.
    """

    values: dict[str, Any]
    csv: str = ""
    status: HTTPStatus = HTTPStatus.OK
    run: Run | None = None


@dataclass(frozen=True, kw_only=True)
class Verb:
    """Operation that programs can call.

    Attributes
    ----------
    name : str
        Name: of the tool in MCP, and of the operation in OpenAPI.
    title, description : str
        Short and full description of the verb.
    arguments : tuple of Argument
        Its arguments.
    execute : callable
        Carries out a call, given the caller and the parsed arguments; returns an `Answer`.
    method, path : str
        Method and address over HTTP. ``{id}`` in the address is the argument ``id``.
    changes : bool
        True if it changes anything; then it is not cached, and over HTTP it requires a key.
    waits : bool
        True if a caller may wait for the run that the answer is about.
    has_csv : bool
        True if the answer may have CSV.
    """

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    execute: Callable[[Caller, dict[str, Any]], Answer]
    method: str = "GET"
    path: str
    changes: bool = False
    waits: bool = False
    has_csv: bool = False
