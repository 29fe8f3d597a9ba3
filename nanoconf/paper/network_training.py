"""Training of the paper's network, with its loss curves."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from backend import __version__
from backend.files import write_json
from backend.system import InvalidInput, SlitSystem
from nanoconf.data import export as output
from nanoconf.data.published import KEPT_OUT
from nanoconf.paper.published_network import (
    ARCHITECTURE,
    CARD,
    INPUTS,
    KIND,
    NETWORK,
    PAPER,
    SPECIES,
    Hyperparameters,
    check_inputs,
    compiled_epoch,
    network_inputs,
    paper_key,
    physical_network,
    scaled_network,
)
from nanoconf.paper.report import tidy
from nanoconf.surrogate.simulations import Simulations
from nanoconf.surrogate.tf import THREADS, import_tensorflow, limit_threads, versions

if TYPE_CHECKING:
    from sklearn.preprocessing import MinMaxScaler

EPOCHS = 4000
TEST_FRACTION = 0.2
CURVE_POINTS = 200

PAPER_LOSS = {"training": 1.94e-4, "validation": 2.4e-5}
"""Final mean squared errors reported in the paper."""


@dataclass(frozen=True)
class Task:
    """A dataset split into training and test simulations.

    Attributes
    ----------
    data : Simulations
        The dataset.
    training, test : ndarray of int
        Indices of the simulations in each set. The published systems are in neither.
    """

    data: Simulations
    training: np.ndarray
    test: np.ndarray

    @classmethod
    def of(cls, data: Simulations, seed: int) -> Self:
        """Split a dataset 0.8 : 0.2 at random; all simulations of a system stay together.

        Raises
        ------
        InvalidInput
            If the data have too few systems, or a system that the inputs do not fully describe.
        """
        check_inputs(data.systems)
        row_keys = [paper_key(system) for system in data.systems]
        keys = sorted(set(row_keys) - {paper_key(system) for system in KEPT_OUT})
        held_out = round(TEST_FRACTION * len(keys))
        if not held_out:
            problem = f"has too few systems to train on: {len(keys)} besides the published ones"
            raise InvalidInput("data", data.folder, problem)
        order = np.random.default_rng(seed).permutation(len(keys))
        shuffled = [keys[index] for index in order]
        test, training = np.array(shuffled[:held_out]), np.array(shuffled[held_out:])
        return cls(
            data,
            np.flatnonzero(np.isin(row_keys, training)),
            np.flatnonzero(np.isin(row_keys, test)),
        )

    @cached_property
    def inputs(self) -> np.ndarray:
        """The five inputs of each simulation, shape (simulations, 5)."""
        return network_inputs(self.data.systems)

    @cached_property
    def outputs(self) -> np.ndarray:
        """Densities (M) of positive ions in the left half, shape (simulations, 150)."""
        return self.data.density[SPECIES]

    @cached_property
    def scale_inputs(self) -> MinMaxScaler:
        """Scaling of the inputs, fitted to the training systems."""
        return _scaler(self.inputs[self.training])

    @cached_property
    def scale_outputs(self) -> MinMaxScaler:
        """Scaling of the outputs, fitted to the training systems."""
        return _scaler(self.outputs[self.training])

    def scaled(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scaled inputs and outputs of the given simulations."""
        return (
            self.scale_inputs.transform(self.inputs[rows]),
            self.scale_outputs.transform(self.outputs[rows]),
        )

    def keys(self, rows: np.ndarray) -> list[str]:
        """Sorted keys of the systems of the given simulations."""
        return sorted({paper_key(self.data.systems[row]) for row in rows})


def _scaler(values: np.ndarray) -> MinMaxScaler:
    """Return the min-max scaling of each column to [0, 1]."""
    from sklearn.preprocessing import MinMaxScaler

    return MinMaxScaler().fit(values)


