"""Many simulations, one after the other, into one dataset."""

from __future__ import annotations

import contextlib
import hashlib
import math
import platform
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backend import __version__
from backend.cluster.destination import destination, status_in_words, waiting_line
from backend.keeper.election import REELECTION_SECONDS, ensure_keeper
from backend.locks import Lock
from backend.runs import local
from backend.runs.archive import NOT_ACCEPTED, Archive
from backend.runs.run import DamagedRun, Run, now
from backend.runs.state import RunState
from backend.sampling.result import SimulationError
from backend.system import InvalidInput
from nanoconf.data import dataset
from nanoconf.data.plans import TRIES, Item

SAVE_SECONDS = 120.0
POLL_SECONDS = 0.2
CLUSTER_POLL_SECONDS = 2.0

AND = " && "
"""Between the commands that make a dataset together."""


@dataclass
class Sweep:
    """A plan that is being carried out.

    The runs are submitted a few at a time to the archive, in the queue ``"sweep"``; what the
    archive or the dataset has already is not simulated again, so the same sweep continues where
    it was stopped.

    Parameters
    ----------
    plan : list of Item
        What to simulate.
    folder : Path
        Folder of the dataset.
    archive : Archive
        Where the runs go.
    command : str
        The command that makes this dataset, for its card.
    add : bool
        Keep systems in the folder's dataset that are not in the plan.
    histogram : bool
        Keep the profiles from counting alone, too.
    cluster : str, optional
        The cluster to simulate on, by name; empty is the first, None this computer.

    Attributes
    ----------
    failed : dict
        Reason of every system that failed at each try, by number.
    """

    plan: list[Item]
    folder: Path
    archive: Archive
    command: str = ""
    add: bool = False
    histogram: bool = False
    cluster: str | None = None
    failed: dict[int, str] = field(default_factory=dict)
    _rows: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    _kept: list[dict[str, Any]] = field(default_factory=list)
    _active: dict[int, tuple[Item, int, Run]] = field(default_factory=dict)
    _sittings: list[dict[str, str]] = field(default_factory=list)
    _began: str = ""

    def execute(self, progress: bool | None = None) -> None:
        """Carry out the plan to its end.

        Parameters
        ----------
        progress : bool, optional
            Show a progress bar; where it is left out, on a terminal.

        Raises
        ------
        InvalidInput
            The folder holds other data, or another sweep writes to it.
        """
        self.archive.prepare()
        name = hashlib.sha256(str(self.folder.absolute()).encode()).hexdigest()[:16]
        lock = Lock(self.archive.home / f"sweep-{name}.lock")
        if not lock.acquire():
            raise InvalidInput("output", str(self.folder), "another sweep is writing to it")
        try:
            self._take_over()
            self._carry_out(progress)
        finally:
            lock.release()

    def _take_over(self) -> None:
        """Use what the folder's dataset has already."""
        if not (self.folder / dataset.FILE).exists():
            return
        existing: dict[str, list[dict[str, Any]]] = {}
        for row in dataset.read_rows(self.folder):
            existing.setdefault(row["inputs_hash"], []).append(row)
        for item in self.plan:
            for key in item.hashes():
                if len(existing.get(key, ())) == 2:
                    self._rows[item.number] = [
                        {**row, "system": item.number} for row in existing.pop(key)
                    ]
                    break
        self._remember()
        others = [row for rows in existing.values() for row in rows]
        if others and not self.add:
            raise InvalidInput(
                "output",
                str(self.folder),
                f"holds {len(existing)} systems that are not in this plan (or were simulated "
                "otherwise): choose another folder, or keep them with --add",
            )
        first = len(self.plan)
        numbers = {key: first + i for i, key in enumerate(existing)}
        self._kept = [{**row, "system": numbers[row["inputs_hash"]]} for row in others]

    def _remember(self) -> None:
        """How the folder's dataset was made so far."""
        made: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):  # killed just before the card was written
            made = dataset.load_card(self.folder).get("made", {})
        self._sittings = made.get("sittings", [])
        if self.add and "command" in made:
            self.command = AND.join(dict.fromkeys([*made["command"].split(AND), self.command]))

    def _carry_out(self, progress: bool | None) -> None:
        from tqdm import tqdm

        waiting = deque(item for item in self.plan if item.number not in self._rows)
        bar = tqdm(
            total=len(self.plan),
            initial=len(self._rows),
            unit="system",
            disable=None if progress is None else not progress,
            smoothing=0.05,
        )
        say_waiting = waiting_line(progress)
        saved, kept_alive, changed = time.monotonic(), -math.inf, True
        self._began = now() if waiting else ""
        try:
            while waiting or self._active:
                self._top_up(waiting)
                if time.monotonic() - kept_alive > REELECTION_SECONDS:
                    ensure_keeper(self.archive.home)
                    kept_alive = time.monotonic()
                finished = self._collect()
                if finished:
                    bar.update(finished)
                if self.cluster is not None and self._active:
                    _, _, run = next(iter(self._active.values()))  # they wait for the same
                    say_waiting(run)
                    bar.set_postfix_str(status_in_words(run))
                changed = changed or finished > 0
                if changed and time.monotonic() - saved > SAVE_SECONDS:
                    self.save()
                    saved, changed = time.monotonic(), False
                if not finished:
                    time.sleep(POLL_SECONDS if self.cluster is None else CLUSTER_POLL_SECONDS)
        except BaseException:
            self._let_go()
            raise
        finally:
            bar.close()
            self.save()

    def _top_up(self, waiting: deque[Item]) -> None:
        """Keep a few runs queued: enough that no core idles, few enough to stop at any time.

        A cluster is sent all at once: what is queued there costs nothing.
        """
        most = 2 * local.cores() + 2 if self.cluster is None else len(self.plan)
        while waiting and len(self._active) < most:
            item = waiting.popleft()
            self._submit(item, self._best_try(item))

    def _best_try(self, item: Item) -> int:
        """The try that the archive has a result of, or the first."""
        for attempt, key in enumerate(item.hashes()):
            run = self.archive.find(key)
            if run is not None:
                return attempt
        return 0

    def _submit(self, item: Item, attempt: int) -> None:
        settings = item.try_settings(attempt)
        run = self.archive.submit(
            item.system,
            settings,
            name=f"{self.folder.name} {item.number}",
            queue="sweep",
            **destination(self.cluster, item.system, settings),
        )
        self._active[item.number] = (item, attempt, run)

    def _collect(self) -> int:
        """Take in what has finished; how many systems that is."""
        count = 0
        for number, (item, attempt, run) in list(self._active.items()):
            if not run.finished:
                if not run.folder.exists():
                    self._submit(item, attempt)  # somebody removed it
                continue
            problem = self._take(item, run)
            del self._active[number]  # only now: who is interrupted takes what is active
            if problem and run.error in NOT_ACCEPTED:
                raise SimulationError(f"the sweep has stopped: {problem}", run.error)
            if problem and run.state in (RunState.DONE, RunState.FAILED) and attempt + 1 < TRIES:
                self._submit(item, attempt + 1)
                continue
            if problem:
                self.failed[number] = problem
            count += 1
        return count

    def _take(self, item: Item, run: Run) -> str:
        """Add the rows of a finished run; else why not."""
        if run.state != RunState.DONE:
            return run.reason
        try:
            result = run.result()
        except DamagedRun as error:
            return str(error)
        if item.settings.target_error is not None and not result.summary.converged:
            convergence = result.summary.convergence
            return "; ".join(convergence.reasons) if convergence else "its convergence is not known"
        self._rows[item.number] = dataset.rows_of(
            result,
            number=item.number,
            inputs_hash=run.inputs_hash,
            histogram=self.histogram,
        )
        return ""

    def _let_go(self) -> None:
        """Keep what has finished; end the runs that this sweep began and nobody else waits for."""
        for item, _, run in self._active.values():
            if run.finished:
                self._take(item, run)
            elif not run.joined and run.queue == "sweep":
                run.cancel()

    def save(self) -> None:
        """Write the dataset as it is now."""
        rows = [row for pair in self._rows.values() for row in pair] + self._kept
        if rows:
            dataset.save(self.folder, rows, self._card(rows))

    def _card(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        seconds = {row["inputs_hash"]: row["seconds"] for row in rows}
        return {
            **dataset.describe(rows),
            "made": {
                "command": self.command,
                "sittings": [*self._sittings, *self._this_sitting()],
                "planned_systems": len(self.plan) + len({row["system"] for row in self._kept}),
                "complete": len(self._rows) + len(self.failed) == len(self.plan),
                "failed": {str(number): reason for number, reason in sorted(self.failed.items())},
                "simulation_hours": round(sum(seconds.values()) / 3600, 3),
                "simulated_ns": round(
                    sum({row["inputs_hash"]: row["simulated_ns"] for row in rows}.values()), 3
                ),
                "versions": {
                    "nanoconf": __version__,
                    "python": platform.python_version(),
                    "numpy": np.__version__,
                },
            },
        }

    def _this_sitting(self) -> list[dict[str, str]]:
        return [{"started": self._began, "saved": now()}] if self._began else []


def report(sweep: Sweep) -> int:
    """Say how a sweep ended; returns the exit status."""
    done = len(sweep.plan) - len(sweep.failed)
    print(f"{done} of {len(sweep.plan)} systems in {sweep.folder}")
    for number, reason in sorted(sweep.failed.items()):
        print(f"system {number} failed {TRIES} times: {reason}", file=sys.stderr)
    return 1 if sweep.failed else 0
