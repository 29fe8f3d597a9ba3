"""The network: from the five inputs to the coefficients of both ions' profiles.

A deep ensemble (B. Lakshminarayanan, A. Pritzel, C. Blundell, NeurIPS 2017): several small
networks, alike but for their first weights and the order of their lessons. Their mean is the
prediction, their spread tells how sure it is. All of them are one network here, evaluated at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from backend.profiles import SPECIES
from nanoconf.surrogate.domain import INPUTS
from nanoconf.surrogate.runtime import NAME
from nanoconf.surrogate.shape import TERMS
from nanoconf.surrogate.tf import import_tensorflow

MEMBERS = 8
HIDDEN_UNITS = (64, 64)
ACTIVATION = "silu"

ARCHITECTURE = {
    "members": MEMBERS,
    "hidden_units": list(HIDDEN_UNITS),
    "activation": ACTIVATION,
    "outputs": f"{TERMS} coefficients of even Chebyshev polynomials, whose sum is the logarithm of "
    "density · exp(βU_wall), for each ion",
}


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


def build(inputs: Scaling, outputs: Scaling, seed: int) -> Any:
    """Keras network from physical inputs (batch, 5) to coefficients (batch, members, 2, TERMS).

    Parameters
    ----------
    inputs, outputs : Scaling
        Go inside the network, so that no table must travel with it; `outputs` over 2·TERMS columns.
    seed : int
        Every first weight follows from it.
    """
    import_tensorflow()
    from keras import Model, initializers, layers

    scale = inputs.inverse_size
    first = layers.Input((len(INPUTS),), name="h_zp_zn_c_d")
    flow = layers.Rescaling(scale.tolist(), (-inputs.centre * scale).tolist())(first)
    flow = layers.RepeatVector(MEMBERS)(flow)
    for index, units in enumerate((*HIDDEN_UNITS, len(SPECIES) * TERMS)):
        last = index == len(HIDDEN_UNITS)
        flow = layers.EinsumDense(
            "bmi,mio->bmo",
            output_shape=(MEMBERS, units),
            bias_axes="mo",
            activation=None if last else ACTIVATION,
            kernel_initializer=initializers.RandomNormal(
                stddev=(0.3 if last else 1.0) / np.sqrt(flow.shape[-1]), seed=seed + index
            ),
            name="coefficients" if last else f"hidden_{index + 1}",
        )(flow)
    flow = layers.Rescaling(outputs.size.tolist(), outputs.centre.tolist())(flow)
    flow = layers.Reshape((MEMBERS, len(SPECIES), TERMS))(flow)
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
