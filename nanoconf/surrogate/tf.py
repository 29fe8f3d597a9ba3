"""TensorFlow, loaded only by what trains or asks for it, and kept quiet."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from threading import Lock
from typing import Any

THREADS = 2

IMPORTING = Lock()
"""One thread at a time: environment and standard error, changed meanwhile, are the process's."""


def import_tensorflow() -> Any:
    """TensorFlow, imported without its start-up chatter and without a search for GPUs.

    The networks are far too small for a GPU to help.
    """
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

        tensorflow.config.list_physical_devices()  # CUDA is looked for here, not at import
        tensorflow.get_logger().setLevel("ERROR")  # a search compiles many networks, as it must
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return tensorflow


@contextmanager
def _muted() -> Iterator[None]:
    """Drop what C++ writes to standard error: it tells of GPUs before it can be told not to.

    What goes wrong is an exception, and is seen.
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
    """Versions of Python, TensorFlow and what else a network was made with, for its card."""
    names = ("tensorflow", "keras", "numpy", *packages)
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def limit_threads() -> None:
    """Let TensorFlow use `THREADS` threads in this process."""
    threading = import_tensorflow().config.threading
    try:
        threading.set_intra_op_parallelism_threads(THREADS)
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # TensorFlow is in use already in this process, and keeps the threads it has
