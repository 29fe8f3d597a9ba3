"""What ``nanoconf paper …`` does: each verb a table, a figure and its numbers."""

from __future__ import annotations

import argparse

from nanoconf.data import export as output
from nanoconf.data.parsing import whole_number
from nanoconf.paper import accuracy, grid_search, speed_up
from nanoconf.paper import network_training as training
from nanoconf.paper import profile_figures as profiles
from nanoconf.paper.histograms import Histograms
from nanoconf.paper.published_network import PaperNetwork
from nanoconf.paper.report import keep, print_table, save_figure
from nanoconf.surrogate.model import Surrogate
from nanoconf.surrogate.simulations import Simulations

MOST_EPOCHS = 1_000_000


def run(options: argparse.Namespace) -> int:
    """``nanoconf paper VERB``."""
    output.prepare(options.results)
    _VERBS[options.paper_verb](options)
    return 0


def _train(options: argparse.Namespace) -> None:
    card = training.train(
        options.data, options.output, epochs=_epochs(options, "epochs"), seed=_seed(options)
    )
    print_table(training.rows(card))
    keep(options.results, "paper-training", training.numbers(card))
    save_figure(options.results, "paper-training", training.draw(card))


def _grid_search(options: argparse.Namespace) -> None:
    found = grid_search.search(
        options.data,
        options.output,
        epochs=_epochs(options, "epochs"),
        full_epochs=_epochs(options, "full_epochs"),
        seed=_seed(options),
    )
    print_table(grid_search.rows(found))
    keep(options.results, "paper-grid-search", grid_search.numbers(found))
    save_figure(options.results, "paper-grid-search", grid_search.draw(found))


def _accuracy(options: argparse.Namespace) -> None:
    histograms = Histograms.load(options.data)
    references = accuracy.references_of(
        [Simulations.load(folder) for folder in (options.data, *options.reference)]
    )
    network = PaperNetwork.load(options.network)
    seen = network.card["systems"]["training"]
    found = accuracy.judge(network, histograms, references, seen)
    print_table(accuracy.rows(found))
    model = Surrogate.load(options.model)
    seen = model.card.systems.training
    ours = accuracy.judge(accuracy.positive_ions(model), histograms, references, seen)
    print(f"\nThe same by {model.name}:\n")
    print_table(accuracy.rows(ours))
    print(accuracy.NOTE)
    keep(options.results, "paper-accuracy", found | {model.name: ours})
    save_figure(options.results, "paper-accuracy", accuracy.draw(found))


def _profiles(options: argparse.Namespace) -> None:
    published = None if options.published is None else profiles.read_published(options.published)
    data = Simulations.load(options.data)
    found = profiles.compare(PaperNetwork.load(options.network), data, published)
    print_table(profiles.rows(found))
    model = Surrogate.load(options.model)
    ours = profiles.compare(accuracy.positive_ions(model), data)
    print(f"\nThe same by {model.name}:\n")
    print_table(profiles.rows(ours))
    kept = {
        name: one.to_dict() | {"ships": {"model": model.name, "error": ours[name].deviation}}
        for name, one in found.items()
    }
    keep(options.results, "paper-profiles", kept)
    save_figure(options.results, "paper-profiles", profiles.draw_profiles(found))
    save_figure(options.results, "paper-trends", profiles.draw_trends(found))


def _speed_up(options: argparse.Namespace) -> None:
    cores = speed_up.scaling(options.scaling)
    times = speed_up.measured_times(options.data, PaperNetwork.load(options.network), cores)
    tables = [speed_up.time_rows(times), speed_up.rows(times)]
    if cores:
        tables.append(speed_up.scaling_rows(cores))
    for number, table in enumerate(tables):
        if number:
            print()
        print_table(table)
    keep(options.results, "paper-speed-up", speed_up.numbers(times, cores))
    save_figure(options.results, "paper-speed-up", speed_up.draw(times, cores))


_VERBS = {
    "train": _train,
    "grid-search": _grid_search,
    "accuracy": _accuracy,
    "profiles": _profiles,
    "speed-up": _speed_up,
}


def _epochs(options: argparse.Namespace, name: str) -> int:
    return whole_number(name, getattr(options, name), 1, MOST_EPOCHS)


def _seed(options: argparse.Namespace) -> int:
    return whole_number("seed", options.seed, 0, 2**31)
