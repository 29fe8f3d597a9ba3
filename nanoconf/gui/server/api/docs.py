"""Page that lists the API endpoints, without requests to other hosts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated

from backend.inputs import Input
from nanoconf.gui.server.api.offer import offered
from nanoconf.gui.server.plain import PlainErrors, answer_page
from nanoconf.verbs.arguments import Argument
from nanoconf.verbs.verb import Verb

PAGE = str(Path("api") / "docs.html")


@dataclass(frozen=True)
class Row:
    """Row of the table of arguments.

    Attributes
    ----------
    name, key, meaning, allowed, default : str
        Name, short name, meaning, allowed values with the unit, and default.
    """

    name: str
    key: str
    meaning: str
    allowed: str
    default: str

    @classmethod
    def of(cls, argument: Argument) -> Row:
        """Return the row of an argument."""
        schema, each = argument.schema, argument.input
        if each is not None:
            return cls(argument.name, argument.key, each.help, _allowed(each), each.default_text)
        allowed = "true, false" if schema["type"] == "boolean" else "text"
        default = str(schema.get("default", "")).lower()
        return cls(argument.name, "", schema["description"], allowed, default)


def _allowed(each: Input) -> str:
    if each.choices:
        return ", ".join(each.choices)
    return f"{each.low:g} to {each.high:g} {each.unit}".rstrip()


class DocsHandler(PlainErrors, JupyterHandler):
    """Shows the page."""

    SUPPORTED_METHODS = ("GET",)

    @authenticated
    def get(self) -> None:
        """Answer with the page."""
        address = f"{self.request.protocol}://{self.request.host}{self.base_url}api"
        answer_page(
            self,
            PAGE,
            address=address,
            verbs=offered(),
            rows=_rows,
            token=bool(self.identity_provider.token),
        )


def _rows(verb: Verb) -> list[Row]:
    return [Row.of(argument) for argument in verb.arguments]
