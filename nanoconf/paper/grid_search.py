"""The paper's grid search: which sizes, learning rate, batch and dropout learn best.

Each finished combination is a JSON file of its own, written whole and named after everything that
its result follows from, the data's hash included. A search that was stopped goes on where it was,
and finds nothing that belongs to other data, epochs or seeds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nanoconf.data import export as output
from nanoconf.paper.kept import kept
from nanoconf.paper.network_training import EPOCHS, PAPER_LOSS, TEST_FRACTION, Task, epoch_bar, fit
from nanoconf.paper.published_network import PAPER, Hyperparameters
from nanoconf.surrogate.simulations import Simulations
from nanoconf.surrogate.tf import import_tensorflow

SEARCH_EPOCHS = 300
BEST = 3

GRID = tuple(
    Hyperparameters(*values)
    for values in itertools.product(
        ((256, 128), (512, 256), (1024, 512)),
        (1e-4, 1e-3),
        (25, 100),
        (0.0, 0.15, 0.3),
    )
)
"""36 combinations around the paper's choice, which is one of them."""


def search(
    data_folder: str | Path,
    output_folder: str | Path,
    *,
    epochs: int = SEARCH_EPOCHS,
    full_epochs: int = EPOCHS,
    seed: int = 1,
    grid: Sequence[Hyperparameters] = GRID,
    progress: bool = True,
) -> dict[str, Any]:
    """Train every combination, and the best three in full.

    Parameters
    ----------
    data_folder : path
        Data set: ``profiles.parquet`` and ``card.json``.
    output_folder : path
        Where finished combinations are kept, one file each; those that are there are not trained
        again.
    epochs, full_epochs : int
        Passes through the training systems, of each combination and of the best three.
    seed : int
        Seed of the split, which all combinations share, and of the training.
    grid : sequence of Hyperparameters
        The combinations.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    dict
        JSON values: ``combinations`` and ``best``, each a list of results, the smallest validation
        loss first.
    """
    task = Task.of(Simulations.load(data_folder), seed)
    folder = Path(output_folder)
    output.prepare(folder)
    best_of = min(BEST, len(grid))
    with epoch_bar(epochs * len(grid) + full_epochs * best_of, progress) as bar:
        searched = _sorted(_result(task, folder, epochs, seed, each, bar.update) for each in grid)
        best = _sorted(
            _result(
                task,
                folder,
                full_epochs,
                seed,
                Hyperparameters.from_dict(each["hyperparameters"]),
                bar.update,
            )
            for each in searched[:best_of]
        )
    return {
        "data_sha256": task.data.sha256,
        "seed": seed,
        "systems": {
            "training": len(task.keys(task.training)),
            "validation": len(task.keys(task.test)),
        },
        "combinations": searched,
        "best": best,
    }


def _result(
    task: Task,
    folder: Path,
    epochs: int,
    seed: int,
    chosen: Hyperparameters,
    progressed: Callable[[int], Any],
) -> dict[str, Any]:
    """The result of a combination: the one on disk, or else that of training it now."""

    def make() -> dict[str, Any]:
        import_tensorflow().keras.backend.clear_session()  # else each network leaves its graph
        return fit(task, epochs, seed, chosen, lambda: progressed(1)).summary()

    follows_from = {
        "hyperparameters": chosen.to_dict(),
        "epochs": epochs,
        "seed": seed,
        "test_fraction": TEST_FRACTION,
        "data_sha256": task.data.sha256,
    }
    return kept(folder, follows_from, make, lambda: progressed(epochs))


def _sorted(results: Any) -> list[dict[str, Any]]:
    return sorted(results, key=lambda result: result["validation_loss"])


# --- shown ----------------------------------------------------------------------------------


def rows(found: dict[str, Any]) -> list[list[str]]:
    """The combinations as a table, the smallest validation loss first."""
    table = [["hidden", "rate", "batch", "dropout", "epochs", "training", "validation", "s", ""]]
    for result in [*found["best"], *found["combinations"]]:
        chosen = Hyperparameters.from_dict(result["hyperparameters"])
        table.append(
            [
                "/".join(map(str, chosen.hidden_units)),
                f"{chosen.learning_rate:g}",
                str(chosen.batch_size),
                f"{chosen.dropout:g}",
                str(result["epochs"]),
                f"{result['training_loss']:.3g}",
                f"{result['validation_loss']:.3g}",
                f"{result['seconds']:.0f}",
                "<- paper's choice" if chosen == PAPER else "",
            ]
        )
    paper = [f"{PAPER_LOSS[name]:.3g}" for name in ("training", "validation")]
    return [*table, ["512/256", "0.0001", "25", "0.15", str(EPOCHS), *paper, "", "in the paper"]]


def draw(found: dict[str, Any]) -> Any:
    """Validation loss of every combination, and the curves of the best."""
    from nanoconf.paper.report import COLOURS, MARKERS, STYLES, figure

    picture, axes = figure(1, 2, size=(10.5, 4.0))
    results = found["combinations"]
    drop_rates = sorted({result["hyperparameters"]["dropout"] for result in results})
    axis = axes[0, 0]
    for index, dropout in enumerate(drop_rates):
        shown = [
            (rank, result["validation_loss"])
            for rank, result in enumerate(results, 1)
            if result["hyperparameters"]["dropout"] == dropout
        ]
        marker, colour = MARKERS[index % len(MARKERS)], COLOURS[index % len(COLOURS)]
        axis.semilogy(*zip(*shown, strict=True), marker, color=colour, label=f"dropout {dropout:g}")
    for rank, result in enumerate(results, 1):
        if Hyperparameters.from_dict(result["hyperparameters"]) == PAPER:
            axis.axvline(rank, color="0.5", linestyle=":", label="paper's choice")
    axis.set_xlabel(f"rank after {results[0]['epochs']} epochs")
    axis.set_ylabel("validation loss")
    axis.legend()
    axis = axes[0, 1]
    for index, result in enumerate(found["best"]):
        curves = result["curves"]
        axis.loglog(
            curves["epoch"],
            curves["validation_loss"],
            STYLES[index],
            color=COLOURS[index],
            label=str(Hyperparameters.from_dict(result["hyperparameters"])),
        )
    axis.axhline(PAPER_LOSS["validation"], color="0.3", linestyle=":", label="paper's last")
    axis.set_xlabel("epoch")
    axis.set_ylabel("validation loss")
    axis.legend(fontsize=8)
    return picture


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a search: the curves of the best only."""
    short = [
        {name: value for name, value in result.items() if name != "curves"}
        for result in found["combinations"]
    ]
    return {**found, "combinations": short, "paper": PAPER.to_dict() | {"loss": PAPER_LOSS}}
