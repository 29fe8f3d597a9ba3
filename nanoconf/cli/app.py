"""``nanoconf app``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _ArgumentGroup
from dataclasses import replace
from typing import TYPE_CHECKING

from backend.system import InvalidInput

if TYPE_CHECKING:
    from nanoconf.gui.serve import Access

NAME, HELP = "app", "open the page in a browser"

DESCRIPTION = """\
Serve the page and open it in a browser.

Only this computer can open the page unless --host says otherwise. On other interfaces, a token is
needed: from the file named in NANOCONF_TOKEN_FILE, from NANOCONF_TOKEN, or a new one, which
is printed with the address. Simulations continue when the page is closed, and, without
--interrupt-runs, when this command ends."""

EXAMPLES = """\
examples:
  nanoconf app
  nanoconf app --port 9000 --no-browser
  nanoconf app --host 0.0.0.0                         for others; with a token
  nanoconf app --allowed-host nanoconf.example.org    behind a proxy on this computer
  nanoconf app --allowed-host example.org --base-url /nanoconf/    the same, under a path
  nanoconf app --host 0.0.0.0 --teacher-token-file teacher.txt --max-length 10    for a class

See docs/security.md."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default: 8866)")
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address; do not open a browser"
    )
    parser.add_argument(
        "--max-pages",
        type=_pages,
        metavar="N",
        help="pages that may be open at the same time; others wait "
        "(default: NANOCONF_MAX_PAGES, or as many as fit into half of the memory)",
    )
    parser.add_argument(
        "--interrupt-runs",
        action="store_true",
        help="when this command ends, interrupt the simulations on this computer at a checkpoint; "
        "they resume when the page is opened again",
    )
    _add_limits(parser.add_argument_group("limits for users of the page"))
    _add_access(parser.add_argument_group("who may open the page"))
    _add_people(parser.add_argument_group("who is using the page"))


def _add_limits(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--max-length",
        metavar="NS",
        help="longest simulation that the page accepts (default: NANOCONF_MAX_LENGTH, or 100)",
    )
    group.add_argument(
        "--max-runs",
        metavar="N",
        help="unfinished runs that one browser may have (default: NANOCONF_MAX_RUNS, or no limit)",
    )


def _add_access(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        type=_host,
        metavar="NAME",
        help="serve the page under this host name, too; can be repeated",
    )
    group.add_argument(
        "--base-url",
        type=_prefix,
        metavar="/PATH/",
        help="path under which a proxy serves the page (default: /)",
    )
    tokens = group.add_mutually_exclusive_group()
    tokens.add_argument(
        "--token", action="store_true", help="ask for a token on this computer, too"
    )
    tokens.add_argument(
        "--no-token",
        action="store_true",
        help="never ask for a token: only behind a gateway that logs users in",
    )
    tokens.add_argument(
        "--hub",
        action="store_true",
        help="serve the page in a session of nanoHUB or another HUBzero hub, which gives the "
        "address, port 8000, the path and the token",
    )
    group.add_argument(
        "--frame-ancestors",
        action="append",
        default=[],
        type=_ancestor,
        metavar="ORIGIN",
        help="let pages of this origin show the page in a frame, e.g. https://course.example.org; "
        "can be repeated (default: self)",
    )


def _add_people(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--teacher-token-file",
        type=_token_file,
        metavar="FILE",
        help="offer the teacher's view of the class to those who enter the token or password in "
        "this file (default: NANOCONF_TEACHER_TOKEN_FILE, or the token in NANOCONF_TEACHER_TOKEN)",
    )
    group.add_argument(
        "--trusted-proxy",
        action="extend",
        default=[],
        type=_proxies,
        metavar="ADDRESS[,...]",
        help="trust the user names that proxies at these addresses pass in a header, e.g. "
        "192.0.2.7 or 10.1.0.0/16",
    )
    group.add_argument(
        "--user-header",
        type=_header,
        metavar="NAME",
        help="header with the user's name (default: X-Forwarded-User); only with --trusted-proxy",
    )


def _pages(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)


def _host(text: str) -> str:
    from nanoconf.gui.server.host_names import check_name

    try:
        return check_name(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _prefix(text: str) -> str:
    from nanoconf.gui.server.prefix import check_prefix

    try:
        return check_prefix(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _ancestor(text: str) -> str:
    from nanoconf.gui.server.headers import check_ancestor

    try:
        return check_ancestor(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _token_file(path: str) -> str:
    from nanoconf.gui.server.teacher import configured
    from nanoconf.gui.server.tokens import TokenError

    try:
        configured(path)
    except TokenError as error:
        raise ArgumentTypeError(str(error)) from None
    return path


def _proxies(text: str) -> list[str]:
    from nanoconf.gui.server.proxies import check_proxy

    try:
        return [check_proxy(each.strip()) for each in text.split(",")]
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _header(text: str) -> str:
    from nanoconf.gui.server.proxies import check_header

    try:
        return check_header(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def execute(options: Namespace) -> int:
    """Serve the page until interrupted."""
    from nanoconf.gui.serve import Access, serve

    if options.user_header and not options.trusted_proxy:
        raise InvalidInput("user_header", options.user_header, "needs --trusted-proxy ADDRESS")
    _set_limits(options)
    access = Access(
        allowed_hosts=tuple(options.allowed_host),
        frame_ancestors=tuple(options.frame_ancestors),
        token=options.token,
        no_token=options.no_token,
        max_pages=options.max_pages,
        teacher_token_file=options.teacher_token_file or "",
        trusted_proxies=tuple(options.trusted_proxy),
        user_header=options.user_header or "",
        base_url=options.base_url or "",
    )
    host, port = "127.0.0.1", 8866
    if options.hub:
        host, port, access = _on_hub(access)
    host = host if options.host is None else options.host
    port = port if options.port is None else options.port
    serve(host, port, not options.no_browser, access, interrupt=options.interrupt_runs)
    return 0


def _on_hub(access: Access) -> tuple[str, int, Access]:
    """Return the address, the port and the access of a session of a hub."""
    from nanoconf.gui.server.tokens import TOKEN, TOKEN_FILE
    from nanoconf.gui.services.clusters import SHARED
    from nanoconf.hub.session import HOST, PORT, HubSession

    if access.base_url:
        raise InvalidInput("base_url", access.base_url, "comes from the hub: leave it out")
    session = HubSession.current()
    os.environ.pop(TOKEN_FILE, None)  # would come first
    os.environ[TOKEN] = session.token
    os.environ.setdefault(SHARED, "")  # the session belongs to one person
    ancestors = (*access.frame_ancestors, f"https://{session.hub}")
    found = replace(
        access,
        base_url=session.path,
        session_cookie=session.cookie,
        public_url=session.url,
        frame_ancestors=ancestors,
    )
    return HOST, PORT, found


def _set_limits(options: Namespace) -> None:
    """Pass the limits to the kernels of the page, which inherit the environment."""
    from backend.environment import MAX_LENGTH, MAX_RUNS, check_variable
    from backend.system import InvalidInput

    for name, variable in (("max_length", MAX_LENGTH), ("max_runs", MAX_RUNS)):
        text = getattr(options, name)
        if text is None:
            continue
        try:
            check_variable(variable, text)
        except InvalidInput as error:
            raise InvalidInput(name, text, error.allowed) from None
        os.environ[variable] = text
