"""Plans of sweeps: the systems and the settings of their simulations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.inputs import SYSTEM, InvalidInput
from backend.runs.archive import inputs_hash
from backend.settings import SETTINGS, RunSettings
from backend.system import SlitSystem
from nanoconf.data.parsing import in_row, parsed, system_of, table

TRIES = 3
"""Number of seeds that are tried before a system counts as failed."""

PAPER_RANGES = {
    "confinement_length": (3.0, 4.0),
    "salt_concentration": (0.3, 0.9),
    "positive_diameter": (0.5, 0.75),
}
"""Ranges of the paper's dataset (nm, M, nm). The valencies are z₊ = 1, 2, 3 and z₋ = −1."""

POSITIVE_VALENCIES = (1, 2, 3)

VARIED_VALENCIES = tuple(itertools.product(POSITIVE_VALENCIES, (-1, -2)))
"""Pairs (z₊, z₋) of `varied_plan`."""

VARIED_RANGES = PAPER_RANGES | {
    "temperature": (278.0, 358.0),
    "relative_permittivity": (60.0, 90.0),
    "diameter_ratio": (0.7, 1.4),
}
"""Ranges of `varied_plan`: those of the paper, T (K), relative permittivity and d₋/d₊."""

PAPER_GRID: dict[str, tuple[Any, ...]] = {
    "confinement_length": tuple(round(3.0 + 0.1 * i, 1) for i in range(11)),
    "positive_valency": POSITIVE_VALENCIES,
    "salt_concentration": tuple(round(0.3 + 0.05 * i, 2) for i in range(13)),
    "positive_diameter": (0.5, 0.55, 0.553, 0.6, 0.65, 0.7, 0.714, 0.75),
}
"""Inputs of the 3,432 systems of the paper's dataset."""

DIGITS = 4
"""Number of decimal places of random inputs."""


@dataclass(frozen=True)
class Item:
    """One system of a plan and the settings of its simulation.

    Attributes
    ----------
    number : int
        Number of the system within the plan.
    system : SlitSystem
        System to simulate.
    settings : RunSettings
        Settings of the first attempt.
    """

    number: int
    system: SlitSystem
    settings: RunSettings

    def try_settings(self, attempt: int) -> RunSettings:
        """Return the settings of an attempt, counted from 0. Each attempt has a different seed."""
        return replace(self.settings, seed=self.settings.seed + attempt * 1_000_003)

    def hashes(self) -> list[str]:
        """Return the `inputs_hash` of every attempt."""
        return [inputs_hash(self.system, self.try_settings(i)) for i in range(TRIES)]


def random_plan(
    number: int,
    seed: int = 1,
    durations_ns: Sequence[float] = (2.5,),
    **settings: Any,
) -> list[Item]:
    """Plan systems spread evenly over the paper's ranges.

    Each z₊ has a scrambled Sobol sequence in (h, c, d). A longer plan with the same seed begins
    with the shorter one.

    Parameters
    ----------
    number : int
        Number of systems; a third of them for each z₊.
    seed : int
        Seed of the sequences and of the simulations.
    durations_ns : sequence of float
        Production time of each simulation (ns): one value, or one for each z₊ = 1, 2, 3.
    **settings
        Other fields of `RunSettings`.
    """
    points = {
        valency: spread(PAPER_RANGES, number, [seed, valency]) for valency in POSITIVE_VALENCIES
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
    """Plan systems that also vary z₋, temperature, permittivity and d₋/d₊.

    The plan is used to find the inputs that matter. Each pair of valencies has a scrambled Sobol
    sequence in the other inputs, and a sixth of the systems. Points that `SlitSystem` rejects are
    skipped: large ions at high concentrations would fill the slit. A longer plan with the same seed
    begins with the shorter one.

    Parameters
    ----------
    number : int
        Number of systems.
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
    """Return the first systems of a pair of valencies that can be simulated."""
    drawn = number
    while True:
        points = spread(VARIED_RANGES, drawn, [seed, positive, -negative])
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


def spread(
    ranges: dict[str, tuple[float, float]], number: int, seed: list[int]
) -> list[dict[str, Any]]:
    """Draw a scrambled Sobol sequence within the ranges; longer ones begin with shorter ones."""
    from scipy.stats import qmc

    low, high = np.array(list(ranges.values())).T
    sequence = qmc.Sobol(len(low), scramble=True, seed=np.random.default_rng(seed))
    power = math.ceil(math.log2(max(2, number)))
    points = np.round(qmc.scale(sequence.random_base2(power), low, high), DIGITS)
    return [dict(zip(ranges, point, strict=True)) for point in points.tolist()]


def grid_plan(seed: int = 1, durations_ns: Sequence[float] = (2.5,), **settings: Any) -> list[Item]:
    """Plan the systems of the paper's dataset in random order.

    The first systems of the plan are thus spread over the whole grid.

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
    """Plan the systems of a CSV file.

    The columns may be any inputs of `SlitSystem` and any fields of `RunSettings`.

    Parameters
    ----------
    file : Path
        CSV file with a header.
    seed, durations_ns, **settings
        As for `random_plan`, for rows that do not set them.

    Raises
    ------
    InvalidInput
        If the file or a row is invalid. The one-line message gives the row, the column and what is
        allowed.
    """
    items = []
    columns = (*SYSTEM, *SETTINGS)
    for number, row in enumerate(table(file, "plan", columns)):
        try:
            own = {name: parsed(name, row[name]) for name in SETTINGS if row.get(name)}
            system = system_of(row)
            valency, first = system.positive_valency, seed * 1_000_000 + number
            chosen = _settings(durations_ns, valency, first, settings | own)
        except InvalidInput as error:
            raise in_row(error, file, number + 1) from error
        items.append(Item(number, system, chosen))
    return items


def _settings(
    durations_ns: Sequence[Any], valency: int, seed: Any, others: dict[str, Any]
) -> RunSettings:
    if len(durations_ns) not in (1, len(POSITIVE_VALENCIES)):
        raise InvalidInput("duration_ns", list(durations_ns), "must be one time (ns) or three")
    duration = durations_ns[0] if len(durations_ns) == 1 else durations_ns[valency - 1]
    return RunSettings(**{"duration_ns": duration, "seed": seed, "replicas": 1, **others})


def published_plan(
    seed: int = 1, durations_ns: Sequence[float] = (2.5,), **settings: Any
) -> list[Item]:
    """Plan the ten systems shown in the paper; parameters as for `random_plan`."""
    from nanoconf.data.published import KEPT_OUT

    return [
        Item(
            i,
            system,
            _settings(durations_ns, system.positive_valency, seed * 1_000_000 + i, settings),
        )
        for i, system in enumerate(KEPT_OUT)
    ]
