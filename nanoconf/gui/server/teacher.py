"""Teacher's view: who may open it."""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Callable
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import authenticated

from nanoconf.gui.server import tokens
from nanoconf.gui.server.plain import PlainErrors, answer_page

TEACHER_TOKEN = "NANOCONF_TEACHER_TOKEN"
COOKIE = "nanoconf-teacher"
QUERY = "teacher"
"""Parameter of the page's address that asks for the teacher's view."""

SHORTEST = 8
"""Minimum number of characters in a token. It may be a password that people choose."""


def configured(path: str = "") -> str | None:
    """Return the token in a file, by default from the environment; None if there is none.

    Raises
    ------
    TokenError
        If it cannot be used.
    """
    return tokens.configured_token(TEACHER_TOKEN, path, SHORTEST)


def take_token(path: str = "") -> str | None:
    """Return the configured token, and hide it from the processes that this one starts."""
    token = configured(path)
    for name in (TEACHER_TOKEN, f"{TEACHER_TOKEN}_FILE"):
        os.environ.pop(name, None)
    return token


class Attempts:
    """Limit on the rate of attempts: a few at once, then one per interval, for each address and in
    total.

    Parameters
    ----------
    clock : callable
        Returns the time in seconds.
    """

    EACH = 5, 10.0
    ALL = 30, 2.0
    """Attempts at once, and the interval (s) after them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        # Times until which the attempts so far are spread out; by address.
        self._all = -math.inf
        self._each: dict[str, float] = {}

    def wait(self, address: str) -> float:
        """Count an attempt and return 0, or return the seconds until one is allowed."""
        now = self._clock()
        self._each = {key: until for key, until in self._each.items() if until > now}
        each = max(self._each.get(address, now), now) + self.EACH[1]
        total = max(self._all, now) + self.ALL[1]
        late = max(each - now - math.prod(self.EACH), total - now - math.prod(self.ALL))
        if late > 0:
            return late
        self._each[address], self._all = each, total
        return 0.0


class Teacher:
    """The teacher's token, and the browsers that have entered it.

    Parameters
    ----------
    token : str
        The token.
    """

    def __init__(self, token: str):
        self._hash = tokens.digest(token)
        # A browser that has entered the token keeps this instead, until the server ends.
        self._pass = secrets.token_urlsafe(32)
        self.attempts = Attempts()

    def accepts(self, given: str) -> bool:
        """Return True for the token; hashes are compared in constant time."""
        return tokens.same(tokens.digest(given), self._hash)

    def is_at(self, handler: Any) -> bool:
        """Return True if the request comes from a browser that has entered the token."""
        return tokens.same(handler.get_cookie(COOKIE) or "", self._pass)

    def admit(self, handler: Any) -> None:
        """Store the admission in the browser, as a cookie that scripts cannot read."""
        handler.set_cookie(
            COOKIE,
            self._pass,
            path=handler.base_url,
            secure=handler.request.protocol == "https",
            httponly=True,
            samesite="Lax",
        )


def ask(handler: Any, refused: str = "") -> None:
    """Answer with the form for the token."""
    answer_page(
        handler,
        "login.html",
        action=url_path_join(handler.base_url, "teacher"),
        title="Teacher's view",
        words="The teacher's view shows the queue and the results of the class.",
        label="Teacher's token or password",
        button="Open the teacher's view",
        refused=refused,
        xsrf=handler.xsrf_form_html(),
    )


class TeacherHandler(PlainErrors, JupyterHandler):
    """Checks the teacher's token, and ends the teacher's view.

    Parameters
    ----------
    teacher : Teacher
        The token.
    """

    def initialize(self, teacher: Teacher) -> None:
        """Keep the token."""
        self._teacher = teacher

    @authenticated
    async def get(self) -> None:
        """End the teacher's view in this browser; without ``leave``, redirect to its form."""
        if "leave" in self.request.query_arguments:
            self.clear_cookie(COOKIE, path=self.base_url)
            self.redirect(self.base_url)
        else:
            self.redirect(f"{self.base_url}?{QUERY}")

    @authenticated
    async def post(self) -> None:
        """Check the token."""
        wait = self._teacher.attempts.wait(str(self.request.remote_ip))
        if wait:
            seconds = math.ceil(wait)
            self.set_status(429)
            self.set_header("Retry-After", str(seconds))
            ask(self, f"Too many attempts. Try again in {seconds} s.")
        elif self._teacher.accepts(self.get_body_argument("password", "").strip()):
            self._teacher.admit(self)
            self.redirect(f"{self.base_url}?{QUERY}")
        else:
            self.set_status(401)
            ask(self, "This is not the teacher's token.")
