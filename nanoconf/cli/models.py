"""``nanoconf models``."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from nanoconf.cli.options import add_json, print_json

if TYPE_CHECKING:
    from nanoconf.surrogate.lifecycle.registry import FoundModel

NAME, HELP = "models", "list and compare trained models, promote one, or roll back"

DESCRIPTION = """\
List the trained models, compare them, or set the current model, which is used for predictions."""

EXAMPLES = """\
examples:
  nanoconf models                   list the models; * marks the current one
  nanoconf models compare           print their validation errors side by side
  nanoconf models promote model-4   make model-4 the current model
  nanoconf models rollback          return to the previous one"""

NO_MODEL = "no trained model; `nanoconf train` creates one"


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "compare", "promote", "rollback"),
        help="default: list",
    )
    parser.add_argument("name", nargs="?", help="the model to promote")
    add_json(parser)


def execute(options: Namespace) -> int:
    """Carry out the action."""
    if options.action in ("promote", "rollback"):
        return _change_current(options)
    from backend.keeper.learning import obstacle
    from nanoconf.surrogate.lifecycle.registry import models
    from nanoconf.tables import aligned

    found = models()
    if options.json:
        print_json([_as_json(model) for model in found])
    elif not found:
        print(NO_MODEL)
    elif options.action == "compare":
        print(aligned([FIGURES, *(_figures(model) for model in found)], left=2))
    else:
        print(aligned([COLUMNS, *(_columns(model) for model in found)], left=len(COLUMNS)))
    if not options.json and (line := obstacle()):
        print(line)
    return 0


def _change_current(options: Namespace) -> int:
    from backend.system import InvalidInput
    from nanoconf.surrogate.lifecycle.registry import promote, roll_back

    if options.action == "promote" and not options.name:
        raise InvalidInput("name", "", "is missing: `nanoconf models` lists the models")
    model = promote(options.name) if options.action == "promote" else roll_back()
    print(f"{model.name} is now the current model")
    return 0


def _as_json(model: FoundModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "current": model.current,
        "source": model.source,
        "folder": str(model.folder),
        "kept_aside": model.rejected,
        "damage": model.damage,
        "card": model.card.to_dict(),
    }


COLUMNS = ("", "MODEL", "CREATED", "FOLDER", "REJECTED")


def _columns(model: FoundModel) -> list[str]:
    return [
        "*" if model.current else "",
        model.name,
        model.card.created,
        str(model.folder),
        model.rejected,
    ]


FIGURES = ("", "MODEL", "SYSTEMS", "MEDIAN ERROR", "WORST", "IN 90 % BAND (+, -)", "DATA")


def _figures(model: FoundModel) -> list[str]:
    """Errors of a model on its own validation set, from its card."""
    metrics, training = model.card.metrics, model.card.data.training
    both = (metrics.positive, metrics.negative) if metrics else ()
    return [
        "*" if model.current else "",
        model.name,
        str(training.systems or ""),
        f"{metrics.typical_error if metrics else math.nan:.3%}",
        f"{metrics.worst_error if metrics else math.nan:.3%}",
        ", ".join(f"{scores['all'].coverage['all']:.1%}" for scores in both),
        training.sha256[:12],
    ]
