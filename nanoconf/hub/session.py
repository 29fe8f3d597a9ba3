"""Session of a HUBzero hub, such as nanoHUB, that runs the page as a tool.

The hub starts a tool in a container. Its web proxy passes requests for
``https://proxy.HUB/weber/SESSION/COOKIE/PORT/`` on to port 8000 of the container, with the whole
path, and browsers send the hub's cookie ``weber-auth-HUB`` with the password of the session. The
hub's own programs do the same: ``start_jupyter`` in
https://github.com/hubzero/jupyter_notebook_setup, ``hublib.util`` in
https://github.com/hubzero/hublib, and https://github.com/codedsk/wrwroxy, which may stand between
the proxy and the tool, and removes the path.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from backend.inputs import InvalidInput

HOST, PORT = "0.0.0.0", 8000
"""Address to which the hub's proxy passes requests on."""

PASSWORDS, PASSWORD_FILE = "/var/run/Xvnc", "NANOCONF_HUB_PASSWORD_FILE"
"""Folder with the password of the session, and the variable that names another file."""

PORTS = 1000
"""The path of a session contains its port modulo this number."""

NEEDED = ("hub_url", "filexfer_port", "filexfer_cookie")


@dataclass(frozen=True)
class HubSession:
    """Session of a hub.

    Attributes
    ----------
    number : str
        Number of the session.
    hub : str
        Host name of the hub, such as ``nanohub.org``.
    path : str
        Path under which the hub's proxy serves the session.
    token : str
        Content of one entry of the hub's cookie: the number and the password of the session.
    """

    number: str
    hub: str
    path: str
    token: str

    @property
    def url(self) -> str:
        """Address of the page for browsers."""
        return f"https://proxy.{self.hub}{self.path}"

    @property
    def cookie(self) -> str:
        """Name of the hub's cookie."""
        return f"weber-auth-{self.hub.replace('.', '-')}"

    @classmethod
    def current(cls) -> Self:
        """Return the session that runs this process.

        Raises
        ------
        InvalidInput
            There is none, or its files are not as expected.
        """
        number, folder = os.environ.get("SESSION", ""), os.environ.get("SESSIONDIR", "")
        if not number.isdecimal() or not folder:
            name, value = ("SESSIONDIR", folder) if number.isdecimal() else ("SESSION", number)
            raise InvalidInput(name, value, "this is not a session of a hub: leave out --hub")
        found = _resources(Path(folder) / "resources")
        port = int(found["filexfer_port"]) % PORTS
        path = f"/weber/{number}/{found['filexfer_cookie']}/{port}/"
        hub = urlsplit(found["hub_url"]).netloc
        return cls(number, hub, path, f"{number}:{_password()}")


def _resources(file: Path) -> Mapping[str, str]:
    """Return the entries of a session's file: a name, a space and a value on every line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InvalidInput(
            "SESSIONDIR", str(file.parent), f"cannot read {file.name}: {reason}"
        ) from None
    pairs = (line.partition(" ") for line in lines)
    found = {name: value.strip().strip('"') for name, _, value in pairs}
    for name in NEEDED:
        valid = found.get(name, "")
        if not valid or (name == "filexfer_port" and not valid.isdecimal()):
            raise InvalidInput(name, valid, f"{file} has no valid entry of this name")
    return found


def _password() -> str:
    """Return the password of the session, as it appears in the hub's cookie."""
    chosen = os.environ.get(PASSWORD_FILE)
    files = [Path(chosen)] if chosen else sorted(Path(PASSWORDS).glob("passwd-*"))
    try:
        return files[0].read_bytes().hex()
    except (IndexError, OSError):
        where = chosen or f"{PASSWORDS}/passwd-*"
        allowed = (
            f"cannot read the password of the session in {where}: set the variable to its file"
        )
        raise InvalidInput(PASSWORD_FILE, chosen or "", allowed) from None
