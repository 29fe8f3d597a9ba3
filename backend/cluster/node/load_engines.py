"""``python -P -m backend.cluster.node.load_engines``: import every engine."""

from __future__ import annotations

import importlib

from backend.runs.worker import ENGINES

if __name__ == "__main__":
    for module in ENGINES.values():
        importlib.import_module(module)
