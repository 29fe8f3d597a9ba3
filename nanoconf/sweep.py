"""Many simulations, one after the other, into one dataset."""

from __future__ import annotations

import hashlib
import itertools
import math
import platform
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from backend import __version__, local
from backend.archive import Archive, inputs_hash
from backend.keeper import REELECTION_SECONDS, ensure_keeper
from backend.locks import Lock
from backend.run import DONE, FAILED, DamagedRun, Run, now
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from nanoconf import dataset
from nanoconf.typed import SYSTEM_INPUTS, in_row, parsed, system_of, table

PAPER_RANGES = {
    "confinement_length": (3.0, 4.0),
    "salt_concentration": (0.3, 0.9),
    "positive_diameter": (0.5, 0.75),
}
"""Ranges of the paper's data set (nm, M, nm); besides, z₊ = 1, 2, 3 and z₋ = −1."""

POSITIVE_VALENCIES = (1, 2, 3)

VARIED_VALENCIES = tuple(itertools.product(POSITIVE_VALENCIES, (-1, -2)))
"""Pairs (z₊, z₋) of `varied_plan`."""

VARIED_RANGES = PAPER_RANGES | {
    "temperature": (278.0, 358.0),
    "relative_permittivity": (60.0, 90.0),
    "diameter_ratio": (0.7, 1.4),
}
"""Ranges of `varied_plan`: besides the paper's, T (K), relative permittivity and d₋/d₊."""

PAPER_GRID: dict[str, tuple[Any, ...]] = {
    "confinement_length": tuple(round(3.0 + 0.1 * i, 1) for i in range(11)),
    "positive_valency": POSITIVE_VALENCIES,
    "salt_concentration": tuple(round(0.3 + 0.05 * i, 2) for i in range(13)),
    "positive_diameter": (0.5, 0.55, 0.553, 0.6, 0.65, 0.7, 0.714, 0.75),
}
"""The 3,432 systems of the paper's data set."""
DIGITS = 4

TRIES = 3
SAVE_SECONDS = 120.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Item:
    """One system of a plan, and how it is simulated.

    Parameters
    ----------
    number : int
        Its number within the plan.
    system : SlitSystem
        What is simulated.
    settings : RunSettings
        How, at the first try.
    """

    number: int
    system: SlitSystem
    settings: RunSettings

    def try_settings(self, attempt: int) -> RunSettings:
        """Settings of a try, counted from 0: after a failure, another seed."""
        return replace(self.settings, seed=self.settings.seed + attempt * 1_000_003)

    def hashes(self) -> list[str]:
        """The `inputs_hash` of every try."""
        return [inputs_hash(self.system, self.try_settings(i)) for i in range(TRIES)]


# --- plans ----------------------------------------------------------------------------------


def random_plan(
    number: int,
    seed: int = 1,
    durations_ns: Sequence[float] = (2.5,),
    **settings: Any,
) -> list[Item]:
    """Systems spread evenly over the paper's ranges.

    A scrambled Sobol sequence in (h, c, d) for each z₊. A longer plan with the same seed begins
    with the shorter one.

    Parameters
    ----------
    number : int
        How many systems; every z₊ gets a third of them.
    seed : int
        Seed of the sequences and of the simulations.
    durations_ns : sequence of float
        Length of each simulation (ns): one, or one each for z₊ = 1, 2, 3.
    **settings
        Other `RunSettings`.
    """
    points = {
        valency: _spread(PAPER_RANGES, number, [seed, valency]) for valency in POSITIVE_VALENCIES
    }
    items = []
    for i in range(number):
        turn, index = divmod(i, len(POSITIVE_VALENCIES))
        valency = POSITIVE_VALENCIES[index]
        inputs = points[valency][turn]
        items.append(
            Item(
                i,
                SlitSystem(positive_valency=valency, negative_valency=-1, **inputs),
                _settings(durations_ns, valency, seed * 1_000_000 + i, settings),
            )
        )
    return items


