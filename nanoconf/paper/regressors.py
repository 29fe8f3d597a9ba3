"""The six regressors of the paper's Table 1 and their hyperparameters.

Kadupitiya, Sun, Fox and Jadhao, J. Comput. Sci. 42, 101107 (2020). As in the paper, inputs are
min-max scaled to [0, 1], and so are the outputs of the network. Hyperparameters that the paper does
not give, such as the ridge penalty, are scikit-learn's defaults.
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
"""The paper's hyperparameters by regressor, in the paper's order."""

NAMES = tuple(HYPERPARAMETERS)


def regressor(
    name: str, seed: int = 1, epochs: int = 4000, after_epoch: Callable[[], Any] = lambda: None
) -> Any:
    """Create an untrained regressor.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    seed : int
        Random seed.
    epochs : int
        Training epochs of the network; ignored by the other regressors.
    after_epoch : callable
        Called after each epoch.

    Returns
    -------
    object
        Regressor with ``fit(inputs, outputs)`` and ``predict(inputs)``, for inputs of shape
        (systems, 5) and outputs of shape (systems, outputs).
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
    """The paper's network with any number of outputs, as a scikit-learn regressor.

    Parameters
    ----------
    epochs : int
        Number of training epochs.
    seed : int
        Seed of the initial weights, the dropout and the order of the batches.
    after_epoch : callable
        Called after each epoch.
    chosen : Hyperparameters
        The paper's by default.
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
        """Fit to inputs, shape (systems, inputs), and outputs, shape (systems, outputs)."""
        from sklearn.preprocessing import MinMaxScaler

        self.scale_in_, self.scale_out_ = MinMaxScaler(), MinMaxScaler()
        x, y = self.scale_in_.fit_transform(inputs), self.scale_out_.fit_transform(outputs)
        self.network_ = scaled_network(x.shape[1], y.shape[1], self.seed, self.chosen)
        random = np.random.default_rng(self.seed)
        run_epoch = compiled_epoch(self.network_, x, y, self.chosen)
        for _ in range(self.epochs):
            run_epoch(random.permutation(len(x)))
            self.after_epoch()
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predict outputs, shape (systems, outputs)."""
        scaled = self.network_(self.scale_in_.transform(inputs).astype(np.float32), training=False)
        return self.scale_out_.inverse_transform(scaled.numpy().astype(float))
