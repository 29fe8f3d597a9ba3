"""Speed of the surrogate with LiteRT and with TensorFlow, measured in the same run.

``python -m benchmarks.surrogate [--model DIR] [--json FILE]``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from backend.files import write_json
from backend.system import SlitSystem
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.runtime import RUNTIMES
from nanoconf.tables import aligned

WARM = 500
BATCH = 100_000

COLD = """
import json, sys, time
from backend.system import SlitSystem
from nanoconf.surrogate import Surrogate
Surrogate.load(sys.argv[1] or None, runtime=sys.argv[2]).predict(SlitSystem())
seconds = time.time() - float(sys.argv[3])  # includes the start of the process
# not getrusage, which includes the parent process before exec
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"seconds": seconds, "MB": int(peak) / 2**10}))
"""


def measure(model: Path | None, runtime: str) -> dict[str, float]:
    """Measure a runtime in a new process, for single systems and for a large batch."""
    _cold(model, runtime)  # fills the disk cache
    cold = _cold(model, runtime)
    surrogate = Surrogate.load(model, runtime=runtime)
    systems = _systems(max(WARM, BATCH))
    surrogate.predict(systems[0])
    singles = [_seconds(lambda s=system: surrogate.predict(s)) for system in systems[:WARM]]
    batch_seconds = _seconds(lambda: surrogate.predict_halves(systems[:BATCH]))
    return {
        "cold_seconds": cold["seconds"],
        "cold_MB": cold["MB"],
        "warm_ms_median": 1e3 * float(np.median(singles)),
        "warm_ms_95": 1e3 * float(np.percentile(singles, 95)),
        "systems_per_second": BATCH / batch_seconds,
    }


def _cold(model: Path | None, runtime: str) -> dict[str, float]:
    command = [sys.executable, "-c", COLD, str(model or ""), runtime, str(time.time())]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def _systems(count: int) -> list[SlitSystem]:
    random = np.random.default_rng(1)
    rows = random.uniform((3.0, 1, 0.3, 0.5), (4.0, 3.999, 0.9, 0.75), (count, 4))
    return [SlitSystem(h, int(z), -1, c, d) for h, z, c, d in rows.tolist()]


def _seconds(task: Any) -> float:
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def table(measured: dict[str, dict[str, float]]) -> str:
    """Table with one column per runtime."""
    names = {
        "cold_seconds": "process start to first prediction (s)",
        "cold_MB": "peak memory of this process (MB)",
        "warm_ms_median": "one system, median (ms)",
        "warm_ms_95": "one system, 95th percentile (ms)",
        "systems_per_second": f"batch of {BATCH:,} systems (systems/s)",
    }
    rows = [["", *measured]]
    for key, text in names.items():
        values = [each[key] for each in measured.values()]
        rows.append([text, *(f"{v:,.0f}" if v > 100 else f"{v:.2f}" for v in values)])
    return aligned(rows)


def main() -> None:
    """Measure all runtimes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of the model (default: the current one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to FILE")
    options = parser.parse_args()
    measured = {runtime: measure(options.model, runtime) for runtime in RUNTIMES}
    print("Profiles of both species with the error band. The batch is predicted as half profiles")
    print("(150 bins), without their mirror images.\n")
    print(table(measured))
    if options.json:
        write_json(options.json, measured)


if __name__ == "__main__":
    main()
