"""Parsing of requests: their origin and their contents."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError

from backend.inputs import InvalidInput
from backend.untrusted import parse as parse_json
from nanoconf.gui.server.api import limits
from nanoconf.verbs.problems import one_line

OTHER_SITE = "requests from pages of other sites are refused"

FORMATS = ("json", "csv")

NOT_ARGUMENTS = ("token", "format")
"""Keys of the query that are not arguments of a verb."""


class Problem(HTTPError):
    """Error with a line for the caller that may, unlike an HTTP reason phrase, hold any characters.

    Parameters
    ----------
    status : int
        Status.
    line : str
        The line.
    headers : dict of str to str, optional
        Headers of the response.
    """

    def __init__(self, status: int, line: str, headers: dict[str, str] | None = None):
        super().__init__(int(status))
        self.line, self.headers = line, headers or {}


def check_site(request: HTTPServerRequest) -> None:
    """Refuse a request that a page of another site makes; following a link is allowed.

    Raises
    ------
    HTTPError
        The request comes from such a page.
    """
    site = request.headers.get("Sec-Fetch-Site", "none")
    mode = request.headers.get("Sec-Fetch-Mode", "")
    link = request.method == "GET" and mode == "navigate"
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("Host")
    if foreign or (site not in ("same-origin", "none") and not link):
        raise Problem(403, OTHER_SITE)


def given(request: HTTPServerRequest, path: dict[str, str]) -> list[tuple[str, Any]]:
    """Return the arguments in the address, in the query and in the body.

    Raises
    ------
    InvalidInput
        The query is too long.
    Problem
        The body is too large, or is not a JSON object.
    """
    asked = [pair for pair in _query(request) if pair[0] not in NOT_ARGUMENTS]
    return [*path.items(), *asked, *_body(request)]


def wants_csv(request: HTTPServerRequest) -> bool:
    """Return True for a request for CSV: by ``format=csv``, else by the ``Accept`` header.

    Raises
    ------
    InvalidInput
        There is no such format.
    """
    formats = [value for name, value in _query(request) if name == "format"]
    for value in formats:
        if value not in FORMATS:
            raise InvalidInput("format", value, f"must be {' or '.join(FORMATS)}")
    if formats:
        return formats[-1] == "csv"
    accepted = request.headers.get("Accept", "")
    return "text/csv" in accepted and "application/json" not in accepted


def _query(request: HTTPServerRequest) -> list[tuple[str, str]]:
    if len(request.query) > limits.MAX_QUERY:
        allowed = f"must have at most {limits.MAX_QUERY} characters"
        raise InvalidInput("query", request.query, allowed)
    return parse_qsl(request.query, keep_blank_values=True)


def _body(request: HTTPServerRequest) -> list[tuple[str, Any]]:
    """Return the members of the JSON object in the body."""
    if not request.body:
        return []
    if len(request.body) > limits.MAX_BODY:
        raise Problem(413, f"the body must have at most {limits.MAX_BODY} bytes")
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise Problem(415, "send the inputs as Content-Type: application/json")
    try:
        values = parse_json(request.body)
    except ValueError as error:
        raise Problem(400, f"the body {one_line(error)}") from error
    if not isinstance(values, dict):
        raise Problem(400, "the body must be a JSON object with the inputs")
    return list(values.items())
