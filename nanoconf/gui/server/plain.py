"""Plain responses: one line of text, or one of the HTML files of this folder."""

from __future__ import annotations

import secrets
from http.client import responses
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import log
from tornado.template import Loader
from tornado.web import RequestHandler

from nanoconf.gui.server import headers


def answer_line(handler: RequestHandler, status: int, words: str) -> None:
    """Answer with one line of text."""
    handler.set_status(status)
    handler.set_header("Content-Type", "text/plain; charset=utf-8")
    handler.finish(f"{words}\n")


def answer_page(handler: Any, name: str, **values: Any) -> None:
    """Answer with a self-contained HTML file."""
    nonce = secrets.token_urlsafe(16)
    template = Loader(str(Path(__file__).parent)).load(name)
    handler.set_header("Content-Type", "text/html; charset=utf-8")
    handler.set_header("Cache-Control", "no-store")
    set_policy(handler, headers.PLAIN, nonce)
    handler.finish(template.generate(nonce=nonce, base_url=handler.base_url, **values))


def set_policy(handler: RequestHandler, sources: dict[str, str], nonce: str) -> None:
    """Set the Content-Security-Policy of a response."""
    ancestors = handler.settings["frame_ancestors"]
    handler.set_header("Content-Security-Policy", headers.policy(sources, ancestors, nonce))


class PlainHandler(RequestHandler):
    """Handler that answers every request with the same line."""

    status = 404
    words = "There is nothing at this address."

    @property
    def log(self) -> Any:
        """Jupyter's log, so that refused requests do not fill the terminal."""
        return log()

    def prepare(self) -> None:
        """Answer."""
        answer_line(self, self.status, self.words)


class PlainErrors:
    """Reports errors in one line; jupyter_server's error pages need files that Voila lacks."""

    def write_error(self: Any, status_code: int, **_details: Any) -> None:
        """Answer with the reason; an unexpected error is logged."""
        reason = self._reason or responses.get(status_code, "Unknown error")
        answer_line(self, status_code, f"{reason}. Reload the page.")
