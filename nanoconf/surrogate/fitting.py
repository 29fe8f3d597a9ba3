"""Fits the network to simulated profiles.

The loss compares densities, not coefficients: squared deviations in units of their standard errors,
averaged over bins and ions. So a run counts for as much as it is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.system import SPECIES
from nanoconf.surrogate.domain import network_inputs
from nanoconf.surrogate.network import SHIPPED, Architecture, Scaling, build
from nanoconf.surrogate.shape import HALF, TERMS, Slits, coefficients_of
from nanoconf.surrogate.simulations import Simulations
from nanoconf.surrogate.tf import import_tensorflow, limit_threads

STEPS = 30_000
"""Of the optimiser, unless a number of epochs is asked for: many passes through few systems."""

BATCH_SIZE = 64
LEARNING_RATE = 3e-3
LAST_LEARNING_RATE = 3e-6

ERROR_FLOOR = 0.002
"""Added to standard errors in quadrature, in units of the mean density: the loss is not to be ruled
by the few bins whose errors happen to be tiny."""

TRAINING = {
    "loss": "squared deviation of the densities in units of their standard errors (in quadrature "
    f"with {ERROR_FLOOR} of the mean density), mean over bins and ions",
    "optimiser": "Adam",
    "learning_rate": [LEARNING_RATE, LAST_LEARNING_RATE],
    "schedule": "cosine",
    "batch_size": BATCH_SIZE,
}


@dataclass(frozen=True)
class Lessons:
    """What the network learns from, as float32 arrays with a row a simulation.

    Attributes
    ----------
    inputs : ndarray, shape (simulations, 5)
    factor : ndarray, shape (simulations, 150)
        Of `Slits.bins`.
    basis : ndarray, shape (simulations, 150, terms)
        Of `Slits.basis`.
    relative, weight : ndarray, shape (simulations, 2, 150)
        Density / mean density of both ions, and 1/variance; 0 where ions cannot be.
    coefficients : ndarray, shape (simulations, 2·terms)
        Of `coefficients_of`.
    """

    inputs: np.ndarray
    factor: np.ndarray
    basis: np.ndarray
    relative: np.ndarray
    weight: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def of(cls, data: Simulations, terms: int = TERMS) -> Lessons:
        """The lessons of some simulations."""
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


def usual_epochs(systems: int) -> int:
    """Passes through so many systems that make `STEPS` steps."""
    return max(1, round(STEPS / math.ceil(systems / BATCH_SIZE)))


@dataclass(frozen=True)
class Fit:
    """How a network came out.

    Attributes
    ----------
    network : keras.Model
    training_loss, validation_loss : list of float
        Epoch by epoch: the loss averaged over the members while they learnt; the loss of their mean
        profile on other systems.
    """

    network: Any
    training_loss: list[float]
    validation_loss: list[float]


def fit(
    training: Lessons,
    validation: Lessons,
    epochs: int,
    seed: int = 1,
    after_epoch: Callable[[], Any] = lambda: None,
    architecture: Architecture = SHIPPED,
) -> Fit:
    """Fit a network.

    Parameters
    ----------
    training, validation : Lessons
        What it is fitted to, and what only its loss is told of.
    epochs : int
        Passes through the training systems.
    seed : int
        Seed of the first weights and of the order of the lessons.
    after_epoch : callable
        Called after every epoch.
    architecture : Architecture
        Its size; the lessons must have as many terms.
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


def _epoch(network: Any, lessons: Lessons, epochs: int) -> Callable[[np.ndarray], Any]:
    """One epoch as a TensorFlow graph: `keras.Model.fit` takes many times as long."""
    tf = import_tensorflow()
    import keras

    batches = -(-len(lessons) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE, epochs * batches, LAST_LEARNING_RATE / LEARNING_RATE
    )
    optimiser = keras.optimizers.Adam(rate)
    optimiser.build(network.trainable_variables)
    arrays = (
        lessons.inputs,
        lessons.factor,
        lessons.basis,
        lessons.relative,
        lessons.weight,
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
        return total / len(lessons)

    return lambda order: run_epoch(tf.constant(order))


def predicted(network: Any, lessons: Lessons) -> np.ndarray:
    """Density / mean density, mean of the members, shape (simulations, 2, 150)."""
    tf = import_tensorflow()
    coefficients = network(lessons.inputs, training=False)
    return _profiles(tf, coefficients, lessons.basis, lessons.factor).numpy().mean(axis=1)


def _mean_loss(network: Any, lessons: Lessons) -> float:
    """The loss of the members' mean profile."""
    deviation = predicted(network, lessons) - lessons.relative
    return float(np.mean(lessons.weight * deviation**2))


def _profiles(tf: Any, coefficients: Any, basis: Any, factor: Any) -> Any:
    """`shape.profile_of` in TensorFlow; shape (systems, members, 2, 150)."""
    members = coefficients.shape[1]
    columns = tf.reshape(coefficients, (-1, members * len(SPECIES), coefficients.shape[3]))
    logarithm = tf.matmul(columns, basis, transpose_b=True)
    weight = factor[:, None] * tf.exp(logarithm - tf.reduce_max(logarithm, -1, keepdims=True))
    profile = weight / tf.reduce_mean(weight, -1, keepdims=True)
    return tf.reshape(profile, (-1, members, len(SPECIES), HALF))


def thinned(values: list[float], points: int = 200) -> dict[str, list]:
    """A curve over epochs, thinned to what a plot shows."""
    shown = np.unique(np.geomspace(1, len(values), min(points, len(values))).round().astype(int))
    return {
        "epoch": shown.tolist(),
        "loss": [float(f"{values[epoch - 1]:.4g}") for epoch in shown if math.isfinite(epoch)],
    }
