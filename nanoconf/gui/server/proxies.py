"""Names of users that a gateway passes in a header, accepted only from a trusted proxy."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError

USER_HEADER = "X-Forwarded-User"

HEADER = re.compile(r"[a-z0-9][a-z0-9-]*", re.IGNORECASE)

LONGEST_NAME = 256


def check_proxy(text: str) -> str:
    """Return the address of a proxy, or a network of proxies.

    Raises
    ------
    ValueError
        If it is neither, or covers all addresses.
    """
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        network = None
    if network is None or not network.prefixlen:
        raise ValueError(
            f"trusted proxy {text!r} must be an IP address or a network, such as 192.0.2.7 or "
            "10.1.0.0/16"
        )
    return text


def check_header(name: str) -> str:
    """Return the name of a header.

    Raises
    ------
    ValueError
        If it is not one.
    """
    if not HEADER.fullmatch(name):
        raise ValueError(
            f"user header {name!r} must consist of letters, digits and hyphens, "
            f"such as {USER_HEADER}"
        )
    return name


class TrustedProxies:
    """Trusted proxies, and the header in which they pass the name of the user.

    Parameters
    ----------
    proxies : iterable of str
        Addresses and networks; see `check_proxy`.
    header : str
        Name of the header.
    """

    def __init__(self, proxies: Iterable[str], header: str = USER_HEADER):
        self._networks = [ipaddress.ip_network(each) for each in proxies]
        self._header = header

    def user_of(self, request: HTTPServerRequest) -> str:
        """Return the name of the user; empty if no trusted proxy has passed one.

        A header from any other sender is removed.

        Raises
        ------
        HTTPError
            The proxy has passed on a header from the browser besides its own, or an overlong name.
        """
        names = request.headers.get_list(self._header)
        if names and not self._trusts(peer_of(request)):
            del request.headers[self._header]
            return ""
        # Tornado joins the values of repeated headers with a comma.
        if len(names) > 1 or any("," in name or len(name) > LONGEST_NAME for name in names):
            raise HTTPError(400, reason=f"The proxy must set {self._header} to exactly one name")
        return names[0].strip() if names else ""

    def _trusts(self, peer: str) -> bool:
        try:
            address: Any = ipaddress.ip_address(peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)


def peer_of(request: HTTPServerRequest) -> str:
    """Return the address at the other end of the connection, whatever the headers say."""
    address: Any = getattr(getattr(request.connection, "context", None), "address", None)
    return str(address[0]) if isinstance(address, tuple) else ""
