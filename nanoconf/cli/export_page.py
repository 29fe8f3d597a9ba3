"""``nanoconf export-page``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nanoconf.surrogate import Surrogate

NAME, HELP = "export-page", "write a page that predicts in any browser, without a server"

DESCRIPTION = """\
Write a page that predicts profiles in any browser: one file that needs neither a server nor a
network connection. It does not simulate."""

EXAMPLES = """\
examples:
  nanoconf export-page ions.html
  nanoconf export-page ions.html --model model-4

Open the file in a browser, send it to students, or put it on any web server."""

SUFFIXES = (".html", ".htm")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "file", type=Path, metavar="FILE.html", help="file to write; an existing one is replaced"
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="name or folder of the model (default: the current model; see `nanoconf models`)",
    )


def execute(options: Namespace) -> int:
    """Write the page."""
    from backend.files import write_text
    from nanoconf.gui.static_page.page import static_page

    file = options.file
    check_file(file)
    surrogate = _surrogate(options.model)
    write_text(file, static_page(surrogate))
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, with {surrogate.name}")
    return 0


def check_file(file: Path) -> None:
    """Raise `InvalidInput` if the page cannot be written to a file."""
    from backend.files import check_room
    from backend.system import InvalidInput

    if file.suffix.lower() not in SUFFIXES:
        raise InvalidInput("file", str(file), f"must end in {' or '.join(SUFFIXES)}")
    if file.is_dir():
        raise InvalidInput("file", str(file), "is a folder: name a file in it")
    try:
        check_room(file.absolute().parent)
    except OSError as error:
        problem = f"cannot be written ({error.strerror}): choose another folder"
        raise InvalidInput("file", str(file), problem) from error


def _surrogate(chosen: str | None) -> Surrogate:
    """Return the current model, or the model with the given name or in the given folder."""
    from backend.environment import user_path
    from backend.system import InvalidInput
    from nanoconf.surrogate import Surrogate
    from nanoconf.surrogate.lifecycle.registry import models

    if chosen is None:
        return Surrogate.load()
    known = models()
    named = [model.folder for model in known if chosen in (model.name, model.folder.name)]
    if named or user_path("model", chosen).is_dir():
        return Surrogate.load(named[0] if named else chosen)
    names = ", ".join(sorted({model.name for model in known})) or "none"
    raise InvalidInput("model", chosen, f"is neither a model nor a folder; known: {names}")
