"""The page in one file: its parts are assembled into HTML that makes no connections."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib import metadata
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlencode

from backend import __version__
from backend.inputs import SYSTEM
from backend.profiles.bins import BINS
from nanoconf.gui import words
from nanoconf.gui.static_page.contents import page_data
from nanoconf.gui.tabs.about.model_table import as_table, model_rows
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.domain import INPUTS
from nanoconf.surrogate.lifecycle.registry import package_models
from nanoconf.surrogate.runtime import FILES, checksums

FOLDER = Path(__file__).parent

SCRIPTS = (
    *("format.js", "network.js", "slit.js", "surrogate.js", "poisson_boltzmann.js"),
    *("fields.js", "chart.js", "page.js"),
)
"""Scripts of the page, in order."""

LICENCE = "BSD-3-Clause"

PROJECT = "nanoconf"


def static_page(surrogate: Surrogate) -> str:
    """Return the HTML of the page that shows the predictions of a model.

    Raises
    ------
    InvalidInput
        If the page cannot show the predictions of the model.
    """
    style, scripts = _read("style.css"), scripts_text()
    return Template(_read("page.html")).substitute(
        version=escape(__version__),
        policy=policy(style, scripts),
        style=style,
        model=_header(surrogate),
        about=_about(surrogate),
        bins=BINS,
        data=as_script_data(page_data(surrogate)),
        scripts=scripts,
    )


def scripts_text(names: tuple[str, ...] = SCRIPTS) -> str:
    """Return the text of the page's scripts, as one script."""
    return "\n".join(['"use strict";', *map(_read, names)])


def policy(style: str, scripts: str) -> str:
    """Return the content security policy: this style, these scripts, and no connections."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(scripts)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def as_script_data(value: Any) -> str:
    """Return JSON that is safe in a ``<script>`` element: it has no ``<``."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _header(surrogate: Surrogate) -> str:
    error = words.percent(surrogate.typical_error)
    known = f" · typical error {error}" if surrogate.card.metrics is not None else ""
    return escape(f"{surrogate.name.replace('-', ' ')}{known}")


# --- About ----------------------------------------------------------------------------------


def _about(surrogate: Surrogate) -> str:
    return Template(_read("about.html")).substitute(
        version=escape(__version__),
        links=_links(),
        model=_model(surrogate),
        example=f"<code>#{escape(_example())}</code>",
        name=escape(surrogate.name),
    )


def _links() -> str:
    """Return links to the project, if its metadata has any."""
    found = metadata.metadata(PROJECT).get_all("Project-URL") or []
    pairs = [entry.partition(", ")[::2] for entry in found if not entry.startswith("Method, ")]
    links = [f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in pairs]
    return f" {', '.join(links)}." if links else ""


def _model(surrogate: Surrogate) -> str:
    """Return the model's card as an HTML table, with what identifies the model."""
    file = FILES["litert"]
    shipped = surrogate.folder.parent == package_models()
    name, *rows = model_rows(surrogate.card)
    identity = [
        ("Created", surrogate.card.created),
        ("Program", f"{PROJECT} {__version__}"),
        ("SHA-256 of its weights", checksums(surrogate.folder)[file]),
        ("Licence", LICENCE if shipped else f"{LICENCE} (program); retrained by its user (model)"),
    ]
    return as_table([name, *identity, *rows])


def _example() -> str:
    """Return a fragment of the page's address that sets all inputs to the defaults."""
    return urlencode({SYSTEM[name].link_key: f"{SYSTEM[name].default:g}" for name in INPUTS})
