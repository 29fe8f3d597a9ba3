"""Processes that evaluate finished simulations while the card computes.

A card finishes simulations faster than one process can evaluate their profiles. Requests and
results are files in a temporary folder.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np

from backend.engines.cuda.simulation import Simulation
from backend.files import read_json, write_json
from backend.sampling.result import SimulationResult
from backend.settings import RunSettings
from backend.system import SlitSystem

ARRAYS = "arrays.npz"

COMMAND = (sys.executable, "-P", "-m", "backend.engines.cuda.evaluation")

Outcome = tuple[int, SimulationResult]


class Evaluators:
    """Processes that evaluate simulations; they start when first needed.

    Parameters
    ----------
    processes : int
        Number of processes; with fewer than two, simulations are evaluated in this process.
    versions : mapping of str to str
        Versions of the device, for the results.
    """

    def __init__(self, processes: int, versions: Mapping[str, str]):
        self._versions = versions
        self._folder = TemporaryDirectory(prefix="nanoconf-")
        self._pool = ThreadPoolExecutor(processes) if processes > 1 else None
        self._mine = threading.local()
        self._started: list[subprocess.Popen[str]] = []
        self._unfinished: dict[Future[SimulationResult], int] = {}
        self._ready: list[Outcome] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._started:
            process.kill()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        for process in self._started:
            process.communicate()
        self._folder.cleanup()

    def submit(self, index: int, simulation: Simulation) -> None:
        """Evaluate a simulation that is done."""
        if self._pool is None:
            self._ready.append((index, simulation.result(self._versions)))
        else:
            self._unfinished[self._pool.submit(self._evaluate, index, simulation)] = index

    def finished(self, *, all_of_them: bool = False) -> Iterator[Outcome]:
        """Yield the index and the result of the simulations that have been evaluated.

        Parameters
        ----------
        all_of_them : bool
            Wait for those that have not been evaluated yet.
        """
        done, _ = wait(self._unfinished, timeout=None if all_of_them else 0)
        for future in done:
            self._ready.append((self._unfinished.pop(future), future.result()))
        while self._ready:
            yield self._ready.pop()

    def _evaluate(self, index: int, simulation: Simulation) -> SimulationResult:
        """Evaluate a simulation in the process of this thread; if that fails, in this process."""
        folder = Path(self._folder.name) / str(index)
        try:
            return self._evaluated(folder, simulation)
        except (OSError, ValueError):  # no room for the files, or the process was killed
            return simulation.result(self._versions)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _evaluated(self, folder: Path, simulation: Simulation) -> SimulationResult:
        folder.mkdir()
        arrays: dict[str, Any] = simulation.to_arrays()
        np.savez(folder / ARRAYS, **arrays)
        inputs = {"system": simulation.system.to_dict(), "settings": simulation.settings.to_dict()}
        write_json(folder / "run.json", {**inputs, "versions": dict(self._versions)})
        process = self._process()
        assert process.stdin is not None and process.stdout is not None
        print(folder, file=process.stdin, flush=True)
        if process.stdout.readline().rstrip("\n") != str(folder):
            raise OSError("the process has ended")
        return SimulationResult.load(folder)

    def _process(self) -> subprocess.Popen[str]:
        """Return the process of this thread."""
        if not hasattr(self._mine, "process"):
            self._mine.process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                # a keyboard interrupt reaches only the parent, which ends the process
                start_new_session=True,
            )
            self._started.append(self._mine.process)
        return self._mine.process


def evaluate(folder: Path) -> None:
    """Evaluate the simulation in a folder, and save its result there."""
    run = read_json(folder / "run.json")
    system, settings = SlitSystem.from_dict(run["system"]), RunSettings.from_dict(run["settings"])
    simulation = Simulation(system, settings)
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        simulation.resume(arrays)
    result = simulation.result(run["versions"])
    result.save(folder)
    write_json(folder / "result.json", {"summary": result.summary.to_dict()})


def main() -> None:
    """Evaluate the simulations in the folders named on standard input."""
    for line in sys.stdin:
        folder = line.rstrip("\n")
        evaluate(Path(folder))
        print(folder, flush=True)


if __name__ == "__main__":
    main()
