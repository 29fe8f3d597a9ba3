"""``nanoconf models``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from nanoconf.cli.options import add_json, print_json

NAME, HELP = "models", "list and compare trained models, promote one, or roll back"

DESCRIPTION = """\
List the trained models, compare them, or choose the current one, which makes the predictions."""

EXAMPLES = """\
examples:
  nanoconf models                   list the models; * marks the current one
  nanoconf models compare           print their validation errors side by side
  nanoconf models promote model-4   make model-4 the current model
  nanoconf models rollback          return to the previous one"""

NO_MODEL = "no trained model; `nanoconf train` makes one"


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "compare", "promote", "rollback"),
        help="default: list",
    )
    parser.add_argument("name", nargs="?", default="", help="the model to promote")
    add_json(parser)


def execute(options: Namespace) -> int:
    """Carry out the action."""
    if options.action in ("promote", "rollback"):
        return _change_current(options)
    from nanoconf.tables import aligned

    rows = _rows()
    if options.json:
        print_json(rows)
    elif not rows:
        print(NO_MODEL)
    elif options.action == "compare":
        print(aligned([FIGURES, *(_figures(row) for row in rows)], left=2))
    else:
        print(aligned([COLUMNS, *(_columns(row) for row in rows)], left=len(COLUMNS)))
    return 0


def _change_current(options: Namespace) -> int:
    from backend.system import InvalidInput
    from nanoconf.surrogate.lifecycle.registry import promote, roll_back

    if options.action == "promote" and not options.name:
        raise InvalidInput("name", "", "is missing: `nanoconf models` lists the models")
    model = promote(options.name) if options.action == "promote" else roll_back()
    print(f"{model.name} is now the current model")
    return 0


def _rows() -> list[dict[str, Any]]:
    from nanoconf.surrogate.lifecycle.registry import models

    return [
        {
            "name": model.name,
            "current": model.current,
            "source": model.source,
            "folder": str(model.folder),
            "kept_aside": model.kept_aside,
            "card": model.card.to_dict(),
        }
        for model in models()
    ]


COLUMNS = ("", "MODEL", "CREATED", "FOLDER", "REJECTED")


def _columns(row: dict[str, Any]) -> list[str]:
    return [
        "*" if row["current"] else "",
        row["name"],
        row["card"].get("created", ""),
        row["folder"],
        row["kept_aside"],
    ]


FIGURES = ("", "MODEL", "SYSTEMS", "MEDIAN ERROR", "WORST", "IN 90 % BAND (+, -)", "DATA")


def _figures(row: dict[str, Any]) -> list[str]:
    """Errors of a model on its own validation set, from its card."""
    from backend.system import SPECIES

    card = row["card"]
    metrics, data = card.get("metrics", {}), card.get("data", {})
    covered = [metrics[s]["all"]["coverage"]["all"] for s in SPECIES if s in metrics]
    return [
        "*" if row["current"] else "",
        row["name"],
        str(data.get("training", {}).get("systems", "")),
        f"{metrics.get('typical_error', float('nan')):.3%}",
        f"{metrics.get('worst_error', float('nan')):.3%}",
        ", ".join(f"{share:.1%}" for share in covered),
        data.get("training", {}).get("sha256", "")[:12],
    ]
