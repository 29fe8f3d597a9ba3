"""What can be typed after ``nanoconf paper``.

Here, and not beside what the verbs do, because the package of the surrogate takes half a second to
load, and ``--help`` is to answer at once.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from nanoconf.cli.options import add_data, add_results, add_seed

NAME, TEXT = "paper", "the published network and the paper's figures, with this project's data"

DESCRIPTION = """\
The published network, exactly, and the paper's figures about it, made with this project's data:
Kadupitiya, Sun, Fox and Jadhao, J. Comput. Sci. 42, 101107 (2020).

Each verb prints a table, and writes its figure (PNG) and its numbers (JSON) to docs/results."""

EXAMPLES = """\
examples:
  nanoconf paper train -o paper-network
  nanoconf paper grid-search -o paper-search        # the same command goes on where it stopped
  nanoconf paper accuracy                           # with the network of docs/results
  nanoconf paper profiles --network paper-network   # with another
  nanoconf paper speed-up"""

NETWORK = Path("docs/results/paper-network")
GRID, HISTOGRAMS, TEST = Path("data/grid"), Path("data/histograms"), Path("data/test")


def add_options(paper: ArgumentParser) -> None:
    """Give ``nanoconf paper`` its verbs."""
    verbs = paper.add_subparsers(
        title="verbs", dest="paper_verb", metavar="VERB", required=True, parser_class=type(paper)
    )
    _add_train(verbs)
    _add_grid_search(verbs)
    _add_accuracy(verbs)
    _add_profiles(verbs)
    _add_speed_up(verbs)
    paper.set_defaults(command=execute)


def execute(options: Namespace) -> int:
    """Carry out one of the verbs."""
    from nanoconf.paper.command import run

    return run(options)


def _add_train(verbs) -> None:
    verb = _add_verb(verbs, "train", "train the network; its loss beside the paper's", GRID)
    verb.add_argument("--epochs", default="4000", metavar="N", help="passes through them (4000)")
    add_seed(verb, "split and weights")
    _add_output(verb, "the network")


def _add_grid_search(verbs) -> None:
    verb = _add_verb(
        verbs, "grid-search", "search sizes, learning rate, batch and dropout (section 3)", GRID
    )
    verb.add_argument("--epochs", default="300", metavar="N", help="of each combination (300)")
    verb.add_argument("--full-epochs", default="4000", metavar="N", help="of the best three (4000)")
    add_seed(verb, "split and weights")
    _add_output(verb, "the finished combinations")


def _add_accuracy(verbs) -> None:
    verb = _add_verb(verbs, "accuracy", "the success rate A and its ceiling (Fig. 4)", HISTOGRAMS)
    _add_network(verb)
    _add_model(verb)
    verb.add_argument(
        "--reference",
        nargs="*",
        type=Path,
        default=[TEST],
        metavar="DIR",
        help=f"datasets of longer runs, for the error itself ({TEST})",
    )


def _add_profiles(verbs) -> None:
    verb = _add_verb(
        verbs, "profiles", "the paper's ten systems beside simulations (Figs. 5, 6)", HISTOGRAMS
    )
    _add_network(verb)
    _add_model(verb)
    verb.add_argument(
        "--published",
        type=Path,
        metavar="FILE",
        help="the published network's profiles (CSV: case,h,zp,zn,c,d,z_nm,rho_plus_M), to be "
        "drawn beside",
    )


def _add_speed_up(verbs) -> None:
    verb = _add_verb(verbs, "speed-up", "the effective speed-up S (equation 3)", GRID)
    _add_network(verb)
    verb.add_argument(
        "--scaling",
        type=Path,
        default=Path("docs/studies/scaling.json"),
        metavar="FILE",
        help="simulation times over cores (docs/studies/scaling.json, if there)",
    )


def _add_verb(verbs, name: str, text: str, data: Path) -> ArgumentParser:
    verb = verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_data(verb, data)
    add_results(verb, "--results")
    return verb


def _add_network(verb: ArgumentParser) -> None:
    verb.add_argument(
        "--network",
        type=Path,
        default=NETWORK,
        metavar="DIR",
        help=f"the network, of `nanoconf paper train -o DIR` ({NETWORK})",
    )


def _add_model(verb: ArgumentParser) -> None:
    verb.add_argument(
        "--model", type=Path, metavar="DIR", help="the model to judge likewise (the current)"
    )


def _add_output(verb: ArgumentParser, text: str) -> None:
    verb.add_argument(
        "-o", "--output", type=Path, metavar="DIR", required=True, help=f"folder for {text}"
    )
