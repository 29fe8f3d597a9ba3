"""Print the size of an environment, the largest packages first.

    .venv/bin/python scripts/sizes.py

A path of another Python chooses its environment.
"""

from __future__ import annotations

import json
import subprocess
import sys

ROWS = 20

MEASURE = """
import json
from importlib.metadata import distributions

sizes = {}
for package in distributions():
    both = [0, 0]
    for file in package.files or ():
        path = package.locate_file(file)
        if path.is_file():
            both[path.suffix == ".pyc"] += path.stat().st_size
    sizes[package.name] = both
print(json.dumps(sizes))
"""


def main() -> None:
    """Measure the files of each installed package, and the bytecode that pip compiled."""
    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    sizes = json.loads(subprocess.check_output([python, "-P", "-c", MEASURE]))
    largest = sorted(sizes, key=lambda name: sizes[name][0], reverse=True)
    rows = [(name, sizes[name]) for name in largest[:ROWS]]
    rest = [sizes[name] for name in largest[ROWS:]]
    rows.append((f"{len(rest)} others", _sum(rest)))
    rows.append((f"{len(sizes)} packages", _sum(list(sizes.values()))))
    print(f"{'MB':<24} {'files':>7} {'bytecode':>9}")
    for name, (files, bytecode) in rows:
        print(f"{name:<24} {files / 1e6:7.1f} {bytecode / 1e6:9.1f}")


def _sum(sizes: list[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*sizes, strict=True)]


if __name__ == "__main__":
    main()
