"""Client of the MCP SDK over standard input and output; executed with the Python of .venv-mcp.

It reads calls as JSON, ``[[tool, arguments], …]``, starts ``nanoconf mcp``, carries them out in one
session and prints the tools and the results as JSON. ``ID`` stands for the id in the last result.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from mcp import Client, MCPError, StdioServerParameters


async def main(mode: str, calls: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    command = ["-m", "nanoconf", "mcp"]
    server = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
    async with Client(server, mode=mode) as client:
        tools = await client.list_tools()
        results: list[dict[str, Any]] = []
        for name, given in calls:
            last = results[-1]["values"] if results else None
            named = {key: last["id"] if value == "ID" else value for key, value in given.items()}
            results.append(await call(client, name, named))
        listed = [each.model_dump(mode="json", by_alias=True) for each in tools.tools]
        return {"tools": listed, "results": results}


async def call(client: Client, name: str, given: dict[str, Any]) -> dict[str, Any]:
    progress: list[tuple[float, str | None]] = []

    async def report(fraction: float, _total: float | None, words: str | None) -> None:
        progress.append((fraction, words))

    try:
        result = await client.call_tool(name, given, progress_callback=report)
    except MCPError as error:
        return {"refused": str(error), "values": None}
    text = "".join(each.text for each in result.content if each.type == "text")
    return {
        "error": result.is_error,
        "text": text,
        "values": result.structured_content,
        "progress": progress,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], json.load(sys.stdin)))))
