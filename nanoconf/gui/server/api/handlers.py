"""Handlers of the API endpoints."""

from __future__ import annotations

import asyncio
import json
import math
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from http import HTTPStatus
from http.client import responses
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.ioloop import IOLoop
from tornado.web import HTTPError

from backend.runs.archive import Archive, UnusableHome
from backend.runs.run import DamagedRun
from nanoconf.gui.server.api import limits
from nanoconf.gui.server.api.caller import Person, WebCaller
from nanoconf.gui.server.api.openapi import document
from nanoconf.gui.server.api.request import Problem, check_site, given, wants_csv
from nanoconf.gui.services.permissions import NotAllowed
from nanoconf.surrogate.lifecycle.registry import ModelNotFound
from nanoconf.verbs import arguments
from nanoconf.verbs.caller import CurrentModel
from nanoconf.verbs.problems import explain, one_line
from nanoconf.verbs.verb import Answer, Verb

NEEDS_KEY = (
    f"send the header {limits.KEY} with a secret string of your own, {limits.SHORTEST_KEY} to "
    f"{limits.LONGEST_KEY} ASCII characters: it marks your runs, so that only you can cancel them"
)

NEEDS_TOKEN = "send the token of this server in the header Authorization: Bearer TOKEN"

WITHOUT_PATHS = {
    UnusableHome: "this server cannot store runs, perhaps because its disk is full: tell its owner",
    ModelNotFound: "this server has no usable model: tell its owner",
    DamagedRun: "this run is damaged or has been removed",
}
"""Lines for visitors in place of those that name folders of this computer."""

FAILURE_SECONDS = 1.0
"""Delay of the response to a wrong token."""


def _without_paths(error: Exception) -> str:
    return next((line for kind, line in WITHOUT_PATHS.items() if isinstance(error, kind)), "")


class Api:
    """State shared by all requests: the archive, the model, threads and limits."""

    def __init__(self) -> None:
        self.model = CurrentModel()
        self.reads, self.changes = limits.Reads(), limits.Changes()
        self.submitted = limits.Submitted()
        self._pool = ThreadPoolExecutor(2, "nanoconf-api")
        self._calls = 0

    @cached_property
    def archive(self) -> Archive:
        """The archive of runs."""
        return Archive()

    async def execute(self, verb: Verb, caller: WebCaller, given: dict[str, Any]) -> Answer:
        """Carry out a call in a thread.

        Raises
        ------
        HTTPError
            Too many calls are waiting.
        """
        if self._calls >= limits.MOST_CALLS:
            raise Problem(503, "the server is busy: try again", {"Retry-After": "1"})
        self._calls += 1
        try:
            loop = IOLoop.current()
            return await loop.run_in_executor(self._pool, verb.execute, caller, given)
        finally:
            self._calls -= 1


class JsonErrors(JupyterHandler):
    """Handler that responds with JSON, even to errors, and never redirects to the login page."""

    async def prepare(self) -> None:  # type: ignore[override]
        """Check the site and the token."""
        check_site(self.request)
        try:
            await super().prepare(_redirect_to_login=False)  # type: ignore[misc]
        except HTTPError as error:
            if error.status_code != HTTPStatus.FORBIDDEN or self.current_user:
                raise
            if self.identity_provider.get_token(self):
                await asyncio.sleep(FAILURE_SECONDS)
            raise Problem(401, NEEDS_TOKEN, {"WWW-Authenticate": "Bearer"}) from None

    def set_secure_cookie(self, *_arguments: Any, **_options: Any) -> None:  # type: ignore[override]
        """Set no cookie: programs send the token with every request."""

    def check_xsrf_cookie(self) -> None:
        """Do nothing: browsers add cookies, but not keys, to requests from other sites."""

    def write_error(self, status_code: int, **details: Any) -> None:
        """Answer with the reason in one line; an unexpected error is logged."""
        error = (details.get("exc_info") or [None, None])[1]
        if isinstance(error, Problem):
            line = error.line
            for name, value in error.headers.items():
                self.set_header(name, value)
        elif isinstance(error, HTTPError):
            line = self._reason
        else:
            line = "unexpected error: see the server log"
        self.answer({"error": line}, status_code)

    def answer(self, values: dict[str, Any], status: int) -> None:
        """Answer with JSON."""
        self.set_status(status, responses[status])
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


