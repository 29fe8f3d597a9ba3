"""Server for the page: Voila running the notebook, for ``nanoconf app`` and ``make app``."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
import webbrowser
from dataclasses import dataclass
from typing import Any

from backend.keeper.ending import interrupt_runs
from backend.keeper.learning import retrain_after
from backend.runs.archive import default_home
from nanoconf.gui.folders import check_folders
from nanoconf.gui.server.host_names import address
from nanoconf.shipped import shipped

PROTECTED = {
    "Voila": {"identity_provider_class": "nanoconf.gui.server.gate.Gate"},
    "VoilaConfiguration": {
        "multi_kernel_manager_class": "nanoconf.gui.server.kernels.PageKernels",
        "allow_template_override": "NOTEBOOK",
        "allow_theme_override": "NOTEBOOK",
        "extension_allowlist": [
            "@jupyter-widgets/jupyterlab-manager",
            "@voila-dashboards/widgets-manager8",
            "anywidget",
            "jupyter-matplotlib",
        ],
    },
    # otherwise kernels warn in the terminal that other users of this computer could listen
    "KernelManager": {"transport_encryption": "auto"},
    "VoilaExecutor": {"startup_timeout": 600, "iopub_timeout": 60},
}
"""Configuration that protects the page, lists the extensions of JupyterLab that it loads, and lets
a busy computer take longer (timeouts in s) to start a kernel and to send the output of the cell;
``voila.json`` gives it to plain ``voila app.ipynb``."""


@dataclass(frozen=True)
class Access:
    """Who may open the page, and how many pages at the same time.

    Attributes
    ----------
    allowed_hosts : tuple of str
        Host names under which the page is served, besides those of this computer.
    frame_ancestors : tuple of str
        Origins of pages that may show this one in a frame.
    token : bool
        Ask for a token on this computer, too; other interfaces always ask for one.
    no_token : bool
        Never ask for a token.
    max_pages : int, optional
        Number of pages; by default, as many as fit in half of the memory.
    teacher_token_file : str
        File with the token of the teacher's view.
    trusted_proxies : tuple of str
        Addresses of proxies that pass the name of the user.
    user_header : str
        Header in which they pass it.
    base_url : str
        Path under which a proxy serves the page; see `check_prefix`.
    session_cookie : str
        Cookie of a gateway that holds the token.
    public_url : str
        Address of the page for browsers, if it is not that of this server.
    """

    allowed_hosts: tuple[str, ...] = ()
    frame_ancestors: tuple[str, ...] = ()
    token: bool = False
    no_token: bool = False
    max_pages: int | None = None
    teacher_token_file: str = ""
    trusted_proxies: tuple[str, ...] = ()
    user_header: str = ""
    base_url: str = ""
    session_cookie: str = ""
    public_url: str = ""

    def settings(self) -> dict[str, dict[str, Any]]:
        """Return these options as a configuration of Voila; options not given are left out."""
        gate = {
            "allowed_hosts": list(self.allowed_hosts),
            "frame_ancestors": list(self.frame_ancestors),
            "ask_token": self.token,
            "no_token": self.no_token,
            "teacher_token_file": self.teacher_token_file,
            "trusted_proxies": list(self.trusted_proxies),
            "user_header": self.user_header,
            "session_cookie": self.session_cookie,
            "public_url": self.public_url,
        }
        kernels = {"max_pages": self.max_pages}
        voila = {"base_url": self.base_url}
        return {"Gate": _given(gate), "PageKernels": _given(kernels), "Voila": _given(voila)}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def serve(
    host: str = "127.0.0.1",
    port: int = 8866,
    open_browser: bool = True,
    access: Access = Access(),
    *,
    interrupt: bool = False,
) -> None:
    """Serve the page until interrupted.

    Parameters
    ----------
    host : str
        Address to listen on; empty for this computer only.
    port : int
        Port to listen on.
    open_browser : bool
        Open the page in a browser if a display is available.
    access : Access
        Who may open the page.
    interrupt : bool
        Interrupt running simulations when the server stops, so that no process outlives the server.

    Raises
    ------
    SystemExit
        If the port or an option cannot be used; the message says what to do.
    InvalidInput, UnusableHome
        If a folder cannot be written; see `check_folders`.
    """
    retrain_after()  # reports an invalid setting here; the keeper could only log it
    host = host or "127.0.0.1"
    _check_port(host, port)
    check_folders()
    print("Starting the page …", flush=True)
    _run_voila(host, port, access, webbrowser.open if open_browser and _has_display() else None)
    if interrupt:
        interrupt_runs(default_home())
    print("Stopped. Unfinished simulations continue, or resume when the page is opened again.")


def _run_voila(host: str, port: int, access: Access, on_start: Any) -> None:
    # Voila imports a validator of internationalized addresses in JSON schemas, which takes two
    # seconds to build its grammar and is never used here. Without the module it is skipped.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from traitlets.config import Config
    from voila.app import Voila

    logging.getLogger("tornado").setLevel(logging.ERROR)  # same level as Voila below
    config = Config(access.settings())
    config.merge(Config(PROTECTED))
    config.Gate.on_start = on_start
    Voila.launch_instance(
        [
            str(shipped("app.ipynb")),
            f"--Voila.ip={host}",
            f"--Voila.port={port}",
            "--Voila.port_retries=0",
            "--Voila.log_level=ERROR",
            "--no-browser",
        ],
        config=config,
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


def _has_display() -> bool:
    """Return True if a window can be opened; a text browser would take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
