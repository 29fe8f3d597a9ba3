"""``python -P -m backend.cluster.engines``: load all that a simulation needs, nothing else."""

from __future__ import annotations

import importlib

from backend.worker import ENGINES

if __name__ == "__main__":
    for module in ENGINES.values():
        importlib.import_module(module)
