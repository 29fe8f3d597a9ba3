"""OpenAPI document of the API endpoints, from the verbs and the table of inputs."""

from __future__ import annotations

import copy
from typing import Any

from backend import __version__
from nanoconf.gui.server.api import limits
from nanoconf.gui.server.api.offer import offered
from nanoconf.verbs import arguments
from nanoconf.verbs.arguments import Argument
from nanoconf.verbs.verb import Verb

DESCRIPTION = """\
Density profiles of ions between two walls: predicted by a neural network, or simulated. Lengths
are in nm, concentrations in mol/L (M), valencies in elementary charges, times in ns. Every argument
also has a short name, which links to the page use."""

KEY = {
    "name": limits.KEY,
    "in": "header",
    "description": "A secret string of your own. Its hash marks your runs, so that only you can "
    "cancel them.",
    "schema": {
        "type": "string",
        "minLength": limits.SHORTEST_KEY,
        "maxLength": limits.LONGEST_KEY,
    },
}

FORMAT = {
    "name": "format",
    "in": "query",
    "description": "Format of the response; without it, the Accept header decides.",
    "schema": {"type": "string", "enum": ["json", "csv"], "default": "json"},
}

ERRORS = {
    "400": "An argument is not allowed; the message gives its name, value and what is allowed.",
    "401": "The token of the server is missing.",
    "403": "The key is missing, or the run belongs to someone else.",
    "404": "There is no such run.",
    "409": "The run cannot be read, or has no profiles.",
    "413": f"The body has more than {limits.MAX_BODY} bytes.",
    "422": "The inputs lie outside the training range: reasons and training_range say where.",
    "429": "Too many requests; Retry-After gives the seconds to wait.",
    "503": "The server is busy, or its disk is full.",
}
"""Meaning of the statuses, for all verbs."""


def document(base_url: str = "/") -> dict[str, Any]:
    """Return the document.

    Parameters
    ----------
    base_url : str
        Path under which the page is served.
    """
    paths: dict[str, dict[str, Any]] = {}
    for verb in offered():
        paths.setdefault(f"/api{verb.path}", {})[verb.method.lower()] = _operation(verb)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ions in nanoconfinement",
            "version": __version__,
            "description": DESCRIPTION,
        },
        "servers": [{"url": base_url.rstrip("/") or "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": {
                    "type": "object",
                    "properties": {"error": {"type": "string"}},
                    "required": ["error"],
                }
            },
        },
    }


def in_path(verb: Verb, argument: Argument) -> bool:
    """Return True if an argument is a part of the address."""
    return f"{{{argument.name}}}" in verb.path


def _operation(verb: Verb) -> dict[str, Any]:
    others = [each for each in verb.arguments if not in_path(verb, each)]
    parameters = [_parameter(each, "path") for each in verb.arguments if in_path(verb, each)]
    found: dict[str, Any] = {
        "operationId": verb.name,
        "summary": verb.title,
        "description": verb.description,
    }
    if verb.method == "POST":
        content = {"application/json": {"schema": arguments.schema(others)}}
        found["requestBody"] = {"content": content}
    else:
        parameters += [_parameter(each, "query") for each in others]
    parameters += [FORMAT] if verb.has_csv else []
    parameters += [{**KEY, "required": verb.changes}]
    return {**found, "parameters": parameters, "responses": _responses(verb)}


def _parameter(argument: Argument, place: str) -> dict[str, Any]:
    schema = copy.deepcopy(argument.schema)
    return {
        "name": argument.name,
        "in": place,
        "required": place == "path",
        "description": schema.pop("description"),
        "schema": schema,
    }


def _responses(verb: Verb) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if verb.has_csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    done = {"description": "Success.", "content": content}
    found = {"202": {**done, "description": "The run has not finished."}} if verb.changes else {}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    codes = {"400", "401", "403", "429", "503"}
    codes |= {"422"} if verb.name == "predict" else set()
    codes |= {"404", "409"} if "{id}" in verb.path else set()
    codes |= {"413"} if verb.method == "POST" else set()
    refusals = {code: {"description": ERRORS[code], "content": error} for code in sorted(codes)}
    return {"200": done, **found, **refusals}
