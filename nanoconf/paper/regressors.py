"""The six regressors of the paper's Table 1, with its hyper-parameters.

Kadupitiya, Sun, Fox and Jadhao, J. Comput. Sci. 42, 101107 (2020). All see inputs scaled to [0, 1]
by their minima and maxima, the paper's pre-processing; the network's outputs are scaled too. What
the paper does not say, such as the ridge's penalty, is scikit-learn's default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from nanoconf.paper.published_network import (
    PAPER,
    Hyperparameters,
    compiled_epoch,
    scaled_network,
)

ANN = "ann"

HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "polynomial": {"degree": 4},
    "kernel ridge": {"kernel": "rbf", "gamma": 0.1},
    "svr": {"kernel": "rbf", "gamma": 0.1, "C": 100.0, "epsilon": 0.1},
    "tree": {"max_depth": 4},
    "forest": {"n_estimators": 25, "max_depth": 4},
    ANN: PAPER.to_dict(),
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
        return NeuralNetwork(epochs, seed, after_epoch)
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
    """The paper's network with as many outputs as there are, behind scikit-learn's two calls.

    Parameters
    ----------
    epochs : int
        Passes through the data.
    seed : int
        Seed of initial weights, dropout and order of the batches.
    after_epoch : callable
        Called after each pass.
    chosen : Hyperparameters
        The paper's, where they are left out.
    """

    def __init__(
        self,
        epochs: int,
        seed: int,
        after_epoch: Callable[[], Any] = lambda: None,
        chosen: Hyperparameters = PAPER,
    ):
        self.epochs, self.seed, self.after_epoch, self.chosen = epochs, seed, after_epoch, chosen

    def fit(self, inputs: np.ndarray, outputs: np.ndarray) -> Self:
        """Learn outputs, shape (systems, outputs), from inputs, shape (systems, inputs)."""
        from sklearn.preprocessing import MinMaxScaler

        self.scale_in_, self.scale_out_ = MinMaxScaler(), MinMaxScaler()
        x, y = self.scale_in_.fit_transform(inputs), self.scale_out_.fit_transform(outputs)
        self.network_ = scaled_network(x.shape[1], y.shape[1], self.seed, self.chosen)
        random = np.random.default_rng(self.seed)
        learn = compiled_epoch(self.network_, x, y, self.chosen)
        for _ in range(self.epochs):
            learn(random.permutation(len(x)))
            self.after_epoch()
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs, shape (systems, outputs)."""
        scaled = self.network_(self.scale_in_.transform(inputs).astype(np.float32), training=False)
        return self.scale_out_.inverse_transform(scaled.numpy().astype(float))
