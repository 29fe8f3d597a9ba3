"""``nanoconf compare``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nanoconf.cli.options import add_data, add_epochs, add_results, add_seed, epochs, seed

NAME, HELP = "compare", "compare six regressors (Table 1 of the paper)"

DESCRIPTION = """\
Compare six regressors on the contact, midplane and peak densities of the positive ions, as in
Table 1 of the paper: success rates on held-out simulations (30 % of the dataset) and mean squared
errors from 20-fold cross-validation, next to the paper's numbers."""

EXAMPLES = """\
examples:
  nanoconf compare --keep paper-regressors  # the same command resumes a stopped comparison
  nanoconf compare --without ann            # a minute or two instead of half an hour
  nanoconf compare --data data/training -o results

The folder will contain compare.json and parity.png."""

REGRESSORS = ("polynomial", "kernel ridge", "svr", "tree", "forest", "ann")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    add_data(parser, "data/grid")
    add_epochs(
        parser,
        "--epochs",
        4000,
        "training epochs of the ANN that is scored on the held-out simulations",
    )
    add_epochs(parser, "--fold-epochs", 300, "epochs of the ANN in each fold")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=REGRESSORS,
        help="omit a regressor (repeatable)",
    )
    add_seed(parser, "the split and the regressors")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="folder for intermediate results; the same command resumes from them",
    )
    add_results(parser, "-o", "--output")


def execute(options: Namespace) -> int:
    """Compare; print and write the table and the figure."""
    from backend.extras import require
    from backend.files import write_json
    from nanoconf.data import export
    from nanoconf.paper.compare import compare, format_table, regressors_to_try
    from nanoconf.paper.figures import draw_parity
    from nanoconf.surrogate.simulations import Simulations

    held_out, fold, number = epochs(options), epochs(options, "fold_epochs"), seed(options)
    require("train", "the comparison of regressors")
    data = Simulations.load(options.data)
    regressors_to_try(data, options.without)
    for folder in filter(None, (options.keep, options.output)):
        export.prepare(folder)
    comparison = compare(
        data,
        epochs=held_out,
        fold_epochs=fold,
        without=options.without,
        seed=number,
        keep=options.keep,
    )
    write_json(options.output / "compare.json", comparison.to_dict())
    draw_parity(comparison, options.output / "parity.png")
    print(format_table(comparison))
    print(f"compare.json and parity.png in {options.output}")
    return 0
