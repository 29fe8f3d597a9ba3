"""``nanoconf app``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

NAME, HELP = "app", "open the page in a browser"

DESCRIPTION = """\
Serve the page and open it in a browser.

Simulations continue when the page is closed or this command ends."""

EXAMPLES = """\
examples:
  nanoconf app
  nanoconf app --port 9000 --no-browser
  nanoconf app --max-length 10 --max-runs 3      for a class"""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, default=8866, help="port to listen on (default: 8866)")
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address; do not open a browser"
    )
    parser.add_argument(
        "--max-length",
        metavar="NS",
        help="longest simulation that the page accepts (default: NANOCONF_MAX_LENGTH, or 100)",
    )
    parser.add_argument(
        "--max-runs",
        metavar="N",
        help="unfinished runs that one browser may have (default: NANOCONF_MAX_RUNS, or any)",
    )


def execute(options: Namespace) -> int:
    """Serve the page until interrupted."""
    from nanoconf.gui.serve import serve

    _set_limits(options)
    serve(options.host, options.port, not options.no_browser)
    return 0


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
