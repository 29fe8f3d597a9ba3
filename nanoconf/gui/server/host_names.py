"""Names under which the page may be addressed."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from pathlib import Path

from nanoconf.gui.server.plain import PlainHandler

LOOPBACK_NAMES = r"localhost|127(\.\d{1,3}){3}|\[::1\]|::1"

NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?", re.IGNORECASE)

CONTAINER_ID = re.compile(r"[0-9a-f]{12}")

CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files that Docker and Podman create in their containers."""


def is_loopback(address: str) -> bool:
    """Return True if only this computer can reach an address; an empty one means this computer."""
    if address in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_wildcard(address: str) -> bool:
    """Return True for the addresses that mean every interface."""
    return address in ("0.0.0.0", "::")


def address(host: str, port: int) -> str:
    """Return the address of the page for a browser."""
    if is_loopback(host):
        name = "localhost"
    elif is_wildcard(host):
        name = own_name()
    else:
        name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def own_name() -> str:
    """Return the name of this computer, or localhost in a container named after its ID."""
    name = socket.gethostname()
    anonymous = CONTAINER_ID.fullmatch(name) and any(mark.exists() for mark in CONTAINER_MARKS)
    return "localhost" if anonymous else name


def check_name(name: str) -> str:
    """Return a host name in lower case.

    Raises
    ------
    ValueError
        If it is anything else, such as an address with a port.
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            f"allowed host {name!r} must be a name without a scheme or port, "
            "such as nanoconf.example.org"
        )
    return name.lower()


def foreign_hosts(names: Iterable[str]) -> str:
    """Return a pattern for all hosts except this computer's own names and the given ones."""
    allowed = "|".join([LOOPBACK_NAMES, *(re.escape(name.lower()) for name in names)])
    return rf"(?!(?:{allowed})\Z).*$"


class ForeignHost(PlainHandler):
    """Refuses requests for another host: another site may point its name at this server."""

    # The name is not repeated, because it may be anything.
    status, words = (
        421,
        "This server does not serve this host name. Open http://localhost:PORT/ on the computer "
        "itself, or start the server with --allowed-host NAME.",
    )
