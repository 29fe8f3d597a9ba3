"""Trains a model: one network for each ion."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from backend import __version__
from backend.files import write_json
from backend.profiles import BINS, SPECIES, bin_centres
from backend.system import InvalidInput, SlitSystem
from nanoconf.surrogate.data import Simulations
from nanoconf.surrogate.domain import INPUTS, Domain, network_inputs
from nanoconf.surrogate.evaluation import evaluate
from nanoconf.surrogate.model import HALF, KIND, Surrogate
from nanoconf.surrogate.network import (
    ARCHITECTURE,
    BATCH_SIZE,
    LEARNING_RATE,
    MinMax,
    import_tensorflow,
    physical_network,
    save,
    scaled_network,
)
from nanoconf.surrogate.uncertainty import measured_error

THREADS = 2
NICENESS = 10
CURVE_POINTS = 200
PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy")


@dataclass(frozen=True)
class Split:
    """Which simulations serve what; the ions and repeats of a system stay together.

    Attributes
    ----------
    training, validation, test : ndarray of int
        Simulations that the weights are fitted to, that choose the epoch, and that are held out.
    """

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Fit:
    """How a network came out.

    Attributes
    ----------
    network : keras.Model
        From scaled inputs to scaled outputs, with the weights of the best epoch.
    training_loss, validation_loss : list of float
        Mean squared error of the scaled outputs, epoch by epoch; with and without dropout.
    best_epoch : int
        Epoch of the smallest validation loss, counted from 1.
    """

    network: Any
    training_loss: list[float]
    validation_loss: list[float]
    best_epoch: int


def train(
    data_folder: str | Path,
    output_folder: str | Path,
    *,
    epochs: int = 4000,
    seed: int = 1,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.1,
    progress: bool = True,
    background: bool = True,
) -> dict[str, Any]:
    """Train a model and write its folder.

    Parameters
    ----------
    data_folder : path
        Data set: ``profiles.parquet`` and ``card.json``.
    output_folder : path
        The model's folder; its last part is the model's name. A folder that is there is replaced.
    epochs : int
        Passes through the training systems.
    seed : int
        Seed of the split, the initial weights, dropout and the order of the batches. On one machine
        the same seed and data give the same model.
    test_fraction : float
        Share of the systems held out: they decide nothing, they are what `evaluate` judges by.
    validation_fraction : float
        Share of the systems that choose the epoch whose weights are kept.
    progress : bool
        Show a progress bar on stderr.
    background : bool
        Lower the priority of this process, for good.

    Returns
    -------
    dict
        The model's card, as in ``card.json``.

    Raises
    ------
    InvalidInput
        A parameter is out of range, or the data are too few or cannot be learnt by this network.
    """
    started = time.monotonic()
    _check(epochs, test_fraction, validation_fraction)
    data = Simulations.load(data_folder)
    try:
        domain = Domain.of(data.systems)
        split = split_systems(data.systems, data.keys, seed, test_fraction, validation_fraction)
    except ValueError as problem:
        raise InvalidInput("data", str(data_folder), str(problem)) from None
    if background:
        _lower_priority()
    output = Path(output_folder).absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        fits = _fit_and_save(data, split, folder, epochs, seed, progress)
        card = {
            "name": output.name,
            "kind": KIND,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
            "packages": {"python": platform.python_version()}
            | {package: version(package) for package in PACKAGES},
            "inputs": list(INPUTS),
            "outputs": "density / mean density in each bin of the left half, from the wall inwards",
            "bins": {"slit": BINS, "learnt": HALF},
            "domain": domain.to_dict(),
            "data": {"sha256": data.sha256, "simulations": len(data)},
            "architecture": ARCHITECTURE,
            "training": {
                "seed": seed,
                "epochs": epochs,
                "test_fraction": test_fraction,
                "validation_fraction": validation_fraction,
                "seconds": round(time.monotonic() - started, 1),
                "threads": THREADS,
            }
            | {species: _curves(fit) for species, fit in fits.items()},
            "systems": _systems(data, split),
        }
        card = _judged(card, folder, data, split)
        _put_in_place(folder, output)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return card


def split_systems(
    systems: Sequence[SlitSystem],
    keys: Sequence[str],
    seed: int,
    test_fraction: float,
    validation_fraction: float,
) -> Split:
    """Divide simulations at random, for each pair of valencies apart, system by system.

    Parameters
    ----------
    systems : sequence of SlitSystem
        One a simulation.
    keys : sequence of str
        Equal for simulations of the same system.
    seed : int
        Seed of the division.
    test_fraction, validation_fraction : float
        Shares of the systems; each gets one system at least.

    Raises
    ------
    ValueError
        A pair of valencies has fewer than three systems, or nothing is left to train on.
    """
    random = np.random.default_rng(seed)
    role: dict[str, str] = {}
    valencies = {key: system.valencies for key, system in zip(keys, systems, strict=True)}
    for pair in sorted(set(valencies.values())):
        members = sorted(key for key in valencies if valencies[key] == pair)
        test = max(1, round(test_fraction * len(members)))
        validation = max(1, round(validation_fraction * len(members)))
        if test + validation >= len(members):
            raise ValueError(
                f"{len(members)} systems with valencies {pair[0]}:{pair[1]} are too few to train "
                f"on, when {test} of them are held out and {validation} choose the epoch"
            )
        order = [members[index] for index in random.permutation(len(members))]
        role |= dict.fromkeys(order[:test], "test")
        role |= dict.fromkeys(order[test : test + validation], "validation")
    roles = np.array([role.get(key, "training") for key in keys])
    return Split(*(np.flatnonzero(roles == name) for name in ("training", "validation", "test")))


def _check(epochs: int, test_fraction: float, validation_fraction: float) -> None:
    if epochs < 1:
        raise InvalidInput("epochs", epochs, "must be 1 or more")
    for name, value in (
        ("test_fraction", test_fraction),
        ("validation_fraction", validation_fraction),
    ):
        if not 0 < value < 1:
            raise InvalidInput(name, value, "must lie between 0 and 1")


# --- fitting --------------------------------------------------------------------------------


def _fit_and_save(
    data: Simulations, split: Split, folder: Path, epochs: int, seed: int, progress: bool
) -> dict[str, Fit]:
    from tqdm import tqdm

    _limit_threads()
    inputs = network_inputs(data.systems)
    scale_in = MinMax.of(inputs[split.training])
    fits = {}
    bar = tqdm(
        total=epochs * len(SPECIES),
        unit=" epochs",
        mininterval=1 if sys.stderr.isatty() else 30,  # a log file needs no line a second
        disable=not progress,
    )
    with bar:
        for species in SPECIES:
            bar.set_description(species)
            densities = data.density[species] / data.mean_densities(species)[:, None]
            scale_out = MinMax.of(densities[split.training])
            training, validation = (
                (scale_in.scaled(inputs[part]), scale_out.scaled(densities[part]))
                for part in (split.training, split.validation)
            )
            fit = fits[species] = fit_network(training, validation, epochs, seed, bar.update)
            save(physical_network(fit.network, scale_in, scale_out, species), folder, species)
    return fits


def fit_network(
    training: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    epochs: int,
    seed: int,
    after_epoch: Callable[[], Any] = lambda: None,
) -> Fit:
    """Fit the network to scaled inputs and outputs, and keep the best epoch's weights.

    Parameters
    ----------
    training, validation : pair of ndarray, shapes (systems, inputs) and (systems, outputs)
        What the weights are fitted to, and what chooses the epoch.
    epochs : int
        Passes through the training systems.
    seed : int
        Seed of initial weights, dropout and order of the batches.
    after_epoch : callable
        Called after every epoch.
    """
    random = np.random.default_rng(seed)
    network = scaled_network(training[0].shape[1], training[1].shape[1], seed)
    run_epoch, validation_loss = _compiled(network, training, validation)
    history: dict[str, list[float]] = {"training": [], "validation": []}
    best, best_weights = np.inf, network.get_weights()
    for _ in range(epochs):
        order = random.permutation(len(training[0])).astype(np.int32)
        history["training"].append(float(run_epoch(order)))
        history["validation"].append(float(validation_loss()))
        if history["validation"][-1] < best:
            best, best_weights = history["validation"][-1], network.get_weights()
        after_epoch()
    network.set_weights(best_weights)
    best_epoch = int(np.argmin(history["validation"])) + 1
    return Fit(network, history["training"], history["validation"], best_epoch)


def _compiled(
    network: Any,
    training: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
) -> tuple[Callable[[np.ndarray], Any], Callable[[], Any]]:
    """One epoch, and the validation loss, as TensorFlow graphs.

    A whole epoch in one graph: `keras.Model.fit` spends ten times as long on its bookkeeping as
    this small network takes to learn from a batch.
    """
    tf = import_tensorflow()
    import keras

    x, y = (tf.constant(values, tf.float32) for values in training)
    x_validation, y_validation = (tf.constant(values, tf.float32) for values in validation)
    optimiser = keras.optimizers.Adam(LEARNING_RATE)
    optimiser.build(network.trainable_variables)
    batches = -(-len(training[0]) // BATCH_SIZE)

    @tf.function
    def run_epoch(order: Any) -> Any:
        total = tf.constant(0.0)
        for batch in tf.range(batches):
            rows = order[batch * BATCH_SIZE : (batch + 1) * BATCH_SIZE]
            with tf.GradientTape() as tape:
                error = network(tf.gather(x, rows), training=True) - tf.gather(y, rows)
                loss = tf.reduce_mean(tf.square(error))
            gradients = tape.gradient(loss, network.trainable_variables)
            optimiser.apply(gradients, network.trainable_variables)
            total += loss * tf.cast(tf.size(rows), tf.float32)
        return total / len(training[0])

    @tf.function
    def validation_loss() -> Any:
        return tf.reduce_mean(tf.square(network(x_validation, training=False) - y_validation))

    return lambda order: run_epoch(tf.constant(order)), validation_loss


def _limit_threads() -> None:
    threading = import_tensorflow().config.threading
    try:
        threading.set_intra_op_parallelism_threads(THREADS)
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # TensorFlow is in use already in this process, and keeps the threads it has


def _lower_priority() -> None:
    if hasattr(os, "nice"):
        os.nice(max(0, NICENESS - os.nice(0)))


# --- the card -------------------------------------------------------------------------------


def _judged(card: dict[str, Any], folder: Path, data: Simulations, split: Split) -> dict[str, Any]:
    """The card with what the finished model is worth on the systems held out, written down."""
    untold = {"meaning": "not measured yet", "distance_nm": [0.0]} | {
        species: {f"{p}:{n}": [0.0] for p, n in {s.valencies for s in data.systems}}
        for species in SPECIES
    }
    write_json(folder / "card.json", card | {"error": untold})
    model = Surrogate.load(folder)
    systems = [data.systems[row] for row in split.test]
    predictions = model.predict_many(systems)
    deviations = {
        species: [
            getattr(prediction, species).density[:HALF] - data.density[species][row]
            for prediction, row in zip(predictions, split.test, strict=True)
        ]
        for species in SPECIES
    }
    z = [bin_centres(system)[:HALF] for system in systems]
    card = card | {
        "error": measured_error(systems, z, deviations),
        "metrics": evaluate(model, data),
    }
    write_json(folder / "card.json", card)
    return card


def _systems(data: Simulations, split: Split) -> dict[str, Any]:
    parts = {"training": split.training, "validation": split.validation, "test": split.test}
    listed = {name: sorted({data.keys[row] for row in rows}) for name, rows in parts.items()}
    return {"columns": " ".join(INPUTS)} | listed


def _curves(fit: Fit) -> dict[str, Any]:
    """Loss curves, thinned to what a plot shows."""
    epochs = len(fit.training_loss)
    shown = np.unique(np.geomspace(1, epochs, CURVE_POINTS).round().astype(int))
    return {
        "best_epoch": fit.best_epoch,
        "epoch": shown.tolist(),
        "training_loss": [float(f"{fit.training_loss[epoch - 1]:.4g}") for epoch in shown],
        "validation_loss": [float(f"{fit.validation_loss[epoch - 1]:.4g}") for epoch in shown],
    }


def _put_in_place(folder: Path, output: Path) -> None:
    """Rename a finished folder to its name; what had the name is removed."""
    folder.chmod(0o755)
    old = None
    if output.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
        output.rename(old / "old")
    folder.rename(output)
    if old is not None:
        shutil.rmtree(old)