@dataclass(frozen=True)
class Fit:
    """A trained network, its losses and its training time.

    Attributes
    ----------
    network : keras.Model
        Network from scaled inputs to scaled outputs, with the weights of the last epoch, as in the
        paper.
    training_loss, validation_loss : list of float
        Mean squared error of the scaled outputs in each epoch. The training loss is averaged over
        the batches, with dropout; the validation loss is that of the test systems, without dropout.
    seconds, cpu_seconds : float
        Wall-clock time, and CPU time summed over the cores.
    """

    network: Any
    training_loss: list[float]
    validation_loss: list[float]
    seconds: float
    cpu_seconds: float

    def summary(self) -> dict[str, Any]:
        """Return losses and times as JSON values, with curves thinned out for plotting."""
        epochs = len(self.training_loss)
        shown = np.unique(np.geomspace(1, epochs, CURVE_POINTS).round().astype(int))
        return {
            "epochs": epochs,
            "training_loss": tidy(self.training_loss[-1]),
            "validation_loss": tidy(self.validation_loss[-1]),
            "lowest_validation_loss": tidy(min(self.validation_loss)),
            "seconds": tidy(self.seconds),
            "cpu_seconds": tidy(self.cpu_seconds),
            "threads": THREADS,
            "curves": {
                "epoch": shown.tolist(),
                "training_loss": tidy([self.training_loss[epoch - 1] for epoch in shown]),
                "validation_loss": tidy([self.validation_loss[epoch - 1] for epoch in shown]),
            },
        }


