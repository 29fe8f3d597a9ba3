"""Fit of the network to simulated profiles.

The loss compares densities, not coefficients: squared deviations in units of their standard errors,
averaged over bins and species. More precise runs therefore have a larger weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.profiles.bins import HALF
from backend.system import SPECIES
from nanoconf.surrogate.domain import network_inputs
from nanoconf.surrogate.network import SHIPPED, Architecture, Scaling, build
from nanoconf.surrogate.shape import TERMS, Slits, coefficients_of
from nanoconf.surrogate.simulations import Simulations
from nanoconf.surrogate.tf import import_tensorflow, limit_threads

STEPS = 30_000
"""Default number of optimiser steps; the number of epochs follows from it."""

BATCH_SIZE = 64
LEARNING_RATE = 3e-3
LAST_LEARNING_RATE = 3e-6

ERROR_FLOOR = 0.002
"""Added to standard errors in quadrature, in units of the mean density, so that a few bins with
tiny errors do not dominate the loss."""

TRAINING = {
    "loss": "squared deviation of the densities in units of their standard errors (in quadrature "
    f"with {ERROR_FLOOR} of the mean density), mean over bins and ion species",
    "optimiser": "Adam",
    "learning_rate": [LEARNING_RATE, LAST_LEARNING_RATE],
    "schedule": "cosine",
    "batch_size": BATCH_SIZE,
}


@dataclass(frozen=True)
class TrainingSet:
    """Data that the network is fitted to or validated with, as float32 arrays.

    Attributes
    ----------
    inputs : ndarray, shape (simulations, 5)
        Inputs of the network.
    factor : ndarray, shape (simulations, 150)
        From `Slits.bins`.
    basis : ndarray, shape (simulations, 150, terms)
        From `Slits.basis`.
    relative, weight : ndarray, shape (simulations, 2, 150)
        Density / mean density of both ions, and 1/variance (0 where the wall excludes ions).
    coefficients : ndarray, shape (simulations, 2·terms)
        From `coefficients_of`.
    """

    inputs: np.ndarray
    factor: np.ndarray
    basis: np.ndarray
    relative: np.ndarray
    weight: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def of(cls, data: Simulations, terms: int = TERMS) -> TrainingSet:
        """Prepare simulations for a network with this number of terms."""
        slits = Slits.of(data.systems)
        factor, place = slits.bins()
        relative, error = data.relative()
        weight = (factor[:, None] > 0) / (error**2 + ERROR_FLOOR**2)
        arrays = (
            network_inputs(data.systems),
            factor,
            slits.basis(place, terms),
            relative,
            weight,
            coefficients_of(slits, relative, error, terms).reshape(len(data), -1),
        )
        return cls(*(array.astype(np.float32) for array in arrays))

    def __len__(self) -> int:
        return len(self.inputs)


def default_epochs(systems: int) -> int:
    """Return the number of epochs that amount to `STEPS` steps."""
    return max(1, round(STEPS / math.ceil(systems / BATCH_SIZE)))


@dataclass(frozen=True)
class Fit:
    """Fitted network and its losses.

    Attributes
    ----------
    network : keras.Model
    training_loss, validation_loss : list of float
        Losses by epoch: the mean loss of the members during the epoch, and the loss of their mean
        profile on the validation set after it.
    """

    network: Any
    training_loss: list[float]
    validation_loss: list[float]


def fit(
    training: TrainingSet,
    validation: TrainingSet,
    epochs: int,
    seed: int = 1,
    after_epoch: Callable[[], Any] = lambda: None,
    architecture: Architecture = SHIPPED,
) -> Fit:
    """Fit a network.

    Parameters
    ----------
    training, validation : TrainingSet
        Training data, and data used only to report the loss.
    epochs : int
        Passes through the training set.
    seed : int
        Seed of the initial weights and of the order of the training data.
    after_epoch : callable
        Called after every epoch.
    architecture : Architecture
        Size of the network; its number of terms must be that of the data.
    """
    limit_threads()
    random = np.random.default_rng(seed)
    network = build(
        Scaling.of_ranges(training.inputs),
        Scaling.of_spread(training.coefficients),
        seed,
        architecture,
    )
    run_epoch = _epoch(network, training, epochs)
    training_loss, validation_loss = [], []
    for _ in range(epochs):
        order = random.permutation(len(training)).astype(np.int32)
        training_loss.append(float(run_epoch(order)))
        validation_loss.append(_mean_loss(network, validation))
        after_epoch()
    return Fit(network, training_loss, validation_loss)


def _epoch(network: Any, training: TrainingSet, epochs: int) -> Callable[[np.ndarray], Any]:
    """Compile one epoch to a TensorFlow graph, which is much faster than `keras.Model.fit`."""
    tf = import_tensorflow()
    import keras

    batches = -(-len(training) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE, epochs * batches, LAST_LEARNING_RATE / LEARNING_RATE
    )
    optimiser = keras.optimizers.Adam(rate)
    optimiser.build(network.trainable_variables)
    arrays = (
        training.inputs,
        training.factor,
        training.basis,
        training.relative,
        training.weight,
    )
    inputs, factor, basis, relative, weight = (tf.constant(array) for array in arrays)

    @tf.function
    def run_epoch(order: Any) -> Any:
        total = tf.constant(0.0)
        for batch in tf.range(batches):
            rows = order[batch * BATCH_SIZE : (batch + 1) * BATCH_SIZE]
            with tf.GradientTape() as tape:
                found = _profiles(
                    tf,
                    network(tf.gather(inputs, rows), training=True),
                    tf.gather(basis, rows),
                    tf.gather(factor, rows),
                )
                square = tf.square(found - tf.gather(relative, rows)[:, None])
                loss = tf.reduce_mean(tf.gather(weight, rows)[:, None] * square)
                members = loss * found.shape[1]
            gradients = tape.gradient(members, network.trainable_variables)
            optimiser.apply(gradients, network.trainable_variables)
            total += loss * tf.cast(tf.size(rows), tf.float32)
        return total / len(training)

    return lambda order: run_epoch(tf.constant(order))


def predicted(network: Any, data: TrainingSet) -> np.ndarray:
    """Return density / mean density, averaged over the members, shape (simulations, 2, 150)."""
    tf = import_tensorflow()
    coefficients = network(data.inputs, training=False)
    return _profiles(tf, coefficients, data.basis, data.factor).numpy().mean(axis=1)


def _mean_loss(network: Any, data: TrainingSet) -> float:
    """Return the loss of the members' mean profile."""
    deviation = predicted(network, data) - data.relative
    return float(np.mean(data.weight * deviation**2))


def _profiles(tf: Any, coefficients: Any, basis: Any, factor: Any) -> Any:
    """Compute `shape.profile_of` in TensorFlow; shape (systems, members, 2, 150)."""
    members = coefficients.shape[1]
    columns = tf.reshape(coefficients, (-1, members * len(SPECIES), coefficients.shape[3]))
    logarithm = tf.matmul(columns, basis, transpose_b=True)
    weight = factor[:, None] * tf.exp(logarithm - tf.reduce_max(logarithm, -1, keepdims=True))
    profile = weight / tf.reduce_mean(weight, -1, keepdims=True)
    return tf.reshape(profile, (-1, members, len(SPECIES), HALF))


def thinned(values: list[float], points: int = 200) -> dict[str, list]:
    """Return a curve over epochs, thinned out for plotting."""
    shown = np.unique(np.geomspace(1, len(values), min(points, len(values))).round().astype(int))
    return {
        "epoch": shown.tolist(),
        "loss": [float(f"{values[epoch - 1]:.4g}") for epoch in shown if math.isfinite(epoch)],
    }
