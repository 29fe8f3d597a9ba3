"""Stand-in for a HUBzero hub, which is not here: a session, and the proxy in front of it.

The files of the session and the addresses are those that the hub's own programs expect; see
`nanoconf.hub.session`. ``/usr/bin/invoke_app`` is replaced by ``standin_invoke_app.py``.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from backend.engines.numba.cache import cache_root
from tests.support import homes
from tests.support.browser import ROOT
from tests.support.homes import until
from tests.support.web import free_port

INVOKE_APP = "/usr/bin/invoke_app"
STAND_IN = Path(__file__).with_name("standin_invoke_app.py")

PASSWORD = bytes.fromhex("e6baae54ba5ed9c6")
COOKIE_IN_PATH = "ueeOziQBKV1GCU6N"


class WeberStandIn:
    """Proxy that passes requests for the path of a session on to a port, with the whole path.

    Parameters
    ----------
    path : str
        Path of the session. Other requests get status 404.
    port : int
        Port of the tool.
    """

    def __init__(self, path: str, port: int):
        self._path, self._port = path.encode(), port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                browser, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(browser,), daemon=True).start()

    def _serve(self, browser: socket.socket) -> None:
        with browser, suppress(OSError):
            first = browser.recv(65536)
            if not first:
                return
            if not first.split(b" ", 2)[1].startswith(self._path):
                browser.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self._port)) as tool:
                tool.sendall(first)
                back = threading.Thread(target=_copy, args=(tool, browser), daemon=True)
                back.start()
                _copy(browser, tool)
                back.join()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class HubStandIn:
    """One user of a hub, and the current session.

    Parameters
    ----------
    folder : Path
        Folder for the user's ``HOME`` and for the tool's changed ``middleware/invoke``.
    tool : Path
        The installed tool.

    Attributes
    ----------
    home : Path
        The user's ``HOME``.
    url : str
        Address of the page for browsers.
    port : int
        Port of the proxy.
    cookie : tuple of str
        Name and value of the hub's cookie.
    """

    def __init__(self, folder: Path, tool: Path):
        self.home, self._tool, self._folder = folder / "home", tool, folder
        self.number = 19158

    def start(self) -> None:
        """Start the tool in a new session, as the hub does."""
        self.number += 1
        session = self.home / "data" / "sessions" / str(self.number)
        session.mkdir(parents=True)
        tool_port = free_port()
        (session / "resources").write_text(
            f'application_name "Ions in Nanoconfinement"\nhub_url https://nanohub.org\n'
            f"filexfer_port 9081\nfilexfer_cookie {COOKIE_IN_PATH}\n"
        )
        password = self._folder / "password"
        password.write_bytes(PASSWORD)
        path = f"/weber/{self.number}/{COOKIE_IN_PATH}/81/"
        self.cookie = ("weber-auth-nanohub-org", f"{self.number}%3A{PASSWORD.hex()}")
        self._proxy = WeberStandIn(path, tool_port)
        self.port = self._proxy.port
        self.url = f"http://localhost:{self.port}{path}"
        kept = ("PATH", "LANG", "TMPDIR", "NANOCONF_CORES", "NUMBA_CACHE_DIR")
        environment = {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "HOME": str(self.home),
            "SESSION": str(self.number),
            "SESSIONDIR": str(session),
            "NANOCONF_HUB_PASSWORD_FILE": str(password),
            "XDG_CACHE_HOME": str(cache_root().parents[1]),  # the engine is compiled
        }
        self.log = session / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [self._invoke(), "-T", self._tool, "-A", f"--port {tool_port}"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(lambda: "The page is at" in self.output, "the page")

    def _invoke(self) -> Path:
        """Return a copy of the tool's script that calls the stand-in."""
        text = (self._tool / "middleware" / "invoke").read_text()
        assert text.count(INVOKE_APP) == 1
        copy = self._folder / "invoke"
        copy.write_text(text.replace(INVOKE_APP, str(STAND_IN)))
        copy.chmod(0o755)
        return copy

    @property
    def output(self) -> str:
        """What the tool has printed."""
        text = self.log.read_text(errors="replace")
        assert self.process.poll() is None, text
        return text

    def stop(self) -> None:
        """End the session."""
        self._proxy.close()
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(homes.PATIENCE)
        archive = self.home / ".local" / "share" / "nanoconf"
        homes.clean_up(archive)


def installed(folder: Path) -> Path:
    """Lay out the tool in a folder, with this environment instead of one of its own."""
    script = ROOT / "scripts" / "lay_out_nanohub.py"
    subprocess.run([sys.executable, script, folder], check=True, stdout=subprocess.DEVNULL)
    program = folder / "env" / "bin" / "nanoconf"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -P -m nanoconf "$@"\n')
    program.chmod(0o755)
    return folder
