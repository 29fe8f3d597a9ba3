"""Seeds and scaling of the network."""

from __future__ import annotations

import numpy as np

from nanoconf.surrogate.fitting import TrainingSet, fit
from nanoconf.surrogate.network import SHIPPED, Scaling, build
from nanoconf.surrogate.shape import TERMS

SAME = Scaling(np.zeros(5), np.ones(5)), Scaling(np.zeros(2 * TERMS), np.ones(2 * TERMS))


def test_the_seed_sets_the_initial_weights_which_differ_between_members():
    first, again, other = (build(*SAME, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert len({weights.tobytes() for weights in first[0]}) == SHIPPED.members


def test_scaling_maps_a_constant_column_to_zero():
    values = np.array([[1.0, -1.0], [3.0, -1.0], [2.0, -1.0]])
    scaling = Scaling.of_ranges(values)
    scaled = (values - scaling.centre) * scaling.inverse_size
    assert np.array_equal(scaled, [[-1, 0], [1, 0], [0, 0]])


def test_the_same_seed_gives_the_same_network(data):
    training = TrainingSet.of(data[range(20)])

    def weights(seed: int) -> list[np.ndarray]:
        return fit(training, training, 3, seed).network.get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[-1], other[-1])
