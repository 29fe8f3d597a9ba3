"""The paper's grid search over layer sizes, learning rate, batch size and dropout.

The result of each combination is cached in a JSON file, named after the hash of everything that
determines it, including the data. An interrupted search resumes with the remaining combinations,
and never reuses results for other data, epochs or seeds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nanoconf.data import export as output
from nanoconf.paper.cache import cached
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
"""36 combinations, including the paper's choice."""


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
    """Train every combination briefly and the best three in full.

    Parameters
    ----------
    data_folder : path
        Dataset with ``profiles.parquet`` and ``card.json``.
    output_folder : path
        Folder of the cached results, one file per combination. Stored results are reused.
    epochs, full_epochs : int
        Epochs for each combination and for the best three.
    seed : int
        Seed of the split, which all combinations share, and of the training.
    grid : sequence of Hyperparameters
        Combinations to train.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    dict
        JSON values. ``combinations`` and ``best`` are lists of results in ascending order of the
        validation loss.
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
    """Return the result of a combination, from the cache or by training it."""

    def compute() -> dict[str, Any]:
        import_tensorflow().keras.backend.clear_session()  # frees the previous network's graph
        return fit(task, epochs, seed, chosen, lambda: progressed(1)).summary()

    inputs = {
        "hyperparameters": chosen.to_dict(),
        "epochs": epochs,
        "seed": seed,
        "test_fraction": TEST_FRACTION,
        "data_sha256": task.data.sha256,
    }
    return cached(folder, inputs, compute, lambda: progressed(epochs))


def _sorted(results: Any) -> list[dict[str, Any]]:
    return sorted(results, key=lambda result: result["validation_loss"])


# --- tables and figures ---------------------------------------------------------------------


def rows(found: dict[str, Any]) -> list[list[str]]:
    """Table of the combinations, in ascending order of the validation loss."""
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
    """Draw the validation loss of every combination and the loss curves of the best."""
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
    axis.axhline(PAPER_LOSS["validation"], color="0.3", linestyle=":", label="paper, final")
    axis.set_xlabel("epoch")
    axis.set_ylabel("validation loss")
    axis.legend(fontsize=8)
    return picture


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    """Return the results to store, with curves for the best combinations only."""
    without_curves = [
        {name: value for name, value in result.items() if name != "curves"}
        for result in found["combinations"]
    ]
    return {
        **found,
        "combinations": without_curves,
        "paper": PAPER.to_dict() | {"loss": PAPER_LOSS},
    }
