"""``nanoconf evaluate``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from nanoconf.cli.options import add_data, add_json, add_model, print_json

NAME, HELP = "evaluate", "compare a model with simulations that it was not trained on"

DESCRIPTION = """\
Compare a model with simulations that it was not trained on. Print its errors and the share of
densities inside its error band."""

EXAMPLES = """\
examples:
  nanoconf evaluate
  nanoconf evaluate --model my-model --json
  nanoconf evaluate --data data/validation --seen-too"""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser, "data/test")
    parser.add_argument(
        "--seen-too",
        action="store_true",
        help="include systems that the model was trained on or calibrated with",
    )
    add_json(parser)


def execute(options: Namespace) -> int:
    """Evaluate the model and print its metrics."""
    from nanoconf.surrogate.evaluation import evaluate, format_report

    metrics = evaluate(options.model, options.data, options.seen_too)
    if options.json:
        print_json(metrics)
    else:
        print(format_report(metrics))
    return 0
