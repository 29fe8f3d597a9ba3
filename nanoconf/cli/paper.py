"""``nanoconf paper``: tables and figures of the paper, with this project's data."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from nanoconf.cli.options import (
    add_data,
    add_epochs,
    add_model,
    add_output,
    add_results,
    add_seed,
    epochs,
    seed,
)
from nanoconf.cli.parser import add_command, add_commands
from nanoconf.shipped import default_path, found

NAME, HELP = "paper", "reproduce the network and the figures of the paper"

DESCRIPTION = """\
Reproduce the network of Kadupitiya, Sun, Fox and Jadhao, J. Comput. Sci. 42, 101107 (2020), and the
figures based on it, using this project's data.

Each command prints a table and writes its figure (PNG) and its numbers (JSON) to docs/results."""

EXAMPLES = """\
examples:
  nanoconf paper train -o paper-network
  nanoconf paper grid-search -o paper-search        # the same command resumes a stopped search
  nanoconf paper accuracy                           # with the network in docs/results
  nanoconf paper profiles --network paper-network   # with another network
  nanoconf paper speed-up"""

NETWORK, SCALING = "docs/results/paper-network", "docs/studies/scaling.json"
GRID, HISTOGRAMS, TEST = "data/grid", "data/histograms", "data/test"


# --- options --------------------------------------------------------------------------------


def add_options(parser: ArgumentParser) -> None:
    """Declare the commands of ``nanoconf paper``."""
    commands = add_commands(parser, "paper_verb")
    _add_train(commands)
    _add_grid_search(commands)
    _add_accuracy(commands)
    _add_profiles(commands)
    _add_speed_up(commands)


def _add_train(commands: Any) -> None:
    command = _add(commands, "train", "train the network; compare its loss with the paper's", GRID)
    add_epochs(command, "--epochs", 4000, "passes through the dataset")
    add_seed(command, "the split and the weights")
    add_output(command, "the network")


def _add_grid_search(commands: Any) -> None:
    summary = "search over layer sizes, learning rate, batch size and dropout (section 3)"
    command = _add(commands, "grid-search", summary, GRID)
    add_epochs(command, "--epochs", 300, "epochs for each combination")
    add_epochs(command, "--full-epochs", 4000, "epochs for the best three combinations")
    add_seed(command, "the split and the weights")
    add_output(command, "the finished combinations")


def _add_accuracy(commands: Any) -> None:
    summary = "compute the success rate A and its ceiling (Fig. 4)"
    command = _add(commands, "accuracy", summary, HISTOGRAMS)
    _add_network(command)
    add_model(command)
    command.add_argument(
        "--reference",
        nargs="*",
        type=found,
        default=[default_path(TEST)],
        metavar="DIR",
        help=f"datasets of longer runs, used for the L2 error (default: nanoconf's {TEST})",
    )


def _add_profiles(commands: Any) -> None:
    summary = "compare predictions for the paper's ten systems with simulations (Figs. 5, 6)"
    command = _add(commands, "profiles", summary, HISTOGRAMS)
    _add_network(command)
    add_model(command)
    command.add_argument(
        "--published",
        type=Path,
        metavar="FILE",
        help="also draw the published network's profiles (CSV: case,h,zp,zn,c,d,z_nm,rho_plus_M)",
    )


def _add_speed_up(commands: Any) -> None:
    command = _add(commands, "speed-up", "compute the effective speed-up S (equation 3)", GRID)
    _add_network(command)
    command.add_argument(
        "--scaling",
        type=found,
        default=default_path(SCALING),
        metavar="FILE",
        help="simulation times by number of cores, used if the file exists (default: "
        f"nanoconf's {SCALING})",
    )


def _add(commands: Any, name: str, summary: str, data: str) -> ArgumentParser:
    command = add_command(commands, name, summary)
    add_data(command, data)
    add_results(command, "--results")
    return command


def _add_network(command: ArgumentParser) -> None:
    command.add_argument(
        "--network",
        type=found,
        default=default_path(NETWORK),
        metavar="DIR",
        help=f"folder of the network, from `nanoconf paper train` (default: nanoconf's {NETWORK})",
    )


# --- execution ------------------------------------------------------------------------------


def execute(options: Namespace) -> int:
    """Carry out one of the commands."""
    from backend.extras import require
    from nanoconf.data import export

    require("train", "the paper's network")
    export.check(options.results)
    commands = {
        "train": _train,
        "grid-search": _grid_search,
        "accuracy": _accuracy,
        "profiles": _profiles,
        "speed-up": _speed_up,
    }
    commands[options.paper_verb](options)
    return 0


def _train(options: Namespace) -> None:
    from nanoconf.paper import network_training as training
    from nanoconf.paper.report import save_figure, save_numbers
    from nanoconf.tables import aligned

    card = training.train(options.data, options.output, epochs=epochs(options), seed=seed(options))
    print(aligned(training.rows(card)))
    save_numbers(options.results, "paper-training", training.numbers(card))
    save_figure(options.results, "paper-training", training.draw(card))


def _grid_search(options: Namespace) -> None:
    from nanoconf.paper import grid_search
    from nanoconf.paper.report import save_figure, save_numbers
    from nanoconf.tables import aligned

    found = grid_search.search(
        options.data,
        options.output,
        epochs=epochs(options),
        full_epochs=epochs(options, "full_epochs"),
        seed=seed(options),
    )
    print(aligned(grid_search.rows(found)))
    save_numbers(options.results, "paper-grid-search", grid_search.numbers(found))
    save_figure(options.results, "paper-grid-search", grid_search.draw(found))


def _accuracy(options: Namespace) -> None:
    from nanoconf.paper import accuracy
    from nanoconf.paper.histograms import Histograms
    from nanoconf.paper.published_network import PaperNetwork
    from nanoconf.paper.report import save_figure, save_numbers
    from nanoconf.surrogate.model import Surrogate
    from nanoconf.surrogate.simulations import Simulations
    from nanoconf.tables import aligned

    histograms = Histograms.load(options.data)
    references = accuracy.references_of(
        [Simulations.load(folder) for folder in (options.data, *options.reference)]
    )
    network = PaperNetwork.load(options.network)
    seen = network.card["systems"]["training"]
    found = accuracy.evaluate(network, histograms, references, seen)
    print(aligned(accuracy.rows(found)))
    model = Surrogate.load(options.model)
    seen = model.card.systems.training
    ours = accuracy.evaluate(accuracy.positive_ions(model), histograms, references, seen)
    print(f"\nThe same for {model.name}:\n")
    print(aligned(accuracy.rows(ours)))
    print(accuracy.NOTE)
    save_numbers(options.results, "paper-accuracy", found | {model.name: ours})
    save_figure(options.results, "paper-accuracy", accuracy.draw(found))


def _profiles(options: Namespace) -> None:
    from nanoconf.paper import accuracy, profile_figures
    from nanoconf.paper.published_network import PaperNetwork
    from nanoconf.paper.report import save_figure, save_numbers
    from nanoconf.surrogate.model import Surrogate
    from nanoconf.surrogate.simulations import Simulations
    from nanoconf.tables import aligned

    published = None
    if options.published is not None:
        published = profile_figures.read_published(options.published)
    data = Simulations.load(options.data)
    found = profile_figures.compare(PaperNetwork.load(options.network), data, published)
    print(aligned(profile_figures.rows(found)))
    model = Surrogate.load(options.model)
    ours = profile_figures.compare(accuracy.positive_ions(model), data)
    print(f"\nThe same for {model.name}:\n")
    print(aligned(profile_figures.rows(ours)))
    kept = {
        name: one.to_dict() | {"ships": {"model": model.name, "error": ours[name].deviation}}
        for name, one in found.items()
    }
    save_numbers(options.results, "paper-profiles", kept)
    save_figure(options.results, "paper-profiles", profile_figures.draw_profiles(found))
    save_figure(options.results, "paper-trends", profile_figures.draw_trends(found))


def _speed_up(options: Namespace) -> None:
    from nanoconf.paper import speed_up
    from nanoconf.paper.published_network import PaperNetwork
    from nanoconf.paper.report import save_figure, save_numbers
    from nanoconf.tables import aligned

    cores = speed_up.scaling(options.scaling)
    times = speed_up.measured_times(options.data, PaperNetwork.load(options.network), cores)
    tables = [speed_up.time_rows(times), speed_up.rows(times)]
    if cores:
        tables.append(speed_up.scaling_rows(cores))
    print("\n\n".join(aligned(table) for table in tables))
    save_numbers(options.results, "paper-speed-up", speed_up.numbers(times, cores))
    save_figure(options.results, "paper-speed-up", speed_up.draw(times, cores))
