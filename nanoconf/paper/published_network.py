"""The published network: five inputs, two hidden layers, 150 densities of the positive ions.

Kadupitiya, Sun, Fox and Jadhao, J. Comput. Sci. 42, 101107 (2020), section 3: 512 and 256 hidden
units (relu and, in the published code, sigmoid), dropout 0.15, batches of 25, Adam with a learning
rate of 1e-4, Xavier initialisation, min-max scaling of inputs and outputs to [0, 1], and the mean
squared error as the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from backend.files import read_json
from backend.inputs import InvalidInput
from backend.system import SlitSystem
from nanoconf.surrogate.domain import input_values
from nanoconf.surrogate.runtime import check_archive
from nanoconf.surrogate.tf import import_tensorflow

if TYPE_CHECKING:
    from sklearn.preprocessing import MinMaxScaler

KIND = "paper-network"
NETWORK, CARD = "network.keras", "card.json"

INPUTS = (
    "confinement_length",
    "positive_valency",
    "negative_valency",
    "salt_concentration",
    "positive_diameter",
)
"""The five inputs (h, z₊, z₋, c, d), in the paper's order, whatever the surrogate's inputs."""

SPECIES = "positive"
"""Species whose density the paper's network predicts."""

ACTIVATIONS = ("relu", "sigmoid")

Predict = Callable[[Sequence[SlitSystem]], np.ndarray]
"""Function from systems to densities (M) of positive ions in the left half, (systems, 150)."""


