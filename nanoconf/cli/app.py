"""``nanoconf app``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

NAME, HELP = "app", "open the page in a browser"

DESCRIPTION = """\
Serve the page and open it in a browser.

Simulations continue when the page is closed or this command ends."""

EXAMPLES = """\
examples:
  nanoconf app
  nanoconf app --port 9000 --no-browser"""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, default=8866, help="port to listen on (default: 8866)")
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address; do not open a browser"
    )


def execute(options: Namespace) -> int:
    """Serve the page until interrupted."""
    from nanoconf.gui.serve import serve

    serve(options.host, options.port, not options.no_browser)
    return 0
