"""Import of TensorFlow on first use, without its start-up messages."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from threading import Lock
from typing import Any

from backend.extras import require

THREADS = 2

IMPORTING = Lock()
"""Held during the import, which changes the environment and standard error of the process."""


def import_tensorflow() -> Any:
    """Import TensorFlow without start-up messages and without GPUs.

    The networks are too small to benefit from a GPU.

    Raises
    ------
    MissingExtra
        TensorFlow is not installed.
    """
    require("train", "this")
    with IMPORTING:
        return _imported()


def _imported() -> Any:
    quiet = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
    }
    before = {name: os.environ.get(name) for name in quiet}
    os.environ.update(quiet)
    try:
        with _muted():
            import tensorflow

        tensorflow.config.list_physical_devices()  # searches for CUDA; the import does not
        # a hyperparameter search compiles many networks, which TensorFlow would warn about
        tensorflow.get_logger().setLevel("ERROR")
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return tensorflow


@contextmanager
def _muted() -> Iterator[None]:
    """Discard standard error: the C++ code reports on GPUs before its log level can be set.

    Errors are still raised as exceptions.
    """
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, TensorFlow, Keras, NumPy and other packages."""
    names = ("tensorflow", "keras", "numpy", *packages)
    return {"python": platform.python_version()} | {name: _version(name) for name in names}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return metadata.version(f"{package}-cpu")  # TensorFlow's build for processors


def limit_threads() -> None:
    """Limit TensorFlow to `THREADS` threads in this process."""
    threading = import_tensorflow().config.threading
    try:
        threading.set_intra_op_parallelism_threads(THREADS)
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # too late: TensorFlow has created its threads
