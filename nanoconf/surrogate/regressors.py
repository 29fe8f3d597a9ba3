"""The six regressors of the paper's Table 1, with its hyper-parameters.

Kadupitiya, Sun, Fox and Jadhao, J. Comput. Sci. 42, 101107 (2020). All see inputs scaled to [0, 1]
by their minima and maxima, the paper's pre-processing; the network's outputs are scaled too. What
the paper does not say, such as the ridge's penalty, is scikit-learn's default.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Self

import numpy as np

ANN = "ann"

HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "polynomial": {"degree": 4},
    "kernel ridge": {"kernel": "rbf", "gamma": 0.1},
    "svr": {"kernel": "rbf", "gamma": 0.1, "C": 100.0, "epsilon": 0.1},
    "tree": {"max_depth": 4},
    "forest": {"n_estimators": 25, "max_depth": 4},
    ANN: {
        "hidden_units": (512, 256),
        "activations": ("relu", "sigmoid"),
        "dropout": 0.15,
        "learning_rate": 1e-4,
        "batch_size": 25,
    },
}
"""The paper's hyper-parameters, by regressor, in its order."""

NAMES = tuple(HYPERPARAMETERS)


def regressor(
    name: str, seed: int = 1, epochs: int = 4000, after_epoch: Callable[[], Any] = lambda: None
) -> Any:
    """A regressor that has learnt nothing yet.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    seed : int
        Seed of what is random in it.
    epochs : int
        Passes of the network through its data; the others have none.
    after_epoch : callable
        Called after each of them.

    Returns
    -------
    object
        With ``fit(inputs, outputs)`` and ``predict(inputs)``; inputs of shape (systems, 5), outputs
        of shape (systems, outputs).
    """
    if name == ANN:
        return NeuralNetwork(epochs, seed, after_epoch, **HYPERPARAMETERS[ANN])
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    return make_pipeline(MinMaxScaler(), *_steps(name, seed))


def _steps(name: str, seed: int) -> list[Any]:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import LinearRegression
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.preprocessing import PolynomialFeatures
    from sklearn.svm import SVR
    from sklearn.tree import DecisionTreeRegressor

    chosen = HYPERPARAMETERS[name]
    if name == "polynomial":
        return [PolynomialFeatures(**chosen), LinearRegression()]
    if name == "kernel ridge":
        return [KernelRidge(**chosen)]
    if name == "svr":
        return [MultiOutputRegressor(SVR(**chosen))]
    if name == "tree":
        return [DecisionTreeRegressor(**chosen, random_state=seed)]
    return [RandomForestRegressor(**chosen, random_state=seed)]


class NeuralNetwork:
    """The paper's network in Keras: two hidden layers, dropout, Adam, Xavier initialisation.

    Parameters
    ----------
    epochs : int
        Passes through the data.
    seed : int
        Seed of initial weights, dropout and order of the batches.
    after_epoch : callable
        Called after each pass.
    hidden_units, activations, dropout, learning_rate, batch_size
        The hyper-parameters.
    """

    def __init__(
        self,
        epochs: int,
        seed: int,
        after_epoch: Callable[[], Any],
        *,
        hidden_units: tuple[int, ...],
        activations: tuple[str, ...],
        dropout: float,
        learning_rate: float,
        batch_size: int,
    ):
        self.epochs, self.seed, self.after_epoch = epochs, seed, after_epoch
        self.layers = tuple(zip(hidden_units, activations, strict=True))
        self.dropout, self.learning_rate, self.batch_size = dropout, learning_rate, batch_size

    def fit(self, inputs: np.ndarray, outputs: np.ndarray) -> Self:
        """Learn outputs, shape (systems, outputs), from inputs, shape (systems, inputs)."""
        from sklearn.preprocessing import MinMaxScaler

        self.scale_in_, self.scale_out_ = MinMaxScaler(), MinMaxScaler()
        x, y = self.scale_in_.fit_transform(inputs), self.scale_out_.fit_transform(outputs)
        self.network_ = self._untrained(x.shape[1], y.shape[1])
        random = np.random.default_rng(self.seed)
        learn = self._epoch(x.astype(np.float32), y.astype(np.float32))
        for _ in range(self.epochs):
            learn(random.permutation(len(x)))
            self.after_epoch()
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs, shape (systems, outputs)."""
        scaled = self.network_(self.scale_in_.transform(inputs), training=False)
        return self.scale_out_.inverse_transform(scaled.numpy())

    def _untrained(self, inputs: int, outputs: int) -> Any:
        _import_tensorflow()
        from keras import Sequential, initializers, layers

        stack: list[Any] = [layers.Input((inputs,))]
        for number, (units, activation) in enumerate(self.layers):
            start = initializers.GlorotUniform(seed=self.seed + 2 * number)
            stack += [
                layers.Dense(units, activation, kernel_initializer=start),
                layers.Dropout(self.dropout, seed=self.seed + 2 * number + 1),
            ]
        start = initializers.GlorotUniform(seed=self.seed + 2 * len(self.layers))
        return Sequential([*stack, layers.Dense(outputs, kernel_initializer=start)])

    def _epoch(self, inputs: np.ndarray, outputs: np.ndarray) -> Callable[[np.ndarray], Any]:
        """One pass through the data, in a given order, as one TensorFlow graph.

        `keras.Model.fit` spends ten times as long on its bookkeeping as this small network takes to
        learn from a batch.
        """
        import keras
        import tensorflow as tf

        network, size = self.network_, self.batch_size
        x, y = tf.constant(inputs), tf.constant(outputs)
        optimiser = keras.optimizers.Adam(self.learning_rate)
        optimiser.build(network.trainable_variables)
        batches = -(-len(inputs) // size)

        @tf.function
        def learn(order: Any) -> None:
            for batch in tf.range(batches):
                rows = order[batch * size : (batch + 1) * size]
                with tf.GradientTape() as tape:
                    error = network(tf.gather(x, rows), training=True) - tf.gather(y, rows)
                    loss = tf.reduce_mean(tf.square(error))
                gradients = tape.gradient(loss, network.trainable_variables)
                optimiser.apply(gradients, network.trainable_variables)

        return lambda order: learn(tf.constant(order))


def _import_tensorflow() -> None:
    """Import TensorFlow, which Keras is to use, without its start-up chatter."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import tensorflow  # noqa: F401
