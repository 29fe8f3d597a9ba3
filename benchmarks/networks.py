"""Two other kinds of network that could give profiles, as variants to compare ours with.

Both learn ln y of both ions, where y = ρ exp(βU_wall)/ρ̄: the *coordinate network* at the one place
that it is asked for, the *network of principal components* as scores of the curves' main shapes.
Both take as many steps as our network does in as many epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backend.system import SPECIES, SlitSystem
from nanoconf.surrogate.baselines import LEAST_DENSITY, from_common, to_common
from nanoconf.surrogate.domain import mean_density, network_inputs
from nanoconf.surrogate.fitting import BATCH_SIZE, ERROR_FLOOR
from nanoconf.surrogate.network import Scaling, build
from nanoconf.surrogate.shape import HALF, TERMS, Slits, profile_of
from nanoconf.surrogate.simulations import Simulations
from nanoconf.surrogate.tf import import_tensorflow, limit_threads

LEARNING_RATE = 1e-2
"""The first; the last is a thousandth of it, as with our network. In 40 epochs the coordinate
network learns far more by it than by our 3e-3; to the other it makes little difference."""

UNITS = (64, 64, 64, 64)
"""Of the coordinate network's layers."""

POINTS = 4096
"""Bins in a batch of the coordinate network."""


# --- a network of the coordinate ------------------------------------------------------------------


def coordinate_network(
    training: Simulations, data: Simulations, epochs: int, seed: int = 1
) -> np.ndarray:
    """What a network says of some systems that is asked for one place after the other.

    It learns from single bins, drawn at random from all systems. Only what it says of a whole slit
    can be normalised to the mean density, so it learns that, too.

    Returns
    -------
    ndarray, shape (systems, 2, 150)
        Density / mean density of both ions.
    """
    limit_threads()
    lessons = _bins(training)
    network = _of_a_place(Scaling.of_ranges(lessons[0]), seed)
    _train(network, _deviation_in_bins, lessons, epochs, _steps(training), POINTS, seed)
    factor, inputs = _places(data.systems)
    found = network(inputs.reshape(-1, inputs.shape[-1]).astype(np.float32), training=False)
    logarithm = found.numpy().reshape(len(data), HALF, len(SPECIES)).swapaxes(1, 2)
    return profile_of(logarithm.astype(float), factor[:, None])


def _places(systems: Sequence[SlitSystem]) -> tuple[np.ndarray, np.ndarray]:
    """The bins' factors, shape (systems, 150), and the inputs there, (systems, 150, 6).

    The last input is the place: the distance (nm) from the plane that repels ions.
    """
    slits = Slits.of(systems)
    factor, place = slits.bins()
    distance = slits.plane[:, None] - place
    inputs = np.repeat(network_inputs(systems)[:, None], HALF, axis=1)
    return factor, np.concatenate([inputs, distance[..., None]], axis=-1)


def _bins(data: Simulations) -> tuple[np.ndarray, ...]:
    """Inputs, factor, densities / mean density and their 1/variance in all bins that ions reach.

    Shapes (bins, 6), (bins, 1), (bins, 2) and (bins, 2).
    """
    factor, inputs = _places(data.systems)
    relative, error = data.relative()
    weight = 1 / (error**2 + ERROR_FLOOR**2)
    reached = factor > 0
    return (
        inputs[reached],
        factor[reached][:, None],
        relative.swapaxes(1, 2)[reached],
        weight.swapaxes(1, 2)[reached],
    )


def _of_a_place(inputs: Scaling, seed: int) -> Any:
    """Keras network from physical inputs and place (batch, 6) to ln y of both ions (batch, 2)."""
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


# --- a network of principal components ------------------------------------------------------------


def component_network(
    training: Simulations, data: Simulations, epochs: int, seed: int = 1
) -> np.ndarray:
    """What our network says of some systems, if principal components take the polynomials' place.

    They are those of ln y on the common coordinate of the baselines, as many as the polynomials.

    Returns
    -------
    ndarray, shape (systems, 2, 150)
        Density / mean density of both ions.
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
    lessons = (inputs, logarithm - mean, weight)
    loss = _deviation_of_curves(shapes)
    _train(network, loss, lessons, epochs, _steps(training), BATCH_SIZE, seed)
    found = network(network_inputs(data.systems).astype(np.float32), training=False)
    curves = np.einsum("smik,ikp->smip", found, shapes).mean(axis=1)
    return _relative(data.systems, mean + curves)


def _curves(data: Simulations) -> tuple[np.ndarray, np.ndarray]:
    """Values of ln y on the common coordinate and their 1/variance, each (systems, 2, 160).

    The variance is that of the shipped network's loss: of the densities, with its floor.
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
    """Standard errors (M), in quadrature with the floor of the loss."""
    return np.hypot(error, ERROR_FLOOR * mean_density(system, species))


def _components(curves: np.ndarray) -> np.ndarray:
    """Main shapes of each ion's centred curves (systems, 2, 160), shape (2, terms, 160)."""
    return np.linalg.svd(curves.swapaxes(0, 1), full_matrices=False)[2][:, :TERMS]


def _deviation_of_curves(shapes: np.ndarray) -> Callable[[Any, Any, Any], Any]:
    """`_deviation_in_bins` of curves, to first order, of scores (batch, members, 2, terms)."""
    tf = import_tensorflow()
    columns = tf.constant(shapes.astype(np.float32))

    def loss(scores: Any, curves: Any, weight: Any) -> Any:
        found = tf.einsum("bmik,ikp->bmip", scores, columns)
        return tf.reduce_mean(weight[:, None] * tf.square(found - curves[:, None]))

    return loss


def _relative(systems: Sequence[SlitSystem], logarithm: np.ndarray) -> np.ndarray:
    """Density / mean density, (systems, 2, 150), of ln y on the common coordinate."""
    return np.array(
        [
            [
                from_common(system, species, y) / mean_density(system, species)
                for species, y in zip(SPECIES, both, strict=True)
            ]
            for system, both in zip(systems, np.exp(logarithm), strict=True)
        ]
    )


# --- what both share ------------------------------------------------------------------------------


def _steps(training: Simulations) -> int:
    """Steps of the optimiser that make an epoch of our network."""
    return math.ceil(len(training) / BATCH_SIZE)


def _train(
    network: Any,
    loss: Callable[..., Any],
    lessons: Sequence[np.ndarray],
    epochs: int,
    steps: int,
    batch_size: int,
    seed: int,
) -> None:
    """Fit a network as ours is fitted: Adam, its rate falling along a cosine.

    Parameters
    ----------
    network : keras.Model
    loss : callable
        Of what the network says and of the lessons but for its inputs.
    lessons : sequence of ndarray
        Inputs of the network and what the loss needs, with a row a lesson.
    epochs, steps, batch_size : int
        The lessons are shuffled in each epoch; it takes so many steps, at so many lessons each, as
        far as they go.
    seed : int
        Of their order.
    """
    tf = import_tensorflow()
    import keras

    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * steps, 1e-3)
    optimiser = keras.optimizers.Adam(rate)
    optimiser.build(network.trainable_variables)
    columns = [tf.constant(column.astype(np.float32)) for column in lessons]

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
