"""``nanoconf mcp``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

NAME, HELP = "mcp", "serve predictions and simulations to agents (Model Context Protocol)"

DESCRIPTION = """\
Serve the Model Context Protocol (MCP) over standard input and output, so that agents can predict
profiles, and submit, list and cancel simulations. An MCP client starts this command."""

EXAMPLES = """\
examples:
  nanoconf mcp          the client's configuration names this command

Most clients read a configuration like
  {"mcpServers": {"nanoconf": {"command": "nanoconf", "args": ["mcp"]}}}

It needs the MCP SDK: pip install "nanoconf[mcp]". See docs/api.md."""


def add_options(parser: ArgumentParser) -> None:
    """Declare no options: NANOCONF_HOME names the archive."""


def execute(options: Namespace) -> int:
    """Serve until the client closes the connection."""
    from backend.extras import require

    require("mcp", "nanoconf mcp")
    import anyio

    from nanoconf.mcp.server import serve
    from nanoconf.verbs.caller import Caller

    anyio.run(serve, Caller())
    return 0
