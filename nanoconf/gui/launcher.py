"""Entry of the page in JupyterLab's launcher, for jupyter-server-proxy.

See https://jupyter-server-proxy.readthedocs.io/en/latest/server-process.html.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

from nanoconf.gui.server.tokens import TOKEN

START_SECONDS = 60

HUB = "JUPYTERHUB_SERVICE_PREFIX"
"""Variable that JupyterHub sets in the server of a user."""


def settings() -> dict[str, Any]:
    """Return the settings with which Jupyter serves the page at BASE_URL/nanoconf/.

    Every user of this computer can reach the page's port, but only Jupyter knows its token. On a
    JupyterHub, no process may outlive a user's server when the hub stops it.
    """
    token = secrets.token_hex(24)
    own = "localhost:{port}"
    return {
        "command": [
            *(sys.executable, "-P", "-m", "nanoconf", "app", "--no-browser"),
            *("--port={port}", "--base-url={base_url}nanoconf/"),
            *(["--interrupt-runs"] if HUB in os.environ else []),
        ],
        "environment": {TOKEN: token},
        "timeout": START_SECONDS,
        # Jupyter has compared host and origin already; the page compares its own.
        "request_headers_override": {
            "Authorization": f"token {token}",
            "Host": own,
            "Origin": f"http://{own}",
        },
        "launcher_entry": {
            "title": "Ions in Nanoconfinement",
            "icon_path": str(Path(__file__).with_name("launcher.svg")),
        },
    }