def train(
    data_folder: str | Path,
    output_folder: str | Path,
    *,
    epochs: int = EPOCHS,
    seed: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Train the paper's network and write ``network.keras`` and ``card.json``.

    Parameters
    ----------
    data_folder : path
        Dataset with ``profiles.parquet`` and ``card.json``.
    output_folder : path
        Folder for the network.
    epochs : int
        Number of training epochs.
    seed : int
        Seed of the split, the initial weights, the dropout and the order of the batches. On a
        given machine, the same seed and data give the same network.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    dict
        Card of the network.

    Raises
    ------
    InvalidInput
        If the data are unsuitable for training, or the folder cannot be written.
    """
    task = Task.of(Simulations.load(data_folder), seed)
    folder = Path(output_folder)
    output.prepare(folder)
    with epoch_bar(epochs, progress) as bar:
        fitted = fit(task, epochs, seed, after_epoch=bar.update)
    card = {
        "name": folder.absolute().name,
        "kind": KIND,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "packages": versions(),
        "inputs": list(INPUTS),
        "outputs": "density (M) of positive ions in each bin of the left half, from the wall",
        "architecture": PAPER.to_dict() | ARCHITECTURE,
        "data": {"sha256": task.data.sha256, "simulations": len(task.data)},
        "training": {"seed": seed, "test_fraction": TEST_FRACTION, **fitted.summary()},
        "systems": {"columns": " ".join(INPUTS)}
        | {"training": task.keys(task.training), "test": task.keys(task.test)},
    }
    _save(physical_network(fitted.network, task.scale_inputs, task.scale_outputs), card, folder)
    return card


def fit(
    task: Task,
    epochs: int,
    seed: int,
    chosen: Hyperparameters = PAPER,
    after_epoch: Callable[[], Any] = lambda: None,
) -> Fit:
    """Fit a network; call `after_epoch` after every epoch."""
    limit_threads()
    clock, cpu_clock = time.monotonic(), time.process_time()
    random = np.random.default_rng(seed)
    training, test = task.scaled(task.training), task.scaled(task.test)
    network = scaled_network(training[0].shape[1], training[1].shape[1], seed, chosen)
    run_epoch = compiled_epoch(network, *training, chosen)
    validation_loss = _validation_loss(network, *test)
    training_losses, validation_losses = [], []
    for _ in range(epochs):
        training_losses.append(run_epoch(random.permutation(len(training[0]))))
        validation_losses.append(validation_loss())
        after_epoch()
    return Fit(
        network,
        training_losses,
        validation_losses,
        time.monotonic() - clock,
        time.process_time() - cpu_clock,
    )


def densities(task: Task, fitted: Fit, systems: Sequence[SlitSystem]) -> np.ndarray:
    """Predict densities (M) with a fitted network, shape (systems, 150)."""
    inputs = task.scale_inputs.transform(network_inputs(systems)).astype(np.float32)
    scaled = fitted.network(inputs, training=False).numpy()
    return task.scale_outputs.inverse_transform(scaled.astype(float))


def _validation_loss(network: Any, inputs: np.ndarray, outputs: np.ndarray) -> Callable[[], float]:
    tf = import_tensorflow()
    x, y = (tf.constant(values, tf.float32) for values in (inputs, outputs))

    @tf.function
    def loss() -> Any:
        return tf.reduce_mean(tf.square(network(x, training=False) - y))

    return lambda: float(loss())


def epoch_bar(epochs: int, progress: bool) -> Any:
    """Return a progress bar over epochs, on stderr."""
    from tqdm import tqdm

    return tqdm(
        total=epochs,
        unit=" epochs",
        mininterval=1 if sys.stderr.isatty() else 30,  # keeps log files short
        disable=not progress,
    )


def _save(network: Any, card: dict[str, Any], folder: Path) -> None:
    """Write a network, then its card: a folder with a card is complete."""
    (folder / CARD).unlink(missing_ok=True)
    temporary = folder / f".{os.getpid()}.{NETWORK}"
    try:
        network.save(temporary)
        os.replace(temporary, folder / NETWORK)
    finally:
        temporary.unlink(missing_ok=True)
    write_json(folder / CARD, card)


# --- tables and figures ---------------------------------------------------------------------


def rows(card: dict[str, Any]) -> list[list[str]]:
    """Table of the losses and the training time."""
    training = card["training"]
    epoch_seconds = training["seconds"] / training["epochs"]
    return [
        ["", "here", "paper"],
        *(
            [f"{name} loss", f"{training[f'{name}_loss']:.3g}", f"{PAPER_LOSS[name]:.3g}"]
            for name in ("training", "validation")
        ),
        ["lowest validation loss", f"{training['lowest_validation_loss']:.3g}", ""],
        ["epochs", str(training["epochs"]), str(EPOCHS)],
        ["training systems", str(len(card["systems"]["training"])), ""],
        ["validation systems", str(len(card["systems"]["test"])), ""],
        ["wall-clock time", f"{training['seconds']:.0f} s", ""],
        ["time per epoch", f"{1000 * epoch_seconds:.0f} ms", ""],
        ["CPU time", f"{training['cpu_seconds']:.0f} s", ""],
    ]


def numbers(card: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers to store: architecture, data, losses and times."""
    systems = {part: len(card["systems"][part]) for part in ("training", "test")}
    names = ("architecture", "data", "training")
    return {name: card[name] for name in names} | {"systems": systems, "paper_loss": PAPER_LOSS}


def draw(card: dict[str, Any]) -> Any:
    """Draw the losses over the epochs, with the paper's final values."""
    from nanoconf.paper.report import COLOURS, figure

    picture, axes = figure(1, 1, size=(6.0, 3.8))
    axis = axes[0, 0]
    curves = card["training"]["curves"]
    for name, style, colour in (
        ("training", "-", COLOURS[0]),
        ("validation", "--", COLOURS[1]),
    ):
        label = f"{name}, {'with' if name == 'training' else 'without'} dropout"
        axis.loglog(curves["epoch"], curves[f"{name}_loss"], style, color=colour, label=label)
        paper = PAPER_LOSS[name]
        axis.axhline(paper, linestyle=":", color=colour, linewidth=1)
        axis.annotate(f"paper, {name}: {paper:.3g}", (1, paper), color=colour, va="bottom")
    axis.set_xlabel("epoch")
    axis.set_ylabel("mean squared error, scaled")
    axis.legend()
    return picture
