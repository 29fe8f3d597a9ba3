"""Security headers of every response."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

COMMON = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}

PAGE = {
    "default-src": "'none'",
    # 'nonce-…'  Voila's template has inline scripts; each gets the nonce of its response.
    # blob:      anywidget imports the JavaScript of a widget from a blob.
    "script-src": "'self' blob: 'nonce-{nonce}'",
    # 'unsafe-inline'  JupyterLab, ipywidgets and K3D add style elements; figures have a size.
    "style-src": "'self' 'unsafe-inline'",
    # data: and blob:  icons of JupyterLab; images of ipympl.
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'none'",
    "base-uri": "'none'",
}
"""Content-Security-Policy of the page. Every exception is listed in docs/security.md."""

AUTOMATED = {**PAGE, "script-src": PAGE["script-src"] + " 'unsafe-eval'"}
"""Policy of the page if only this computer can open it, without a token. Tools that automate a
browser evaluate strings as code (such as Playwright's ``wait_for_function``)."""

PLAIN = {
    "default-src": "'none'",
    "script-src": "'nonce-{nonce}'",
    "style-src": "'nonce-{nonce}'",
    "img-src": "data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
}
"""Policy of the login page and the queue."""

OTHERS = {"default-src": "'none'"}
"""Policy of all other responses: files and data, which are never shown on their own."""

ANCESTOR = re.compile(r"'self'|'none'|https?://(\*\.)?[\w.-]+(:(\d+|\*))?", re.ASCII)


def check_ancestor(source: str) -> str:
    """Return a source for frame-ancestors; ``self`` and ``none`` may lack their quotes.

    Raises
    ------
    ValueError
        If it is not a source.
    """
    quoted = f"'{source}'" if source in ("self", "none") else source
    if not ANCESTOR.fullmatch(quoted):
        raise ValueError(
            f"frame ancestor {source!r} must be self, none or an origin such as "
            "https://course.example.org"
        )
    return quoted


def policy(sources: dict[str, str], ancestors: Iterable[str], nonce: str = "") -> str:
    """Return the value of a Content-Security-Policy header."""
    allowed = {**sources, "frame-ancestors": " ".join(ancestors) or "'self'"}
    return "; ".join(f"{kind} {value.format(nonce=nonce)}" for kind, value in allowed.items())


class SecurityHeaders(OutputTransform):
    """Adds headers to every response that lacks them, from any handler."""

    def __init__(self, added: dict[str, str], request: HTTPServerRequest):
        super().__init__(request)
        self._added = added

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add the headers."""
        for name, value in self._added.items():
            headers.setdefault(name, value)
        return status_code, headers, chunk
