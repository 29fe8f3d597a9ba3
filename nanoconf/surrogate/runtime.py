"""Runtimes that evaluate a saved network: LiteRT and TensorFlow."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol

import numpy as np


class Network(Protocol):
    """Saved network. Calls are thread-safe."""

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Map inputs, shape (batch, inputs), to coefficients, shape (batch, members, 2, terms)."""
        ...


class LiteRTNetwork:
    """Network in LiteRT, TensorFlow's lightweight runtime, which loads in 0.1 s instead of 5 s."""

    def __init__(self, folder: Path):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        # The XNNPACK delegate writes to stderr, and takes longer to set up than it saves on a
        # network of this size.
        self._interpreter = Interpreter(
            model_content=(folder / f"{NAME}.tflite").read_bytes(),
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] | None = None
        self._lock = threading.Lock()

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Map inputs, shape (batch, inputs), to coefficients, shape (batch, members, 2, terms)."""
        with self._lock:
            if inputs.shape != self._shape:
                self._interpreter.resize_tensor_input(self._input, inputs.shape)
                self._interpreter.allocate_tensors()
                self._shape = inputs.shape
            self._interpreter.set_tensor(self._input, inputs.astype(np.float32))
            self._interpreter.invoke()
            return self._interpreter.get_tensor(self._output)


class TensorFlowNetwork:
    """Network in TensorFlow, with which it was trained."""

    def __init__(self, folder: Path):
        from nanoconf.surrogate.tf import import_tensorflow

        import_tensorflow()
        import keras

        self._model = keras.models.load_model(folder / f"{NAME}.keras", compile=False)
        self._lock = threading.Lock()

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Map inputs, shape (batch, inputs), to coefficients, shape (batch, members, 2, terms)."""
        with self._lock:
            return self._model(inputs.astype(np.float32), training=False).numpy()


NAME = "profiles"
"""Stem of the file names of the network."""

RUNTIMES: dict[str, type[LiteRTNetwork] | type[TensorFlowNetwork]] = {
    "litert": LiteRTNetwork,
    "tensorflow": TensorFlowNetwork,
}
