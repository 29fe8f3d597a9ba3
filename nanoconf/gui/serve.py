"""Starts Voila on the notebook: what ``nanoconf app`` and ``make app`` do."""

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
        Open the page in a browser, where there is one.

    Raises
    ------
    SystemExit
        The port cannot be used; the message says what to do.
    """
    retrain_after()  # refuses now what the keeper could only log
    _check_port(host, port)
    if host not in LOOPBACK:
        os.environ.setdefault(SHARED, "1")  # kernels inherit it
    print("Starting the page …", flush=True)
    threading.Thread(target=_announce, args=(host, port, open_browser), daemon=True).start()
    _run_voila(host, port)
    print("Stopped. Simulations in progress go on; the next start finds them.")


def notebook() -> Path:
    """The notebook: inside an installed package, beside the packages in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "app.ipynb"
    return packaged if packaged.exists() else package.parent / "app.ipynb"


def _run_voila(host: str, port: int) -> None:
    # Voila imports the check of international addresses in JSON schemas, which builds a grammar for
    # two seconds and is never used here. Without it that check is left out.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from voila.app import Voila

    Voila.launch_instance(
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
    """One clear line now, instead of a page on some other port."""
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
            f"Port {port} is taken, perhaps by a page that runs already "
            f"({address(host, port)}). Another one: PORT={port + 1} or --port {port + 1}."
        )
    if number == errno.EACCES:
        return f"Port {port} is not allowed for you: choose one above 1023."
    return f"Cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}."


def address(host: str, port: int) -> str:
    """What to type into a browser."""
    if host in ("127.0.0.1", "::1", "localhost"):
        name = "localhost"
    elif host in ("", "0.0.0.0", "::"):
        name = socket.gethostname()
    else:
        name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def _announce(host: str, port: int, open_browser: bool) -> None:
    """Print the address as soon as it answers, and open it."""
    local = "localhost" if host in ("", "0.0.0.0", "::") else host
    local = f"[{local}]" if ":" in local else local
    if not _answers(f"http://{local}:{port}/voila/static/voila.js"):
        return
    print(f"The page is at {address(host, port)} (Ctrl-C stops it).", flush=True)
    if open_browser and _has_display():
        # Where there is no browser, the address above is enough.
        webbrowser.open(address(host, port))


def _answers(url: str) -> bool:
    # A static file, because asking for the page itself would start a kernel for nobody.
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            urlopen(url, timeout=5).close()
            return True
        except (URLError, OSError):
            time.sleep(0.1)
    return False


def _has_display() -> bool:
    """Whether a window can be opened; else a text browser would take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
