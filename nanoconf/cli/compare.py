"""``nanoconf compare``."""

from __future__ import annotations

import argparse
from pathlib import Path

from nanoconf.cli.options import add_data, add_results, add_seed

NAME, TEXT = "compare", "compare six regressors, the paper's Table 1"

DESCRIPTION = """\
Compares six regressors on contact, mid and peak density of the positive ions, as the paper's
Table 1 does: success rates on 30 % of the simulations, held out, and mean squared errors of 20
folds, beside the paper's numbers."""

EXAMPLES = """\
examples:
  nanoconf compare --keep paper-regressors  the same command goes on where it stopped
  nanoconf compare --without ann            a minute or two, instead of half an hour
  nanoconf compare --data data/training -o results

The folder receives compare.json and parity.png."""

REGRESSORS = ("polynomial", "kernel ridge", "svr", "tree", "forest", "ann")


def add_options(verb: argparse.ArgumentParser) -> None:
    """What can be typed."""
    add_data(verb, Path("data/grid"))
    verb.add_argument(
        "--epochs",
        default="4000",
        metavar="N",
        help="epochs of the ANN, simulations held out (4000)",
    )
    verb.add_argument(
        "--fold-epochs", default="300", metavar="N", help="epochs of the ANN in each fold (300)"
    )
    verb.add_argument(
        "--without",
        action="append",
        default=[],
        choices=REGRESSORS,
        help="leave a regressor out (repeatable)",
    )
    add_seed(verb, "split and regressors")
    verb.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="folder for what has been learnt: the same command goes on where it stopped",
    )
    add_results(verb, "-o", "--output")
    verb.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Compare, print the table, write it and the figure."""
    from backend.files import write_json
    from nanoconf.data import export as output
    from nanoconf.data.parsing import whole_number
    from nanoconf.paper.compare import compare, format_table, regressors_to_try
    from nanoconf.paper.figures import draw_parity
    from nanoconf.surrogate.simulations import Simulations

    epochs = whole_number("epochs", options.epochs, 1, 1_000_000)
    fold_epochs = whole_number("fold_epochs", options.fold_epochs, 1, 1_000_000)
    seed = whole_number("seed", options.seed, 0, 2**31)
    data = Simulations.load(options.data)
    regressors_to_try(data, options.without)
    for folder in filter(None, (options.keep, options.output)):
        output.prepare(folder)
    comparison = compare(
        data,
        epochs=epochs,
        fold_epochs=fold_epochs,
        without=options.without,
        seed=seed,
        keep=options.keep,
    )
    write_json(options.output / "compare.json", comparison.to_dict())
    draw_parity(comparison, options.output / "parity.png")
    print(format_table(comparison))
    print(f"compare.json and parity.png in {options.output}")
    return 0
