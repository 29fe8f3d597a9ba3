"""Server of the Model Context Protocol, through which agents call the verbs.

It needs the MCP SDK (``nanoconf[mcp]``), so only `server` and the command ``nanoconf mcp`` import
it.
"""
