"""Notice in the terminal of a Voila server that was started without the gate."""

from __future__ import annotations

import os
import sys

GATE = "NANOCONF_GATE"
"""Environment variable of the kernels, set if the server has the gate."""

NOTICE = (
    "nanoconf: this server lacks the protection of the page: no check of host names and messages, "
    "no limit on the number of pages, and no shutdown of orphaned kernels. Use nanoconf app, or "
    "start voila app.ipynb in a folder that contains nanoconf's voila.json."
)


def print_if_unprotected() -> None:
    """Print the notice where the server's messages appear, if Voila started this kernel."""
    if "VOILA_KERNEL_ID" in os.environ and GATE not in os.environ:
        print(NOTICE, file=sys.__stderr__, flush=True)
