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
    paths = [package.locate_file(file) for file in package.files or ()]
    sizes[package.name] = sum(path.stat().st_size for path in paths if path.is_file())
print(json.dumps(sizes))
"""


def main() -> None:
    """Measure the files of each installed package, with their compiled bytecode."""
    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    sizes = json.loads(subprocess.check_output([python, "-P", "-c", MEASURE]))
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)
    rows = [(name, sizes[name]) for name in largest[:ROWS]]
    rows.append(
        (f"{len(largest) - len(rows)} others", sum(sizes.values()) - sum(s for _, s in rows))
    )
    rows.append((f"{len(largest)} packages", sum(sizes.values())))
    for name, size in rows:
        print(f"{name:<24} {size / 1e6:7.1f} MB")


if __name__ == "__main__":
    main()