class DocumentHandler(JsonErrors):
    """Answers with the OpenAPI document."""

    SUPPORTED_METHODS = ("GET",)

    async def get(self) -> None:
        """Answer."""
        self.set_header("Cache-Control", "no-cache")
        self.answer(document(self.base_url), 200)


class VerbHandler(JsonErrors):
    """Carries out the verbs of one address.

    Parameters
    ----------
    api : Api
        State shared by all requests.
    verbs : dict of str to Verb
        The verbs of this address, by method.
    """

    SUPPORTED_METHODS = ("GET", "POST", "DELETE")

    def initialize(self, api: Api, verbs: dict[str, Verb]) -> None:
        """Keep the parameters."""
        self._api, self._verbs = api, verbs

    async def get(self, **path: str) -> None:
        """Carry out a verb that changes nothing."""
        await self._call(path)

    async def post(self, **path: str) -> None:
        """Carry out a verb that submits."""
        await self._call(path)

    async def delete(self, **path: str) -> None:
        """Carry out a verb that cancels."""
        await self._call(path)

    # --- a call -----------------------------------------------------------------------------

    async def _call(self, path: dict[str, str]) -> None:
        verb = self._verbs.get(self.request.method or "")
        if verb is None:
            methods = ", ".join(self._verbs)
            raise Problem(405, f"this address accepts only {methods}", {"Allow": methods})
        self._check_rate(verb)
        try:
            person = self._person(verb)
            parsed = arguments.parse(verb.arguments, given(self.request, path))
            csv = wants_csv(self.request)
            caller = WebCaller(self._api.archive, self._api.model, person, self._api.submitted)
            answer = await self._api.execute(verb, caller, parsed)
        except NotAllowed as error:
            raise Problem(403, one_line(error)) from error
        except HTTPError:
            raise
        except Exception as error:
            explanation = explain(error)
            if explanation is None:
                raise
            raise Problem(explanation[0], _without_paths(error) or explanation[1]) from error
        self._send(verb, answer, csv)

    def _check_rate(self, verb: Verb) -> None:
        rate = self._api.changes if verb.changes else self._api.reads
        wait = rate.wait(str(self.request.remote_ip))
        if wait:
            seconds = math.ceil(wait)
            line = f"too many requests: try again in {seconds} s"
            raise Problem(429, line, {"Retry-After": str(seconds)})

    def _person(self, verb: Verb) -> Person:
        """Return the sender of the request; a key is required for changes."""
        gate: Any = self.identity_provider
        visitor = gate.visitor(self)
        key = self.request.headers.get(limits.KEY, "")
        right = limits.SHORTEST_KEY <= len(key) <= limits.LONGEST_KEY and key.isascii()
        if not right and (key or verb.changes):
            raise Problem(403, NEEDS_KEY)
        identity = visitor.identity({"key": key} if key else {})
        return Person(identity, "" if visitor.user else str(self.request.remote_ip))

    def _send(self, verb: Verb, answer: Answer, csv: bool) -> None:
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Vary", f"Accept, {limits.KEY}")
        if verb.changes and answer.run is not None:
            self.set_header("Location", f"{self.base_url}api/runs/{answer.run.id}")
        if not csv or answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            self.answer(answer.values, self._status(verb, answer))
        elif answer.csv:
            self.set_header("Content-Type", "text/csv; charset=utf-8")
            self.finish(answer.csv)
        else:
            line = (
                "there are no profiles"
                if verb.has_csv
                else "this response is available only as JSON"
            )
            self.answer({"error": line}, 409 if verb.has_csv else 406)

    @staticmethod
    def _status(verb: Verb, answer: Answer) -> int:
        """Return the status: 202 only for a request that is still to be carried out."""
        if answer.status == HTTPStatus.ACCEPTED and not verb.changes:
            return HTTPStatus.OK
        return answer.status
