"""The network: from the five inputs to the coefficients of both ions' profiles.

A deep ensemble (B. Lakshminarayanan, A. Pritzel, C. Blundell, NeurIPS 2017): several small
networks, alike but for their first weights and the order of their lessons. Their mean is the
prediction, their spread tells how sure it is. All of them are one network here, evaluated at once.

`Scaling` is written by hand: it becomes two layers of the network, in which a constant column needs
the size 0. The scalers of scikit-learn give such a column the size 1, and would take more lines.
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
    """Size and kind of the network.

    Attributes
    ----------
    members : int
        Of the ensemble.
    hidden_units : tuple of int
        Of each member's layers.
    activation : str
        Of the hidden layers, as Keras calls it.
    terms : int
        Coefficients of each ion's profile.
    """

    members: int = 8
    hidden_units: tuple[int, ...] = (64, 64)
    activation: str = "silu"
    terms: int = TERMS

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, with what the outputs are."""
        return asdict(self) | {
            "hidden_units": list(self.hidden_units),
            "outputs": f"{self.terms} coefficients of even Chebyshev polynomials, whose sum is the "
            "logarithm of density · exp(βU_wall), for each ion",
        }


SHIPPED = Architecture()
"""That of the model that ships; `python -m benchmarks.variants` compares it with others."""


@dataclass(frozen=True)
class Scaling:
    """Moves columns to mean 0 and size 1; a constant column becomes 0 and comes back as it was.

    Attributes
    ----------
    centre, size : ndarray, shape (columns,)
    """

    centre: np.ndarray
    size: np.ndarray

    @classmethod
    def of_ranges(cls, values: np.ndarray) -> Scaling:
        """Takes the range of each column, shape (rows, columns), to [−1, 1]."""
        low, high = values.min(axis=0), values.max(axis=0)
        return cls((high + low) / 2, (high - low) / 2)

    @classmethod
    def of_spread(cls, values: np.ndarray) -> Scaling:
        """Takes each column, shape (rows, columns), to mean 0 and standard deviation 1."""
        return cls(values.mean(axis=0), values.std(axis=0))

    @property
    def inverse_size(self) -> np.ndarray:
        """1/size, and 0 for a constant column; shape (columns,)."""
        return np.divide(1.0, self.size, out=np.zeros_like(self.size), where=self.size > 0)


def build(
    inputs: Scaling, outputs: Scaling, seed: int, architecture: Architecture = SHIPPED
) -> Any:
    """Keras network from physical inputs (batch, 5) to coefficients (batch, members, 2, terms).

    Parameters
    ----------
    inputs, outputs : Scaling
        Go inside the network, so that no table must travel with it; `outputs` over 2·terms columns.
    seed : int
        Every first weight follows from it.
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
    """The network converted to LiteRT (TensorFlow's light runtime), in float32."""
    tensorflow = import_tensorflow()
    with TemporaryDirectory(prefix="nanoconf-") as folder:
        network.export(folder, format="tf_saved_model", verbose=False)
        return tensorflow.lite.TFLiteConverter.from_saved_model(folder).convert()


def save(network: Any, folder: Path) -> None:
    """Write ``profiles.keras`` and ``profiles.tflite`` into a folder."""
    network.save(folder / f"{NAME}.keras")
    (folder / f"{NAME}.tflite").write_bytes(litert_bytes(network))
