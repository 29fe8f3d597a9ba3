"""API endpoints and their handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nanoconf.gui.server.api.docs import DocsHandler
from nanoconf.gui.server.api.handlers import Api, DocumentHandler, VerbHandler
from nanoconf.gui.server.api.offer import by_path


def addresses(here: Callable[[str], str]) -> list[tuple[Any, ...]]:
    """Return the handlers.

    Parameters
    ----------
    here : callable
        Returns the pattern of an address of this server.
    """
    api = Api()
    verbs = [
        (here(f"/api{path.replace('{id}', '(?P<id>[^/]+)')}"), VerbHandler, _options(api, methods))
        for path, methods in by_path().items()
    ]
    return [
        *verbs,
        (here("/api/openapi.json"), DocumentHandler),
        (here("/api/docs"), DocsHandler),
        (here("/api/?"), DocsHandler),
    ]


def _options(api: Api, methods: dict[str, Any]) -> dict[str, Any]:
    return {"api": api, "verbs": methods}
