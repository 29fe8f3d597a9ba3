"""Server for the page: Voila running the notebook, for ``nanoconf app`` and ``make app``."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import time
import webbrowser
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from backend.keeper.learning import retrain_after
from nanoconf.gui.folders import check_folders
from nanoconf.gui.queries import accept_any_query
from nanoconf.gui.services.clusters import SHARED

START_SECONDS = 60.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(host: str = "127.0.0.1", port: int = 8866, open_browser: bool = True) -> None:
    """Serve the page until interrupted.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        Port to listen on.
    open_browser : bool
        Open the page in a browser if a display is available.

    Raises
    ------
    SystemExit
        If the port cannot be used; the message says what to do.
    InvalidInput, UnusableHome
        If a folder cannot be written; see `check_folders`.
    """
    retrain_after()  # reports an invalid setting here; the keeper could only log it
    _check_port(host, port)
    check_folders()
    if host not in LOOPBACK:
        os.environ.setdefault(SHARED, "1")  # inherited by the kernels
    print("Starting the page …", flush=True)
    threading.Thread(target=_announce, args=(host, port, open_browser), daemon=True).start()
    _run_voila(host, port)
    print("Stopped. Running simulations continue; the page shows them when it is restarted.")


def notebook() -> Path:
    """Return the notebook: in an installed package, or next to the packages in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "app.ipynb"
    return packaged if packaged.exists() else package.parent / "app.ipynb"


def _run_voila(host: str, port: int) -> None:
    # Voila imports a validator of internationalized addresses in JSON schemas, which takes two
    # seconds to build its grammar and is never used here. Without the module it is skipped.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from voila.app import Voila

    class PageServer(Voila):  # type: ignore[misc]
        def listen(self) -> None:
            accept_any_query(self.app)
            super().listen()

    PageServer.launch_instance(
        [
            str(notebook()),
            f"--Voila.ip={host}",
            f"--Voila.port={port}",
            "--Voila.port_retries=0",
            "--Voila.log_level=ERROR",
            "--no-browser",
        ]
    )


def _check_port(host: str, port: int) -> None:
    """Exit with a one-line message if the port cannot be used; Voila would choose another port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise SystemExit(_port_trouble(host, port, error)) from None


def _port_trouble(host: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return (
            f"Port {port} is in use, perhaps by another instance of the page "
            f"({address(host, port)}). Choose another port: PORT={port + 1} or --port {port + 1}."
        )
    if number == errno.EACCES:
        return f"You may not use port {port}: choose one above 1023."
    return f"Cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}."


def address(host: str, port: int) -> str:
    """Return the address of the page for a browser."""
    if host in ("127.0.0.1", "::1", "localhost"):
        name = "localhost"
    elif host in ("", "0.0.0.0", "::"):
        name = socket.gethostname()
    else:
        name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def _announce(host: str, port: int, open_browser: bool) -> None:
    """Print the address when the server responds, and open it."""
    local = "localhost" if host in ("", "0.0.0.0", "::") else host
    local = f"[{local}]" if ":" in local else local
    if not _answers(f"http://{local}:{port}/voila/static/voila.js"):
        return
    print(f"The page is at {address(host, port)} (press Ctrl-C to stop it).", flush=True)
    if open_browser and _has_display():
        webbrowser.open(address(host, port))


def _answers(url: str) -> bool:
    # Request a static file: a request for the page would start a kernel.
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            urlopen(url, timeout=5).close()
            return True
        except (URLError, OSError):
            time.sleep(0.1)
    return False


def _has_display() -> bool:
    """Return True if a window can be opened; a text browser would take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
