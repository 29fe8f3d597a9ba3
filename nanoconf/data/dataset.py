"""Datasets of density profiles, which the surrogate is trained on.

A dataset is a folder with ``profiles.parquet``, one row for each system and ion species, and
``card.json``, which describes the data and how they were made. Profiles are symmetric about the
midplane, so a row holds the half from the wall to the midplane: `HALF` values.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.files import read_json, write_json, written_whole
from backend.inputs import SYSTEM, Input, InvalidInput
from backend.profiles.bins import BINS, HALF
from backend.profiles.density import significant
from backend.sampling.result import SimulationResult
from backend.system import SPECIES
from backend.untrusted import Damaged, in_words, read_bytes
from nanoconf.data import parquet

if TYPE_CHECKING:
    import pandas

RESULTS = ("seed", "inputs_hash", "density", "error")
"""Columns, in addition to the inputs, that no row may lack."""

PROFILES = ("density", "error", "histogram", "histogram_error")
"""Columns with one value for each bin; the last two may be null."""

FILE, CARD = "profiles.parquet", "card.json"

LARGEST_FILE = 256_000_000
"""Size of the largest file of profiles that is read (bytes)."""

COUNTED = "negative_ions"
"""Input whose column holds the number of simulated ions, even if the input was not given."""

MOLAR = "M (mol/L)"

OTHER_COLUMNS = {
    "positive_ions": "INTEGER",
    "negative_ions": "INTEGER",
    "box_length": "DOUBLE",
    "bjerrum_length": "DOUBLE",
    "duration_ns": "DOUBLE",
    "target_error": "DOUBLE",
    "simulated_ns": "DOUBLE",
    "converged": "BOOLEAN",
    "equilibration_tau": "DOUBLE",
    "force_to_count": "DOUBLE",
    "force_to_count_error": "DOUBLE",
    "seed": "BIGINT",
    "replicas": "SMALLINT",
    "engine": "VARCHAR",
    "version": "VARCHAR",
    "steps_per_second": "DOUBLE",
    "seconds": "DOUBLE",
    "inputs_hash": "VARCHAR",
    "density": "FLOAT[]",
    "error": "FLOAT[]",
    "histogram": "FLOAT[]",
    "histogram_error": "FLOAT[]",
    "blocks": "INTEGER",
}

OTHER_UNITS = {
    "box_length": "nm",
    "bjerrum_length": "nm",
    "equilibration_tau": "τ of the smaller ion, before sampling",
    "force_to_count": "ratio of the number of ions that the forces imply to the actual one",
    "duration_ns": "ns; with a target error, the maximum",
    "target_error": "relative: the run ended when its median error fell below this value",
    "simulated_ns": "ns of production",
    "density": MOLAR,
    "error": f"{MOLAR}, standard error of the mean from block averages",
    "histogram": f"{MOLAR}, histogram estimate; null if it was not stored",
    "histogram_error": f"{MOLAR}, standard error of the mean from `blocks` block averages",
}


# --- columns --------------------------------------------------------------------------------


def columns() -> dict[str, str]:
    """Return the SQL type of each column, in order: inputs of the system, then results."""
    of_inputs = {each.name: _type(each) for each in _inputs()}
    return {"system": "INTEGER", "species": "VARCHAR", **of_inputs, **OTHER_COLUMNS}


def units() -> dict[str, str]:
    """Return the unit of each column that has one."""
    of_inputs = {each.name: each.unit for each in _inputs() if each.unit}
    return {name: MOLAR if unit == "M" else unit for name, unit in of_inputs.items()} | OTHER_UNITS


def _required() -> tuple[str, ...]:
    """Return the columns that no row may lack."""
    return ("system", "species", *(each.name for each in _inputs()), *RESULTS)


def _inputs() -> list[Input]:
    return [each for each in SYSTEM.values() if each.name != COUNTED]


def _type(each: Input) -> str:
    if each.choices:
        return "VARCHAR"
    return "TINYINT" if each.whole else "DOUBLE"


# --- reading --------------------------------------------------------------------------------


def load(folder: str | Path) -> pandas.DataFrame:
    """Load the rows of a dataset, one for each system and species, as a table.

    It needs pandas, which ``nanoconf[train]`` installs.

    Parameters
    ----------
    folder : path
        Folder with ``profiles.parquet``.

    Returns
    -------
    pandas.DataFrame
        The columns are those of `columns`; each cell of `PROFILES` is an ndarray, shape (150,).

    Raises
    ------
    InvalidInput
        If the folder holds no dataset, or a damaged one.
    """
    import pandas

    return pandas.DataFrame(read_rows(Path(folder)))


def load_card(folder: str | Path) -> dict[str, Any]:
    """Load the card of a dataset.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is damaged.
    """
    try:
        card = read_json(Path(folder) / CARD)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(card, dict):
        raise ValueError("it is not a JSON object")
    return card


def bin_centres(confinement_length: float) -> np.ndarray:
    """Return the centres of the bins (nm), shape (150,), from −h/2 to 0."""
    return confinement_length * ((np.arange(HALF) + 0.5) / BINS - 0.5)


def read_rows(folder: Path, *, verify: bool = True) -> list[dict[str, Any]]:
    """Load the rows of a dataset as dictionaries.

    Parameters
    ----------
    folder : Path
        Folder with ``profiles.parquet``.
    verify : bool
        Verify the checksum in the card. It is wrong if a sweep was killed between writing the
        profiles and the card.

    Raises
    ------
    InvalidInput
        If the folder holds no dataset, or a damaged one.
    """
    content = read_file(folder)
    if verify:
        _verify(folder, content)
    path = (folder / FILE).absolute()
    try:
        rows = parquet.read(path, columns(), _required())
    except (OSError, ValueError) as error:
        raise _damaged(folder, str(error).replace(str(path), FILE)) from error
    for number, row in enumerate(rows, 1):
        _check_row(folder, number, row)
    return rows


def read_file(folder: Path) -> bytes:
    """Return the contents of ``profiles.parquet``; raise `InvalidInput` if it cannot be read."""
    try:
        return read_bytes(folder / FILE, LARGEST_FILE)
    except (OSError, Damaged) as error:
        problem = f"holds no dataset ({FILE} {in_words(error)})"
        raise InvalidInput("data", str(folder), problem) from error


def _verify(folder: Path, content: bytes) -> None:
    """Verify the checksum of the profiles, if there is a card with one."""
    try:
        expected = load_card(folder).get("sha256", {})
        expected = expected[FILE] if expected else ""
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        problem = f"{CARD} is damaged ({reason}); restore it, or remove it to use {FILE} unverified"
        raise InvalidInput("data", str(folder), problem) from error
    if expected and hashlib.sha256(content).hexdigest() != expected:
        raise _damaged(folder, f"its SHA-256 checksum differs from that in {CARD}")


def _damaged(folder: Path, reason: object) -> InvalidInput:
    text = f"{FILE} is damaged ({' '.join(str(reason).split())}); "
    text += "restore it from a copy, or remove it and repeat the sweep, which reuses stored runs"
    return InvalidInput("data", str(folder), text)


def _check_row(folder: Path, number: int, row: dict[str, Any]) -> None:
    """Check that a row holds a system, a seed, and finite profiles of the right length."""
    empty = [name for name in _required() if _is_missing(row[name])]
    if empty:
        raise _damaged(folder, f"row {number} lacks {', '.join(empty)}")
    for name in ("density", "error"):
        if row[name].shape != (HALF,) or not np.isfinite(row[name]).all():
            raise _damaged(folder, f"row {number}: {name} must hold {HALF} finite numbers")


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


# --- writing --------------------------------------------------------------------------------


def rows_of(
    result: SimulationResult, *, number: int, inputs_hash: str, histogram: bool = False
) -> list[dict[str, Any]]:
    """Return the two rows of a simulation.

    Parameters
    ----------
    result : SimulationResult
        Result of the simulation.
    number : int
        Number of the system within the dataset.
    inputs_hash : str
        From `backend.runs.archive.inputs_hash`.
    histogram : bool
        Also store the histogram estimates.
    """
    system, settings = result.system, result.settings
    positive_ions, negative_ions = system.counts
    summary, timings = result.summary, result.summary.timings
    checks, equilibration = summary.checks, summary.equilibration
    common = {
        "system": number,
        **system.to_dict(),
        "positive_ions": positive_ions,
        "negative_ions": negative_ions,
        "box_length": system.box_length,
        "bjerrum_length": system.bjerrum_length,
        "duration_ns": settings.duration_ns,
        "target_error": settings.target_error,
        "simulated_ns": summary.simulated_ns,
        "converged": summary.converged,
        "equilibration_tau": equilibration.duration_tau if equilibration else None,
        "seed": settings.seed,
        "replicas": settings.replicas,
        "engine": settings.engine,
        "version": summary.versions["nanoconf"],
        "steps_per_second": timings.steps_per_second if timings else None,
        "seconds": timings.seconds if timings else None,
        "inputs_hash": inputs_hash,
    }
    return [
        {
            **common,
            "species": species,
            "density": _half(getattr(result, species).density),
            "error": _half(getattr(result, species).error),
            "force_to_count": checks.force_to_count_ratio[species] if checks else None,
            "force_to_count_error": checks.force_to_count_ratio_error[species] if checks else None,
            **(_histogram(result, species) if histogram else {}),
        }
        for species in SPECIES
    ]


def _histogram(result: SimulationResult, species: str) -> dict[str, Any]:
    if result.histogram is None or result.residuals is None:
        return {}
    counted = result.histogram.by_species()[species]
    return {
        "histogram": _half(counted.density),
        "histogram_error": _half(counted.error),
        "blocks": len(result.residuals.left),
    }


def _half(values: np.ndarray) -> np.ndarray:
    return ((values[:HALF] + values[::-1][:HALF]) / 2).astype(np.float32)


def save(folder: Path, rows: Sequence[dict[str, Any]], card: dict[str, Any]) -> None:
    """Write a dataset atomically; the card, with the hash of the profiles, is written last."""
    ordered = sorted(rows, key=lambda row: (row["system"], SPECIES.index(row["species"])))
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / FILE) as stream:
        parquet.write(Path(stream.name), columns(), ordered)
        checksum = hashlib.sha256(Path(stream.name).read_bytes()).hexdigest()
    write_json(folder / CARD, {**card, "sha256": {FILE: checksum}})


def describe(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Describe the rows for the card: size, units, bins, ranges and errors."""
    return {
        "what": "Density profiles of ions between two walls from molecular dynamics, one row for "
        "each system and ion species.",
        "systems": len({row["system"] for row in rows}),
        "rows": len(rows),
        "units": units(),
        "bins": {
            "count": HALF,
            "where": "uniform from the wall to the midplane: "
            f"z = h ((i + 1/2) / {BINS} − 1/2), i = 0 … {HALF - 1}; profiles are symmetric "
            "about z = 0",
        },
        "ranges": {
            name: [min(row[name] for row in rows), max(row[name] for row in rows)]
            for name in (*(each.name for each in _inputs() if not each.choices), "simulated_ns")
        }
        if rows
        else {},
        "choices": {
            each.name: dict(sorted(Counter(row[each.name] for row in rows).items()))
            for each in _inputs()
            if each.choices
        },
        "converged_rows": sum(row["converged"] for row in rows),
        "relative_error": {
            "of": "standard error / density, over bins with at least 5 % of the profile's maximum",
            **error_statistics(rows),
        },
    }


def error_statistics(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the median relative error over all bins and that of the worst system.

    Errors are grouped by species and z₊. Bins below 5 % of the maximum of a profile are ignored.
    """
    groups: dict[str, list[np.ndarray]] = {}
    for row in rows:
        density, error = row["density"], row["error"]
        kept = significant(density)
        name = f"{row['species']}, z₊ = {row['positive_valency']}"
        groups.setdefault(name, []).append(error[kept] / density[kept])
    return {
        name: {
            "median": round(float(np.median(np.concatenate(errors))), 5),
            "worst_system_median": round(max(float(np.median(e)) for e in errors), 5),
        }
        for name, errors in sorted(groups.items())
    }
