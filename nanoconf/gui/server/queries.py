"""Queries that Voila cannot serve: they are replaced, so that the page opens and reports them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import Application, RequestHandler

from nanoconf.gui.links import LONGEST, TOO_LONG

MAX_HEADER_BYTES = 2**22
"""Maximum size of the head of a request; browsers open addresses of up to 2 MiB."""

OF_VOILA = ("template", "theme")
"""Keys with which Voila lets a link replace the template of the page."""


def usable(query: str) -> str:
    """Return a query that Voila can serve; one that it can serve is returned unchanged."""
    if len(query) > LONGEST:
        return f"{TOO_LONG}="
    pairs = parse_qsl(query, keep_blank_values=True)
    ours = [(key, value) for key, value in pairs if key not in OF_VOILA]
    return query if ours == pairs and _is_utf8(query) else urlencode(ours)


def _is_utf8(query: str) -> bool:
    try:
        unquote_to_bytes(query.encode("latin-1", "replace")).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _Unusable(Matcher):
    """Matches requests with a query that has to be replaced.

    Parameters
    ----------
    apart : str
        Beginning of the paths that Voila does not serve; empty if there are none.
    """

    def __init__(self, apart: str = ""):
        self._apart = apart

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        of_voila = not (self._apart and request.path.startswith(self._apart))
        unusable = request.method == "GET" and of_voila and usable(request.query) != request.query
        return {} if unusable else None


class _Replace(RequestHandler):
    """Sends the browser to the same page with a query that can be served."""

    def get(self) -> None:
        """Redirect relative to the address in the browser, which a proxy may have changed."""
        name, query = self.request.path.rpartition("/")[2], usable(self.request.query)
        self.set_status(302)
        self.set_header("Location", f"./{name}?{query}" if query else f"./{name}")


def accept_any_query(app: Application, apart: str = "") -> None:
    """Make an application serve the page whatever its query, up to `MAX_HEADER_BYTES`.

    Parameters
    ----------
    app : Application
        The application.
    apart : str
        Beginning of the paths that Voila does not serve.
    """
    app.default_router.rules.insert(0, Rule(_Unusable(apart), _Replace))
