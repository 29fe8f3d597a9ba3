"""All verbs. One entry adds a tool to the MCP server and an endpoint to the page's server."""

from __future__ import annotations

from nanoconf.verbs.predict import PREDICT
from nanoconf.verbs.runs import CANCEL_RUN, GET_RUN, LIST_RUNS, SIMULATE
from nanoconf.verbs.verb import Verb

VERBS: tuple[Verb, ...] = (PREDICT, SIMULATE, LIST_RUNS, GET_RUN, CANCEL_RUN)
"""The verbs, in the order of the documentation."""