def varied_plan(
    number: int,
    seed: int = 1,
    durations_ns: Sequence[float] = (2.5,),
    **settings: Any,
) -> list[Item]:
    """Systems that also vary z₋, temperature, permittivity and d₋/d₊, to see which inputs matter.

    A scrambled Sobol sequence in the other inputs for each pair of valencies; every pair gets a
    sixth of the systems. Points that `SlitSystem` refuses, where large ions at high concentrations
    would fill the slit, are passed over. A longer plan with the same seed begins with the shorter
    one.

    Parameters
    ----------
    number : int
        How many systems.
    seed, durations_ns, **settings
        As for `random_plan`.
    """
    pairs = len(VARIED_VALENCIES)
    turns = -(-number // pairs)
    systems = [_varied_systems(turns, seed, *pair) for pair in VARIED_VALENCIES]
    items = []
    for i in range(number):
        turn, index = divmod(i, pairs)
        valency = VARIED_VALENCIES[index][0]
        chosen = _settings(durations_ns, valency, seed * 1_000_000 + i, settings)
        items.append(Item(i, systems[index][turn], chosen))
    return items


def _varied_systems(number: int, seed: int, positive: int, negative: int) -> list[SlitSystem]:
    """The first systems of a pair of valencies that can be simulated."""
    drawn = number
    while True:
        points = _spread(VARIED_RANGES, drawn, [seed, positive, -negative])
        systems = [_varied_system(point, positive, negative) for point in points]
        possible = [system for system in systems if system is not None]
        if len(possible) >= number:
            return possible[:number]
        drawn *= 2


def _varied_system(point: dict[str, Any], positive: int, negative: int) -> SlitSystem | None:
    inputs = dict(point)
    diameter = round(inputs.pop("diameter_ratio") * inputs["positive_diameter"], DIGITS)
    try:
        return SlitSystem(
            positive_valency=positive,
            negative_valency=negative,
            negative_diameter=diameter,
            **inputs,
        )
    except InvalidInput:
        return None


def _spread(
    ranges: dict[str, tuple[float, float]], number: int, seed: list[int]
) -> list[dict[str, Any]]:
    """A scrambled Sobol sequence in some ranges; a longer one begins with the shorter one."""
    from scipy.stats import qmc

    low, high = np.array(list(ranges.values())).T
    sequence = qmc.Sobol(len(low), scramble=True, seed=np.random.default_rng(seed))
    power = math.ceil(math.log2(max(2, number)))
    points = np.round(qmc.scale(sequence.random_base2(power), low, high), DIGITS)
    return [dict(zip(ranges, point, strict=True)) for point in points.tolist()]


def grid_plan(seed: int = 1, durations_ns: Sequence[float] = (2.5,), **settings: Any) -> list[Item]:
    """The systems of the paper's data set, in an order in which any part is spread over all of it.

    Parameters
    ----------
    seed : int
        Seed of the order and of the simulations.
    durations_ns, **settings
        As for `random_plan`.
    """
    systems = [
        SlitSystem(negative_valency=-1, **dict(zip(PAPER_GRID, values, strict=True)))
        for values in itertools.product(*PAPER_GRID.values())
    ]
    order = np.random.default_rng(seed).permutation(len(systems))
    return [
        Item(
            i,
            systems[place],
            _settings(
                durations_ns, systems[place].positive_valency, seed * 1_000_000 + i, settings
            ),
        )
        for i, place in enumerate(order.tolist())
    ]


def read_plan(
    file: Path, seed: int = 1, durations_ns: Sequence[float] = (2.5,), **settings: Any
) -> list[Item]:
    """The systems of a CSV file.

    Its columns are inputs of `SlitSystem`, any of them; also ``duration_ns`` and ``seed``.

    Raises
    ------
    InvalidInput
        One line with the row, the column and what is allowed.
    """
    items = []
    columns = (*SYSTEM_INPUTS, "duration_ns", "seed")
    for number, row in enumerate(table(file, "plan", columns)):
        try:
            own = {name: parsed(name, row[name]) for name in columns[-2:] if row.get(name)}
            system = system_of(row)
            chosen = _settings(
                (own["duration_ns"],) if "duration_ns" in own else durations_ns,
                system.positive_valency,
                own.get("seed", seed * 1_000_000 + number),
                settings,
            )
        except InvalidInput as error:
            raise in_row(error, file, number + 1) from error
        items.append(Item(number, system, chosen))
    return items


def _settings(
    durations_ns: Sequence[Any], valency: int, seed: Any, others: dict[str, Any]
) -> RunSettings:
    if len(durations_ns) not in (1, len(POSITIVE_VALENCIES)):
        raise InvalidInput("duration_ns", list(durations_ns), "must be one length (ns), or three")
    duration = durations_ns[0] if len(durations_ns) == 1 else durations_ns[valency - 1]
    return RunSettings(**{"duration_ns": duration, "seed": seed, "replicas": 1, **others})


# --- carrying it out ------------------------------------------------------------------------


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
    failed: dict[int, str] = field(default_factory=dict)
    _rows: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    _kept: list[dict[str, Any]] = field(default_factory=list)
    _active: dict[int, tuple[Item, int, Run]] = field(default_factory=dict)
    _started: str = field(default_factory=now)

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
        saved, kept_alive, changed = time.monotonic(), -math.inf, True
        try:
            while waiting or self._active:
                self._top_up(waiting)
                if time.monotonic() - kept_alive > REELECTION_SECONDS:
                    ensure_keeper(self.archive.home)
                    kept_alive = time.monotonic()
                finished = self._collect()
                if finished:
                    bar.update(finished)
                changed = changed or finished > 0
                if changed and time.monotonic() - saved > SAVE_SECONDS:
                    self.save()
                    saved, changed = time.monotonic(), False
                if not finished:
                    time.sleep(POLL_SECONDS)
        except BaseException:
            self._let_go()
            raise
        finally:
            bar.close()
            self.save()

    def _top_up(self, waiting: deque[Item]) -> None:
        """Keep a few runs queued: enough that no core idles, few enough to stop at any time."""
        while waiting and len(self._active) < 2 * local.cores() + 2:
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
        run = self.archive.submit(
            item.system,
            item.try_settings(attempt),
            name=f"{self.folder.name} {item.number}",
            queue="sweep",
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
            del self._active[number]
            problem = self._take(item, run)
            if problem and run.state in (DONE, FAILED) and attempt + 1 < TRIES:
                self._submit(item, attempt + 1)
                continue
            if problem:
                self.failed[number] = problem
            count += 1
        return count

    def _take(self, item: Item, run: Run) -> str:
        """Add the rows of a finished run; else why not."""
        if run.state != DONE:
            return run.reason
        try:
            result = run.result()
        except DamagedRun as error:
            return str(error)
        verdict = result.summary["convergence"]
        if item.settings.target_error is not None and not verdict["converged"]:
            return "; ".join(verdict["reasons"])
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
                "started": self._started,
                "saved": now(),
                "planned_systems": len(self.plan),
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


def report(sweep: Sweep) -> int:
    """Say how a sweep ended; returns the exit status."""
    done = len(sweep.plan) - len(sweep.failed)
    print(f"{done} of {len(sweep.plan)} systems in {sweep.folder}")
    for number, reason in sorted(sweep.failed.items()):
        print(f"system {number} failed {TRIES} times: {reason}", file=sys.stderr)
    return 1 if sweep.failed else 0
