"""Gate in front of Voila: who may open the page."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from urllib.parse import unquote, urlencode

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.auth.login import LoginFormHandler
from tornado.ioloop import IOLoop
from tornado.web import RequestHandler
from traitlets import Bool, Callable, List, TraitError, Unicode, default, validate

from nanoconf.gui.server import headers, routes, tokens
from nanoconf.gui.server.host_names import (
    address,
    check_name,
    is_loopback,
)
from nanoconf.gui.server.notice import GATE
from nanoconf.gui.server.plain import PlainErrors, answer_page
from nanoconf.gui.server.proxies import USER_HEADER, TrustedProxies, check_header, check_proxy
from nanoconf.gui.server.teacher import Teacher, take_token
from nanoconf.gui.services.clusters import SHARED
from nanoconf.gui.services.visitor import Role, Visitor

ALLOWED_HOSTS, FRAME_ANCESTORS = "NANOCONF_ALLOWED_HOSTS", "NANOCONF_FRAME_ANCESTORS"

FAILURE_SECONDS = 1.0
"""Delay of the response to a wrong token."""

NO_TOKEN = (
    "No token: anyone who can reach this port can use the page, start simulations on this "
    "computer and see those of others. Use --no-token only behind a gateway that logs users in."
)


class LoginHandler(PlainErrors, LoginFormHandler):
    """Asks for the token, if it was not in the address."""

    def _render(self, message: dict[str, str] | None = None) -> None:
        answer_page(
            self,
            "login.html",
            action=f"{self.base_url}login?{urlencode({'next': self._next_address()})}",
            title="A token is needed",
            words="Open the address that the server has printed, or enter its token.",
            label="Token",
            button="Open the page",
            refused="" if message is None else "This is not the token of this server.",
            xsrf=self.xsrf_form_html(),
        )

    def _next_address(self) -> str:
        return self.get_argument("next", self.base_url)

    @allow_unauthenticated
    async def post(self) -> None:
        """Check the token; a wrong one costs a second."""
        if self.identity_provider.process_login_form(self) is None:
            await asyncio.sleep(FAILURE_SECONDS)
        super().post()


class Gate(IdentityProvider):
    """Jupyter's identity provider, which also puts the page's handlers before Voila's.

    Attributes
    ----------
    allowed_hosts : list of str
        Host names, besides this computer's own, under which the page is served.
    frame_ancestors : list of str
        Origins of pages that may show this one in a frame.
    ask_token, no_token : bool
        Ask for a token on this computer, too; never ask for one.
    teacher_token_file : str
        File with the teacher's token; default: from the environment. Without a token, there is no
        teacher's view.
    trusted_proxies : list of str
        Addresses of proxies that pass the name of the user, and networks of such addresses.
    user_header : str
        Header in which they pass it.
    session_cookie : str
        Cookie of a gateway; one of its comma-separated entries holds the token.
    public_url : str
        Address of the page for browsers, if it is not that of this server.
    on_start : callable, optional
        Receives the address of the page once the server is listening.
    """

    allowed_hosts = List(Unicode(), config=True)
    frame_ancestors = List(Unicode(), config=True)
    ask_token = Bool(False, config=True)
    no_token = Bool(False, config=True)
    teacher_token_file = Unicode(config=True)
    trusted_proxies = List(Unicode(), config=True)
    user_header = Unicode(USER_HEADER, config=True)
    session_cookie = Unicode(config=True)
    public_url = Unicode(config=True)
    on_start = Callable(None, allow_none=True, config=True)

    def __init__(self, **options: Any):
        options["login_handler_class"] = LoginHandler
        voila_token = options.pop("token", "")
        try:
            super().__init__(**options)
            self._choose_token(voila_token)
            self.teacher = self._make_teacher()
            _ = self.allowed_hosts, self.frame_ancestors  # checks the variables now
        except (TraitError, tokens.TokenError) as error:
            raise SystemExit(str(error)) from None
        self._proxies = TrustedProxies(self.trusted_proxies, self.user_header)
        Visitor.of_process()  # no kernel inherits the visitor of this process
        self.cookie_options = {"samesite": "Lax", **self.cookie_options}
        os.environ[GATE] = "1"  # inherited by the kernels
        if self.is_public:
            os.environ.setdefault(SHARED, "1")

    @default("allowed_hosts")
    def _default_allowed_hosts(self) -> list[str]:
        return _each(check_name, os.environ.get(ALLOWED_HOSTS, "").split())

    @default("frame_ancestors")
    def _default_frame_ancestors(self) -> list[str]:
        return _each(headers.check_ancestor, os.environ.get(FRAME_ANCESTORS, "").split())

    @validate("allowed_hosts")
    def _check_hosts(self, proposal: Any) -> list[str]:
        return _each(check_name, proposal["value"])

    @validate("frame_ancestors")
    def _check_ancestors(self, proposal: Any) -> list[str]:
        return _each(headers.check_ancestor, proposal["value"])

    @validate("trusted_proxies")
    def _check_proxies(self, proposal: Any) -> list[str]:
        return _each(check_proxy, proposal["value"])

    @validate("user_header")
    def _check_header(self, proposal: Any) -> str:
        return _each(check_header, [proposal["value"]])[0]

    # --- who may open the page ----------------------------------------------------------------

    @property
    def _voila(self) -> Any:
        return self.parent

    @property
    def is_public(self) -> bool:
        """True if anyone other than the user of this computer may reach the page."""
        return not is_loopback(self._voila.ip) or self.behind_proxy

    @property
    def behind_proxy(self) -> bool:
        """True if a proxy or gateway in between knows the visitor's protocol and address."""
        return self.no_token or bool(self.allowed_hosts or self.trusted_proxies)

    def _choose_token(self, voila_token: str) -> None:
        """Use the configured token, or Voila's, or a new one if one is needed."""
        token = tokens.take_configured_token() or voila_token
        needed = self.ask_token or self._voila.auto_token or not is_loopback(self._voila.ip)
        self._is_new = needed and not token and not self.no_token
        if self._is_new:
            token = tokens.new_token()
        self.token = "" if self.no_token else token

    def _make_teacher(self) -> Teacher | None:
        token = take_token(self.teacher_token_file)
        if token and token == self.token:
            raise tokens.TokenError("The teacher's token must differ from that of the page.")
        return Teacher(token) if token else None

    def visitor(self, handler: RequestHandler) -> Visitor:
        """Return the person whose browser sends a request, as far as this server knows."""
        role = Role.NONE
        if self.teacher is not None:
            role = Role.TEACHER if self.teacher.is_at(handler) else Role.STUDENT
        return Visitor(self._proxies.user_of(handler.request), role)

    def _announce(self) -> None:
        """Print the address, with the token if it is new."""
        if self.public_url:
            print(f"The page is at {self.public_url}", flush=True)
            return
        page = address(self._voila.ip, self._voila.port) + self._voila.base_url
        query = f"?token={self.token}" if self._is_new else "?token=…" if self.token else ""
        print(f"The page is at {page}{query} (press Ctrl-C to stop it).", flush=True)
        if self.token and not self._is_new:
            print("Replace … with the configured token, or enter it on the page.", flush=True)
        if self.no_token:
            print(NO_TOKEN, flush=True)
        if self.on_start is not None:
            self.on_start(f"{page}?token={self.token}" if self.token else page)

    @property
    def auth_enabled(self) -> bool:
        """True if a token is needed."""
        return bool(self.token)

    def get_user(self, handler: RequestHandler) -> Any:
        """Return the user of a request; a generic visitor if there is no token."""
        return self._get_user(handler) if self.token else User("visitor")

    def get_token(self, handler: RequestHandler) -> str | None:
        """Return the token of a request; one in the address may be that of a proxy."""
        header = handler.request.headers.get("Authorization", "")
        found = self.auth_header_pat.match(header)
        return found[2] if found else super().get_token(handler)

    def get_user_cookie(self, handler: RequestHandler) -> Any:
        """Return the user of the login cookie, or of the gateway's cookie with the token."""
        entries = handler.get_cookie(self.session_cookie) if self.session_cookie else None
        if entries and any(tokens.same(each, self.token) for each in unquote(entries).split(",")):
            return User("visitor")
        return super().get_user_cookie(handler)

    def clear_login_cookie(self, handler: RequestHandler) -> None:
        """Keep an invalid cookie in the browser; a new one replaces it.

        A page from before a restart sends its last requests with the old cookie. If the responses
        cleared it, they could also clear the new one, which the browser has just received.
        """

    async def get_user_token(self, handler: RequestHandler) -> User | None:
        """Return a user if the request has the token, compared in constant time."""
        if not tokens.same(self.get_token(handler) or "", self.token):
            return None
        known: Any = self.get_user_cookie(handler)
        return known or self.generate_anonymous_user(handler)

    def process_login_form(self, handler: RequestHandler) -> User | None:
        """Return a user if the form has the token."""
        if not tokens.same(handler.get_argument("password", "").strip(), self.token):
            return None
        return self.generate_anonymous_user(handler)

    def get_handlers(self) -> list[tuple[str, object]]:
        """Put the page's handlers before those of Voila, which asks for additional ones here."""
        if not self._voila.notebook_path:
            raise SystemExit("voila: specify the page's notebook: voila app.ipynb")
        routes.put_before_voila(self._voila, self)
        IOLoop.current().add_callback(self._announce)
        return []


def _each(check: Any, values: list[str]) -> list[str]:
    try:
        return [check(value) for value in values]
    except ValueError as error:
        raise TraitError(str(error)) from None
