"""The published network: five inputs, two hidden layers, the densities in half of the slit's bins.

Kadupitiya, Sun, Fox and Jadhao, J. Comput. Sci. 42, 101107 (2020), section 3: 512 units (relu), 256
units (sigmoid in the published code), dropout 0.15, Adam at 1e-4, Xavier initialisation, batches of
25, inputs and outputs scaled to [0, 1] by their minima and maxima.

One thing differs: it learns the density in units of the mean density, which the inputs fix, so that
it need not learn that twice the salt has twice the density. With a few hundred systems to learn
from that halves the error.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

HIDDEN_UNITS = (512, 256)
ACTIVATIONS = ("relu", "sigmoid")
DROPOUT = 0.15
LEARNING_RATE = 1e-4
BATCH_SIZE = 25

ARCHITECTURE = {
    "hidden_units": list(HIDDEN_UNITS),
    "activations": list(ACTIVATIONS),
    "dropout": DROPOUT,
    "initialiser": "Glorot (Xavier) uniform",
    "optimiser": "Adam",
    "learning_rate": LEARNING_RATE,
    "batch_size": BATCH_SIZE,
    "scaling": "min-max, input by input and bin by bin, of density / mean density",
    "loss": "mean squared error of the scaled outputs",
}


@dataclass(frozen=True)
class MinMax:
    """Scales each column to [0, 1]; a constant column becomes 0 and comes back as the constant.

    Attributes
    ----------
    low, high : ndarray, shape (columns,)
        Minimum and maximum of each column.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> MinMax:
        """The scaling of values, shape (rows, columns)."""
        return cls(values.min(axis=0), values.max(axis=0))

    @property
    def span(self) -> np.ndarray:
        """Maximum minus minimum, shape (columns,)."""
        return self.high - self.low

    @property
    def inverse_span(self) -> np.ndarray:
        """1/span, and 0 for a constant column; shape (columns,)."""
        return np.divide(1.0, self.span, out=np.zeros_like(self.span), where=self.span > 0)

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Values, shape (rows, columns), scaled to [0, 1]."""
        return (values - self.low) * self.inverse_span


def import_tensorflow() -> Any:
    """TensorFlow, imported without its start-up chatter and without a search for GPUs.

    The network is far too small for a GPU to help.
    """
    quiet = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
    }
    before = {name: os.environ.get(name) for name in quiet}
    os.environ.update(quiet)
    try:
        import tensorflow

        tensorflow.config.list_physical_devices()  # CUDA is looked for here, not at import
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return tensorflow


def hidden_layers(outputs: int, seed: int) -> list[Any]:
    """The layers that learn; every random number in them follows from the seed."""
    import_tensorflow()
    from keras import initializers, layers

    stack: list[Any] = []
    for index, (units, activation) in enumerate(zip(HIDDEN_UNITS, ACTIVATIONS, strict=True)):
        start = initializers.GlorotUniform(seed=seed + 2 * index)
        stack += [
            layers.Dense(units, activation, kernel_initializer=start, name=f"hidden_{index + 1}"),
            layers.Dropout(DROPOUT, seed=seed + 2 * index + 1, name=f"dropout_{index + 1}"),
        ]
    start = initializers.GlorotUniform(seed=seed + 2 * len(HIDDEN_UNITS))
    return [*stack, layers.Dense(outputs, kernel_initializer=start, name="scaled_density")]


def scaled_network(inputs: int, outputs: int, seed: int) -> Any:
    """Keras network from scaled inputs (batch, inputs) to scaled outputs (batch, outputs)."""
    layers = hidden_layers(outputs, seed)
    import keras

    return keras.Sequential([keras.layers.Input((inputs,)), *layers])


def physical_network(scaled: Any, inputs: MinMax, outputs: MinMax, name: str) -> Any:
    """The same network from physical inputs (nm, e, M) to density / mean density.

    The scaling goes inside, so that no table of minima and maxima must travel with the network.
    """
    import keras

    scale_in, span_out = inputs.inverse_span, outputs.span
    return keras.Sequential(
        [
            keras.layers.Input((len(scale_in),), name="h_zp_zn_c_d"),
            keras.layers.Rescaling(
                scale_in.tolist(), (-inputs.low * scale_in).tolist(), name="scale_inputs"
            ),
            *scaled.layers,
            keras.layers.Rescaling(
                span_out.tolist(), outputs.low.tolist(), name="density_over_mean"
            ),
        ],
        name=name,
    )


def litert_bytes(network: Any) -> bytes:
    """The network converted to LiteRT (TensorFlow's light runtime), in float32."""
    tensorflow = import_tensorflow()
    with TemporaryDirectory(prefix="nanoconf-") as folder:
        network.export(folder, format="tf_saved_model", verbose=False)
        return tensorflow.lite.TFLiteConverter.from_saved_model(folder).convert()


def save(network: Any, folder: Path, species: str) -> None:
    """Write ``SPECIES.keras`` and ``SPECIES.tflite`` into a folder."""
    network.save(folder / f"{species}.keras")
    (folder / f"{species}.tflite").write_bytes(litert_bytes(network))
