"""Two alternative networks for profiles, as variants to compare with ours.

Both predict ln y of both species, where y = ρ exp(βU_wall)/ρ̄. The *coordinate network* predicts the
value at a given position; the *network of principal components* predicts the scores of the
principal components of the curves. Per epoch, both take as many training steps as our network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backend.profiles.bins import HALF
from backend.system import SPECIES, SlitSystem
from nanoconf.surrogate.baselines import LEAST_DENSITY, from_common, to_common
from nanoconf.surrogate.domain import mean_density, network_inputs
from nanoconf.surrogate.fitting import BATCH_SIZE, ERROR_FLOOR
from nanoconf.surrogate.network import Scaling, build
from nanoconf.surrogate.shape import TERMS, Slits, profile_of
from nanoconf.surrogate.simulations import Simulations
from nanoconf.surrogate.tf import import_tensorflow, limit_threads

LEARNING_RATE = 1e-2
"""Initial learning rate; it decays to a thousandth of its value, as for our network. In 40 epochs,
the coordinate network reaches a much lower error at this rate than at our 3e-3; for the other
network the rate matters little."""

UNITS = (64, 64, 64, 64)
"""Units of the hidden layers of the coordinate network."""

POINTS = 4096
"""Bins per batch of the coordinate network."""


# --- coordinate network ---------------------------------------------------------------------------


def coordinate_network(
    training: Simulations, data: Simulations, epochs: int, seed: int = 1
) -> np.ndarray:
    """Train a network that predicts densities position by position, and predict other systems.

    The network is trained on single bins, drawn at random from all systems. Single bins cannot be
    normalised to the mean density, so the network also has to learn the normalisation.

    Returns
    -------
    ndarray, shape (systems, 2, 150)
        Density / mean density of both species.
    """
    limit_threads()
    samples = _bins(training)
    network = _pointwise_network(Scaling.of_ranges(samples[0]), seed)
    _train(network, _deviation_in_bins, samples, epochs, _steps(training), POINTS, seed)
    factor, inputs = _positions(data.systems)
    found = network(inputs.reshape(-1, inputs.shape[-1]).astype(np.float32), training=False)
    logarithm = found.numpy().reshape(len(data), HALF, len(SPECIES)).swapaxes(1, 2)
    return profile_of(logarithm.astype(float), factor[:, None])


def _positions(systems: Sequence[SlitSystem]) -> tuple[np.ndarray, np.ndarray]:
    """Boltzmann factors of the bins, shape (systems, 150), and inputs, shape (systems, 150, 6).

    The last input is the position: the distance (nm) from the repelling plane.
    """
    slits = Slits.of(systems)
    factor, position = slits.bins()
    distance = slits.plane[:, None] - position
    inputs = np.repeat(network_inputs(systems)[:, None], HALF, axis=1)
    return factor, np.concatenate([inputs, distance[..., None]], axis=-1)


def _bins(data: Simulations) -> tuple[np.ndarray, ...]:
    """Inputs, factors, densities / mean density and their 1/variance in all accessible bins.

    Shapes (bins, 6), (bins, 1), (bins, 2) and (bins, 2).
    """
    factor, inputs = _positions(data.systems)
    relative, error = data.relative()
    weight = 1 / (error**2 + ERROR_FLOOR**2)
    accessible = factor > 0
    return (
        inputs[accessible],
        factor[accessible][:, None],
        relative.swapaxes(1, 2)[accessible],
        weight.swapaxes(1, 2)[accessible],
    )


def _pointwise_network(inputs: Scaling, seed: int) -> Any:
    """Build the network from physical inputs and position (batch, 6) to ln y (batch, 2)."""
    import_tensorflow()
    from keras import Sequential, initializers, layers

    scale = inputs.inverse_size
    hidden = [
        layers.Dense(units, "silu", kernel_initializer=initializers.HeNormal(seed + layer))
        for layer, units in enumerate(UNITS)
    ]
    last = layers.Dense(len(SPECIES), kernel_initializer=initializers.HeNormal(seed + len(UNITS)))
    return Sequential(
        [
            layers.Input((len(scale),)),
            layers.Rescaling(scale.tolist(), (-inputs.centre * scale).tolist()),
            *hidden,
            last,
        ]
    )


def _deviation_in_bins(logarithm: Any, factor: Any, relative: Any, weight: Any) -> Any:
    """Mean squared deviation of the densities in units of their standard errors."""
    tf = import_tensorflow()
    return tf.reduce_mean(weight * tf.square(factor * tf.exp(logarithm) - relative))


# --- network of principal components --------------------------------------------------------------


def component_network(
    training: Simulations, data: Simulations, epochs: int, seed: int = 1
) -> np.ndarray:
    """Train our network on principal components instead of polynomials, and predict other systems.

    The components are those of ln y on the common coordinate of the baselines; there are as many as
    polynomials.

    Returns
    -------
    ndarray, shape (systems, 2, 150)
        Density / mean density of both species.
    """
    limit_threads()
    logarithm, weight = _curves(training)
    mean = logarithm.mean(axis=0)
    shapes = _components(logarithm - mean)
    scores = np.einsum("sip,ikp->sik", logarithm - mean, shapes)
    inputs = network_inputs(training.systems)
    network = build(
        Scaling.of_ranges(inputs),
        Scaling.of_spread(scores.reshape(len(scores), -1)),
        seed,
    )
    samples = (inputs, logarithm - mean, weight)
    loss = _deviation_of_curves(shapes)
    _train(network, loss, samples, epochs, _steps(training), BATCH_SIZE, seed)
    found = network(network_inputs(data.systems).astype(np.float32), training=False)
    curves = np.einsum("smik,ikp->smip", found, shapes).mean(axis=1)
    return _relative(data.systems, mean + curves)


def _curves(data: Simulations) -> tuple[np.ndarray, np.ndarray]:
    """Values of ln y on the common coordinate and their 1/variance, each (systems, 2, 160).

    The variance is that of the densities with the floor of the shipped network's loss.
    """
    y, error = np.array(
        [
            [
                [
                    to_common(system, species, data.density[species][row]),
                    to_common(system, species, _floored(system, species, data.error[species][row])),
                ]
                for species in SPECIES
            ]
            for row, system in enumerate(data.systems)
        ]
    ).transpose(2, 0, 1, 3)
    y = y.clip(LEAST_DENSITY)
    return np.log(y), (y / error.clip(ERROR_FLOOR)) ** 2


def _floored(system: SlitSystem, species: str, error: np.ndarray) -> np.ndarray:
    """Standard errors (M), added in quadrature to the floor of the loss."""
    return np.hypot(error, ERROR_FLOOR * mean_density(system, species))


def _components(curves: np.ndarray) -> np.ndarray:
    """Principal components of centred curves (systems, 2, 160), shape (2, terms, 160)."""
    return np.linalg.svd(curves.swapaxes(0, 1), full_matrices=False)[2][:, :TERMS]


def _deviation_of_curves(shapes: np.ndarray) -> Callable[[Any, Any, Any], Any]:
    """Return the loss of scores (batch, members, 2, terms): `_deviation_in_bins` to first order."""
    tf = import_tensorflow()
    columns = tf.constant(shapes.astype(np.float32))

    def loss(scores: Any, curves: Any, weight: Any) -> Any:
        found = tf.einsum("bmik,ikp->bmip", scores, columns)
        return tf.reduce_mean(weight[:, None] * tf.square(found - curves[:, None]))

    return loss


def _relative(systems: Sequence[SlitSystem], logarithm: np.ndarray) -> np.ndarray:
    """Density / mean density, (systems, 2, 150), from ln y on the common coordinate."""
    return np.array(
        [
            [
                from_common(system, species, y) / mean_density(system, species)
                for species, y in zip(SPECIES, both, strict=True)
            ]
            for system, both in zip(systems, np.exp(logarithm), strict=True)
        ]
    )


# --- training of both -----------------------------------------------------------------------------


def _steps(training: Simulations) -> int:
    """Optimiser steps per epoch of our network."""
    return math.ceil(len(training) / BATCH_SIZE)


def _train(
    network: Any,
    loss: Callable[..., Any],
    samples: Sequence[np.ndarray],
    epochs: int,
    steps: int,
    batch_size: int,
    seed: int,
) -> None:
    """Fit a network in the same way as ours: Adam with cosine decay of the learning rate.

    Parameters
    ----------
    network : keras.Model
    loss : callable
        Function of the network's output and of the columns of `samples` after the first.
    samples : sequence of ndarray
        Inputs of the network, followed by the arrays that the loss needs; one row per sample.
    epochs : int
        Number of epochs. The samples are shuffled in each.
    steps, batch_size : int
        Maximum number of steps per epoch, and samples per step.
    seed : int
        Seed for shuffling the samples.
    """
    tf = import_tensorflow()
    import keras

    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * steps, 1e-3)
    optimiser = keras.optimizers.Adam(rate)
    optimiser.build(network.trainable_variables)
    columns = [tf.constant(column.astype(np.float32)) for column in samples]

    @tf.function
    def run_epoch(order: Any) -> None:
        for step in tf.range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            inputs, *rest = (tf.gather(column, rows) for column in columns)
            with tf.GradientTape() as tape:
                deviation = loss(network(inputs, training=True), *rest)
            gradients = tape.gradient(deviation, network.trainable_variables)
            optimiser.apply(gradients, network.trainable_variables)

    random = np.random.default_rng(seed)
    for _ in range(epochs):
        order = random.permutation(len(columns[0]))[: steps * batch_size]
        run_epoch(tf.constant(order.astype(np.int32)))