@dataclass(frozen=True)
class Hyperparameters:
    """Hyperparameters of the grid search; the defaults are the paper's choice.

    Attributes
    ----------
    hidden_units : (int, int)
        Units of the two hidden layers.
    learning_rate : float
        Learning rate of Adam.
    batch_size : int
        Simulations per training step.
    dropout : float
        Dropout rate after both hidden layers.
    """

    hidden_units: tuple[int, int] = (512, 256)
    learning_rate: float = 1e-4
    batch_size: int = 25
    dropout: float = 0.15

    def to_dict(self) -> dict[str, Any]:
        """Return the hyperparameters as JSON values."""
        return asdict(self) | {"hidden_units": list(self.hidden_units)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Create from the values of `to_dict`."""
        return cls(**{**values, "hidden_units": tuple(values["hidden_units"])})

    def __str__(self) -> str:
        first, second = self.hidden_units
        return (
            f"{first}/{second}, rate {self.learning_rate:g}, batch {self.batch_size}, "
            f"dropout {self.dropout:g}"
        )


PAPER = Hyperparameters()

ARCHITECTURE = {
    "activations": list(ACTIVATIONS),
    "initialiser": "Glorot (Xavier) uniform",
    "optimiser": "Adam",
    "scaling": "min-max over the training systems, input by input and bin by bin",
    "loss": "mean squared error of the scaled outputs",
}


def scaled_network(inputs: int, outputs: int, seed: int, chosen: Hyperparameters = PAPER) -> Any:
    """Build the network from scaled inputs (batch, inputs) to scaled outputs (batch, outputs).

    The seed determines the initial weights and the dropout.
    """
    import_tensorflow()
    from keras import Sequential, initializers, layers

    stack: list[Any] = [layers.Input((inputs,))]
    pairs = zip(chosen.hidden_units, ACTIVATIONS, strict=True)
    for index, (units, activation) in enumerate(pairs):
        weights = initializers.GlorotUniform(seed=seed + 2 * index)
        stack += [
            layers.Dense(units, activation, kernel_initializer=weights, name=f"hidden_{index + 1}"),
            layers.Dropout(chosen.dropout, seed=seed + 2 * index + 1, name=f"dropout_{index + 1}"),
        ]
    weights = initializers.GlorotUniform(seed=seed + 2 * len(ACTIVATIONS))
    return Sequential([*stack, layers.Dense(outputs, kernel_initializer=weights, name="output")])


def adam(chosen: Hyperparameters = PAPER) -> Any:
    """Return the Adam optimiser with the chosen learning rate."""
    import_tensorflow()
    import keras

    return keras.optimizers.Adam(chosen.learning_rate)


def compiled_epoch(
    network: Any, inputs: np.ndarray, outputs: np.ndarray, chosen: Hyperparameters = PAPER
) -> Callable[[np.ndarray], float]:
    """Compile one training epoch as a TensorFlow graph.

    For this small network, the overhead of `keras.Model.fit` is ten times the cost of a training
    step, so the whole epoch runs in a single graph.

    Returns
    -------
    callable
        Function that takes the order of the rows, trains for one epoch and returns the mean loss.
    """
    tf = import_tensorflow()
    x, y = (tf.constant(values, tf.float32) for values in (inputs, outputs))
    optimiser = adam(chosen)
    optimiser.build(network.trainable_variables)
    size = chosen.batch_size
    batches = -(-len(inputs) // size)

    @tf.function
    def run_epoch(order: Any) -> Any:
        total = tf.constant(0.0)
        for batch in tf.range(batches):
            rows = order[batch * size : (batch + 1) * size]
            with tf.GradientTape() as tape:
                error = network(tf.gather(x, rows), training=True) - tf.gather(y, rows)
                loss = tf.reduce_mean(tf.square(error))
            gradients = tape.gradient(loss, network.trainable_variables)
            optimiser.apply(gradients, network.trainable_variables)
            total += loss * tf.cast(tf.size(rows), tf.float32)
        return total / len(inputs)

    return lambda order: float(run_epoch(tf.constant(order.astype(np.int32))))


def physical_network(scaled: Any, inputs: MinMaxScaler, outputs: MinMaxScaler) -> Any:
    """Wrap a scaled network to map physical inputs (nm, e, M) to densities (M).

    The scaling becomes part of the network, so that the saved file is self-contained.
    """
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((len(inputs.scale_),), name="h_zp_zn_c_d"),
            keras.layers.Rescaling(
                inputs.scale_.tolist(), inputs.min_.tolist(), name="scale_inputs"
            ),
            *scaled.layers,
            keras.layers.Rescaling(
                (1 / outputs.scale_).tolist(), outputs.data_min_.tolist(), name="density"
            ),
        ],
        name=KIND,
    )


def check_inputs(systems: Sequence[SlitSystem]) -> None:
    """Check that the five inputs of the network fully describe the systems.

    Raises
    ------
    InvalidInput
        If the wall, the temperature or any other value that is not an input differs from the
        default.
    """
    for system in systems:
        described = SlitSystem(**{name: getattr(system, name) for name in INPUTS})
        expected = described.to_dict()
        for name, value in system.to_dict().items():
            if name != "negative_ions" and value != expected[name]:
                problem = f"must be {expected[name]}: it is not an input of the paper's network"
                raise InvalidInput(name, value, problem)


def network_inputs(systems: Sequence[SlitSystem]) -> np.ndarray:
    """The five inputs, shape (systems, 5), in nm, e and M."""
    return input_values(systems, INPUTS)


def paper_key(system: SlitSystem) -> str:
    """Key of a system: its five inputs, as in ``3.2 1 -1 0.6 0.65``."""
    return " ".join(f"{value:.9g}" for value in network_inputs([system])[0])


def _check_card(card: dict[str, Any]) -> None:
    """Raise an exception if a card lacks what the studies read from it."""
    systems, seconds = card["systems"], card["training"]["seconds"]
    if not isinstance(seconds, int | float):
        raise ValueError(f"training.seconds = {seconds!r}: must be a number")
    for name in ("training", "test"):
        if not isinstance(systems[name], list) or not systems[name]:
            raise ValueError(f"systems.{name} must be a list of systems")


def _loaded(file: Path) -> Any:
    check_archive(file.read_bytes())
    import_tensorflow()
    import keras

    return keras.saving.load_model(file, compile=False, safe_mode=True)


class PaperNetwork:
    """The paper's network after training; implements `Predict`. Create it with `load`.

    Attributes
    ----------
    card : dict
        Description of the training and its data.
    """

    def __init__(self, network: Any, card: dict[str, Any]):
        self.card = card
        tensorflow = import_tensorflow()
        shape = tensorflow.TensorSpec((None, len(INPUTS)), tensorflow.float32)
        self._evaluate = tensorflow.function(
            lambda inputs: network(inputs, training=False), input_signature=[shape]
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load the network from a folder written by `nanoconf paper train`.

        Raises
        ------
        InvalidInput
            If the folder contains no such network.
        """
        folder = Path(folder)
        try:
            card = read_json(folder / CARD)
            kind = card["kind"]
            if kind == KIND:
                _check_card(card)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            problem = f"contains no network from `nanoconf paper train` ({error})"
            raise InvalidInput("network", str(folder), problem) from error
        if kind != KIND:
            problem = f"contains a model of kind {kind!r}, not {KIND!r}"
            raise InvalidInput("network", str(folder), problem)
        try:
            return cls(_loaded(folder / NETWORK), card)
        except Exception as error:  # of any kind, depending on the damage
            reason = " ".join(str(error).split())
            problem = f"contains a damaged network ({reason}); repeat `nanoconf paper train`"
            raise InvalidInput("network", str(folder), problem) from error

    def __call__(self, systems: Sequence[SlitSystem]) -> np.ndarray:
        """Predict densities (M) of positive ions from wall to midplane, shape (systems, 150).

        The output is raw: near the walls, densities can be negative.

        Raises
        ------
        InvalidInput
            If a system differs from the default in a value that is not an input of the network.
        """
        check_inputs(systems)
        return self._evaluate(network_inputs(systems).astype(np.float32)).numpy().astype(float)
