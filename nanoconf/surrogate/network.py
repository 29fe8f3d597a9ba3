"""Network from the five inputs to the coefficients of both ions' profiles.

It is a deep ensemble (B. Lakshminarayanan, A. Pritzel, C. Blundell, NeurIPS 2017): several small
networks that differ in their initial weights. Their mean is the prediction, and their spread
estimates its error. They are combined into one Keras network that evaluates all members at once.

`Scaling` is hand-written, because it becomes two layers of the network, in which a constant column
needs size 0. The scalers of scikit-learn give such a column size 1 and need more code.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from backend.system import SPECIES
from nanoconf.surrogate.runtime import NAME
from nanoconf.surrogate.shape import TERMS
from nanoconf.surrogate.tf import import_tensorflow


@dataclass(frozen=True)
class Architecture:
    """Size and activation of the network.

    Attributes
    ----------
    members : int
        Number of members of the ensemble.
    hidden_units : tuple of int
        Number of units in each hidden layer of a member.
    activation : str
        Keras name of the activation of the hidden layers.
    terms : int
        Number of coefficients of each ion's profile.
    """

    members: int = 8
    hidden_units: tuple[int, ...] = (64, 64)
    activation: str = "silu"
    terms: int = TERMS

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture as JSON values, with a description of the outputs."""
        return asdict(self) | {
            "hidden_units": list(self.hidden_units),
            "outputs": f"{self.terms} coefficients of even Chebyshev polynomials, whose sum is the "
            "logarithm of density · exp(βU_wall), for each ion species",
        }


SHIPPED = Architecture()
"""Architecture of the shipped model; `python -m benchmarks.variants` compares it with others."""


@dataclass(frozen=True)
class Scaling:
    """Linear scaling of columns, (value − centre)/size; a constant column is scaled to 0.

    Attributes
    ----------
    centre, size : ndarray, shape (columns,)
        The size of a constant column is 0.
    """

    centre: np.ndarray
    size: np.ndarray

    @classmethod
    def of_ranges(cls, values: np.ndarray) -> Scaling:
        """Scale each column of an array, shape (rows, columns), to the range [−1, 1]."""
        low, high = values.min(axis=0), values.max(axis=0)
        return cls((high + low) / 2, (high - low) / 2)

    @classmethod
    def of_spread(cls, values: np.ndarray) -> Scaling:
        """Scale each column of an array, shape (rows, columns), to mean 0 and unit variance."""
        return cls(values.mean(axis=0), values.std(axis=0))

    @property
    def inverse_size(self) -> np.ndarray:
        """1/size, and 0 for a constant column; shape (columns,)."""
        return np.divide(1.0, self.size, out=np.zeros_like(self.size), where=self.size > 0)


def build(
    inputs: Scaling, outputs: Scaling, seed: int, architecture: Architecture = SHIPPED
) -> Any:
    """Build the Keras network from inputs (batch, 5) to coefficients (batch, members, 2, terms).

    Parameters
    ----------
    inputs, outputs : Scaling
        Scaling of the 5 inputs and of the 2·terms outputs; both become layers of the network.
    seed : int
        Seed of the initial weights.
    architecture : Architecture
        Size of the network.

    Returns
    -------
    keras.Model
    """
    import_tensorflow()
    from keras import Model, initializers, layers

    scale = inputs.inverse_size
    first = layers.Input(inputs.centre.shape, name="h_zp_zn_c_d")
    flow = layers.Rescaling(scale.tolist(), (-inputs.centre * scale).tolist())(first)
    members, terms = architecture.members, architecture.terms
    flow = layers.RepeatVector(members)(flow)
    for index, units in enumerate((*architecture.hidden_units, len(SPECIES) * terms)):
        last = index == len(architecture.hidden_units)
        flow = layers.EinsumDense(
            "bmi,mio->bmo",
            output_shape=(members, units),
            bias_axes="mo",
            activation=None if last else architecture.activation,
            kernel_initializer=initializers.RandomNormal(
                stddev=(0.3 if last else 1.0) / np.sqrt(flow.shape[-1]), seed=seed + index
            ),
            name="coefficients" if last else f"hidden_{index + 1}",
        )(flow)
    flow = layers.Rescaling(outputs.size.tolist(), outputs.centre.tolist())(flow)
    flow = layers.Reshape((members, len(SPECIES), terms))(flow)
    return Model(first, flow, name=NAME)


def litert_bytes(network: Any) -> bytes:
    """Convert the network to LiteRT (TensorFlow's lightweight runtime) in float32."""
    tensorflow = import_tensorflow()
    with TemporaryDirectory(prefix="nanoconf-") as folder:
        network.export(folder, format="tf_saved_model", verbose=False)
        return tensorflow.lite.TFLiteConverter.from_saved_model(folder).convert()


def save(network: Any, folder: Path) -> None:
    """Write ``profiles.keras`` and ``profiles.tflite`` into a folder."""
    network.save(folder / f"{NAME}.keras")
    (folder / f"{NAME}.tflite").write_bytes(litert_bytes(network))
