"""``nanoconf train``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from nanoconf.cli.options import add_data, add_seed, epochs, seed
from nanoconf.shipped import default_path, found

NAME, HELP = "train", "train a network on a dataset"

DESCRIPTION = """\
Train a network on a dataset and write the model to a folder."""

EXAMPLES = """\
examples:
  nanoconf train --data data/grid --validation data/validation -o my-model
  nanoconf train --if-due

--if-due retrains on the runs in the archive, if it has enough new ones. The new model replaces
the current one unless it is worse."""

DATA = "data/grid"

UNUSED = {"validation": None, "epochs": None, "seed": "1", "output": None}
"""Options besides --data that --if-due does not use, and their defaults."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    add_data(parser, DATA)
    parser.add_argument(
        "--validation",
        type=found,
        metavar="DIR",
        help="dataset used to set the error band and evaluate the model "
        "(default: a tenth of --data)",
    )
    parser.add_argument(
        "--if-due",
        action="store_true",
        help="retrain if the archive has enough new runs (NANOCONF_RETRAIN_AFTER, default: 100)",
    )
    parser.add_argument(
        "--epochs",
        metavar="N",
        help="passes through the dataset (default: enough for about 30,000 steps)",
    )
    add_seed(parser, "the weights")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder for the model")


def execute(options: Namespace) -> int:
    """Train, or retrain if it is due."""
    return _train_if_due(options) if options.if_due else _train(options)


def _train_if_due(options: Namespace) -> int:
    from backend.system import InvalidInput
    from nanoconf.surrogate.lifecycle.retraining import train_if_due

    for name, default in {"data": default_path(DATA), **UNUSED}.items():
        if (value := getattr(options, name)) != default:
            raise InvalidInput(
                name, str(value), "cannot be combined with --if-due; omit one of them"
            )
    print(train_if_due())
    return 0


def _train(options: Namespace) -> int:
    from backend.extras import require
    from backend.system import InvalidInput

    if options.output is None:
        raise InvalidInput("output", "", "is missing: specify -o DIR")
    require("train", "training")
    from nanoconf.data import export
    from nanoconf.surrogate.training import train

    export.check(options.output)
    chosen: dict[str, Any] = {"seed": seed(options)}
    if options.epochs is not None:
        chosen["epochs"] = epochs(options)
    train(options.data, options.output, validation_folder=options.validation, **chosen)
    print(f"model in {options.output}")
    return 0
