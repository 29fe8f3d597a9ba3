"""Runtimes that evaluate a saved network: LiteRT and TensorFlow."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile, ZipFile

import numpy as np

from backend.system import SPECIES, SlitSystem
from nanoconf.surrogate.domain import INPUTS, network_inputs
from nanoconf.surrogate.shape import TERMS

NAME = "profiles"
"""Stem of the file names of the network."""

FILES = {"litert": f"{NAME}.tflite", "tensorflow": f"{NAME}.keras"}
"""File of the network that each runtime reads."""


class Network(Protocol):
    """Saved network. Calls are thread-safe."""

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Map inputs, shape (batch, inputs), to coefficients, shape (batch, members, 2, terms)."""
        ...


# --- integrity ------------------------------------------------------------------------------


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 checksum of each file of the network in a folder."""
    return {file: _sha256((folder / file).read_bytes()) for file in sorted(FILES.values())}


def verified(folder: Path, file: str, expected: Mapping[str, str]) -> bytes:
    """Return the contents of a file of the network after verifying its checksum.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    file : str
        Name of the file.
    expected : mapping of str to str
        Checksums by file name. A file without one is checked by `check_archive` or
        `check_weights`.

    Raises
    ------
    ValueError
        If the file cannot be read or is damaged.
    """
    try:
        content = (folder / file).read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from error
    if file not in expected:
        _check_without_checksum(folder, file, content)
    elif _sha256(content) != expected[file]:
        raise ValueError(f"{file} is damaged: its SHA-256 checksum differs from that in its card")
    return content


def _check_without_checksum(folder: Path, file: str, content: bytes) -> None:
    try:
        if file == FILES["tensorflow"]:
            check_archive(content)
        else:
            check_weights(folder, content)
    except Exception as error:  # of any kind, depending on the damage
        raise _damaged(file, error) from error


def check_archive(content: bytes) -> None:
    """Raise an exception if a ``.keras`` file, a zip archive, is not intact."""
    with ZipFile(BytesIO(content)) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise BadZipFile(f"{damaged} has a wrong checksum")


def check_weights(folder: Path, content: bytes) -> None:
    """Raise `ValueError` if a LiteRT file does not hold the weights of the ``.keras`` file.

    The checksums in a ``.keras`` file, a zip archive, thus protect a model whose card has none.
    Without a readable ``.keras`` file, or without h5py, there is no check.
    """
    try:
        import h5py

        with ZipFile(folder / FILES["tensorflow"]) as archive:
            weights = h5py.File(BytesIO(archive.read("model.weights.h5")))
    except Exception:  # of any kind, depending on the damage
        return

    def check(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item[()].astype(np.float32).tobytes() not in content:
            raise ValueError(f"its weights {name} differ from those in {FILES['tensorflow']}")

    weights.visititems(check)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _damaged(file: str, error: Exception) -> ValueError:
    return ValueError(f"{file} is damaged ({' '.join(str(error).split())[:120]})")


# --- runtimes -------------------------------------------------------------------------------


class LiteRTNetwork:
    """Network in LiteRT, TensorFlow's lightweight runtime, which loads in 0.1 s instead of 5 s."""

    def __init__(self, _folder: Path, content: bytes):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        # The XNNPACK delegate writes to stderr, and takes longer to set up than it saves on a
        # network of this size.
        self._interpreter = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        (taken,) = self._interpreter.get_input_details()
        (given,) = self._interpreter.get_output_details()
        check_shapes(taken["shape"].tolist(), given["shape"].tolist())
        self._input, self._output = taken["index"], given["index"]
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

    def __init__(self, folder: Path, _content: bytes):
        from nanoconf.surrogate.tf import import_tensorflow

        import_tensorflow()
        import keras

        file = folder / FILES["tensorflow"]
        self._model = keras.models.load_model(file, compile=False, safe_mode=True)
        check_shapes(self._model.input_shape, self._model.output_shape)
        self._lock = threading.Lock()

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Map inputs, shape (batch, inputs), to coefficients, shape (batch, members, 2, terms)."""
        with self._lock:
            return self._model(inputs.astype(np.float32), training=False).numpy()


def check_shapes(inputs: Sequence[int], outputs: Sequence[int]) -> None:
    """Raise `ValueError` if the shapes of a network are not those of `Network`."""
    expected = [len(INPUTS)], [len(SPECIES), TERMS]
    if (list(inputs[1:]), list(outputs[2:])) != expected or len(outputs) != 4:
        raise ValueError(f"it maps {list(inputs)} to {list(outputs)}")


RUNTIMES: dict[str, type[LiteRTNetwork] | type[TensorFlowNetwork]] = {
    "litert": LiteRTNetwork,
    "tensorflow": TensorFlowNetwork,
}


def check_output(network: Network) -> None:
    """Raise `ValueError` if the coefficients of the default system are not finite."""
    if not np.isfinite(network(network_inputs([SlitSystem()]))).all():
        raise ValueError("its output is not finite")


def load_network(folder: Path, runtime: str, expected: Mapping[str, str]) -> Network:
    """Load the network of a model.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    runtime : {"litert", "tensorflow"}
        Runtime that evaluates it.
    expected : mapping of str to str
        Checksums of the files; see `verified`.

    Raises
    ------
    ValueError
        If the file of the network is missing or damaged, or holds another network.
    """
    content = verified(folder, FILES[runtime], expected)
    try:
        network = RUNTIMES[runtime](folder, content)
        if FILES[runtime] not in expected:
            check_output(network)
        return network
    except ImportError:
        raise
    except Exception as error:  # of any kind, depending on the damage
        raise _damaged(FILES[runtime], error) from error
