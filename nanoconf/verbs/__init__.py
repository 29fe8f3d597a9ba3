"""Verbs that programs call: over the Model Context Protocol, and over HTTP alongside the page.

A verb is one record with a name, its arguments and a function; `registry.VERBS` lists them. The MCP
server (`nanoconf.mcp`) offers each as a tool, and the page's server (`nanoconf.gui.server.api`) as
an endpoint. The arguments come from the table of inputs. See docs/api.md.
"""
