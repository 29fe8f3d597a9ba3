"""``python -P -m backend.cluster.node.load_engines``: import every engine."""

from __future__ import annotations

from backend.engines import registry

if __name__ == "__main__":
    for name in registry.names():
        registry.get(name).load()
