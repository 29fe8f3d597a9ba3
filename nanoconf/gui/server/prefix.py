"""Path prefix under which a proxy serves the page, such as ``/nanoconf/``."""

from __future__ import annotations

import re
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import Application, RequestHandler

# Voila inserts the prefix into regular expressions and into the page as it stands.
PREFIX = re.compile(r"/(?:(?:[\w.~@-]|%[0-9A-F]{2})+/)*", re.IGNORECASE | re.ASCII)

OURS = ("voila", "api")
"""First parts of the server's own addresses, which a prefix could be confused with."""


def check_prefix(text: str) -> str:
    """Return a prefix with a slash at both ends.

    Raises
    ------
    ValueError
        If it is not a path, or begins as the server's own addresses do.
    """
    prefix = text if text.endswith("/") else f"{text}/"
    parts = prefix.strip("/").split("/")
    if not PREFIX.fullmatch(prefix) or {".", ".."} & set(parts):
        raise ValueError(
            f"base URL {text!r} must be a path of letters, digits and -._~@ that begins with a "
            "slash, such as /nanoconf/"
        )
    if parts[0] in OURS:
        raise ValueError(
            f"base URL {text!r} must not begin with /{parts[0]}/, which is an address of the "
            "server itself: choose another, such as /nanoconf/"
        )
    return prefix


class _Bare(Matcher):
    """Matches the prefix without its last slash."""

    def __init__(self, prefix: str):
        self._path = prefix.removesuffix("/")

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {} if request.path == self._path else None


class _AddSlash(RequestHandler):
    """Sends the browser to the page."""

    def get(self) -> None:
        """Redirect with the query."""
        query = self.request.query
        self.set_status(302)
        self.set_header(
            "Location", f"{self.request.path}/?{query}" if query else f"{self.request.path}/"
        )


def serve_under(app: Application, prefix: str) -> None:
    """Make an application whose addresses begin with a prefix accept them without it, too.

    Some proxies pass the prefix on and others remove it.
    """
    if prefix == "/":
        return
    app.default_router.rules.insert(0, Rule(_Bare(prefix), _AddSlash))
    find_handler = app.find_handler

    def find_with_prefix(request: HTTPServerRequest, **options: Any) -> Any:
        if not f"{request.path}/".startswith(prefix):
            request.uri = f"{prefix}{(request.uri or '').removeprefix('/')}"
            request.path = f"{prefix}{request.path.removeprefix('/')}"
        return find_handler(request, **options)

    app.find_handler = find_with_prefix  # type: ignore[method-assign]
