"""MCP server over standard input and output, for ``nanoconf mcp``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio
from anyio.to_thread import run_sync
from mcp import MCPError, types
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server

from backend import __version__
from backend.inputs import Input, shown
from backend.runs.run import Run
from nanoconf.mcp.waiting import POLL_SECONDS, Waiting
from nanoconf.verbs import arguments
from nanoconf.verbs.caller import Caller
from nanoconf.verbs.problems import explain, one_line
from nanoconf.verbs.registry import VERBS
from nanoconf.verbs.runs import GET_RUN
from nanoconf.verbs.verb import Answer, Verb

INSTRUCTIONS = """\
Density profiles of ions between two walls (a slit), for an electrolyte in the primitive model.
Lengths are in nm, concentrations in mol/L (M), valencies in elementary charges, times in ns.
predict answers at once, within its training range. simulate queues a molecular-dynamics run and
returns its ID; get_run returns state, progress and result."""

WAIT = arguments.of_input(
    Input(
        name="wait_seconds",
        term="Wait",
        help="time to wait for the run to finish, with progress notifications; the answer then "
        "holds its result, or its progress so far",
        default=0.0,
        low=0.0,
        high=86_400.0,
        unit="s",
    )
)

log = logging.getLogger(__name__)


async def serve(caller: Caller) -> None:
    """Serve until standard input ends."""
    tools = Tools(caller)
    server: Server[Any] = Server(
        "nanoconf",
        version=__version__,
        title="Ions in nanoconfinement",
        instructions=INSTRUCTIONS,
        on_list_tools=tools.list,
        on_call_tool=tools.call,
    )
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


class Tools:
    """The verbs as tools of MCP.

    Parameters
    ----------
    caller : Caller
        Owner of the runs that they submit.
    """

    def __init__(self, caller: Caller):
        self._caller = caller
        self._verbs = {verb.name: _with_wait(verb) for verb in VERBS}

    async def list(
        self, _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """Return the description of every tool."""
        return types.ListToolsResult(tools=[_tool(verb) for verb in self._verbs.values()])

    async def call(
        self, context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Carry out a call; an error that the caller can act on is returned as a tool error."""
        verb = self._verbs.get(params.name)
        if verb is None:
            line = f"there is no tool {shown(params.name)}; known: {', '.join(self._verbs)}"
            raise MCPError(types.INVALID_PARAMS, line)
        try:
            return _result(await self._answer(verb, params.arguments or {}, context))
        except Exception as error:
            explanation = explain(error)
            if explanation is None:
                log.exception("%s", verb.name)
                return _error(f"{verb.name} failed unexpectedly: {one_line(error)}")
            return _error(explanation[1])

    async def _answer(
        self, verb: Verb, given: Mapping[str, Any], context: ServerRequestContext[Any]
    ) -> Answer:
        parsed = arguments.parse(verb.arguments, given.items())
        seconds = parsed.pop(WAIT.name, 0.0)
        answer = await run_sync(verb.execute, self._caller, parsed)
        if not seconds or answer.run is None or answer.run.finished:
            return answer
        await self._wait(answer.run, seconds, context)
        wanted = {"id": answer.run.id, "profiles": parsed.get("profiles", True)}
        return await run_sync(GET_RUN.execute, self._caller, wanted)

    async def _wait(self, run: Run, seconds: float, context: ServerRequestContext[Any]) -> None:
        """Wait for a run, and report its progress."""
        waiting = Waiting(self._caller.archive, run)
        with anyio.move_on_after(seconds):
            while not await run_sync(waiting.poll):
                if waiting.news:
                    await context.session.report_progress(waiting.fraction, 1.0, waiting.words)
                await anyio.sleep(POLL_SECONDS)


def _with_wait(verb: Verb) -> Verb:
    return replace(verb, arguments=(*verb.arguments, WAIT)) if verb.waits else verb


def _tool(verb: Verb) -> types.Tool:
    return types.Tool(
        name=verb.name,
        title=verb.title,
        description=verb.description,
        input_schema=arguments.schema(verb.arguments),
        annotations=types.ToolAnnotations(
            read_only_hint=not verb.changes,
            destructive_hint=verb.method == "DELETE",
            idempotent_hint=True,
            open_world_hint=False,
        ),
    )


def _result(answer: Answer) -> types.CallToolResult:
    text = json.dumps(answer.values, ensure_ascii=False, allow_nan=False)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=answer.values
    )


def _error(line: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=line)], is_error=True)
