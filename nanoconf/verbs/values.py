"""JSON values of profiles and runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from backend.cluster.destination import status_in_words
from backend.runs.run_state import RunState

if TYPE_CHECKING:
    from backend.profiles.density import SlitProfiles
    from backend.runs.run import Run
    from backend.system import SlitSystem
    from nanoconf.verbs.caller import Caller

DIGITS = 8
"""Significant digits of densities, as in the CSV files."""


def profile_values(profiles: SlitProfiles) -> dict[str, Any]:
    """Return both density profiles; both species have the same bins."""
    values: dict[str, Any] = {"z_nm": _numbers(profiles.positive.z)}
    for species, profile in profiles.by_species().items():
        values[species] = {
            "density_M": _numbers(profile.density),
            "error_M": _numbers(profile.error),
        }
    return values


def densities(system: SlitSystem, profiles: SlitProfiles) -> dict[str, dict[str, float | None]]:
    """Return the contact, peak, midplane and mean density (M) of each species."""
    return {
        species: {
            "contact": _number(profile.contact_density(system, species)),
            "peak": _number(profile.peak_density),
            "mid": _number(profile.mid_density),
            "mean": _number(profile.mean_density),
        }
        for species, profile in profiles.by_species().items()
    }


def run_values(caller: Caller, run: Run, waiting: str) -> dict[str, Any]:
    """Return the description of a run, with its progress.

    Parameters
    ----------
    caller : Caller
        Caller of the verb.
    run : Run
        The run.
    waiting : str
        Its place in the queue of this computer, in words; empty if it is not queued there.
    """
    state = run.state
    progress = run.progress() if state.active else None
    values: dict[str, Any] = {
        "id": run.id,
        "state": state,
        "name": run.name,
        "created": run.created,
        "where": run.where,
        "inputs": run.request["system"],
        "settings": run.request["settings"],
        "version": run.version,
        "fraction": progress.fraction if progress else float(state == RunState.DONE),
        "phase": progress.phase if progress else "",
        "seconds_left": progress.seconds_left if progress else None,
        "status": waiting or status_in_words(run),
        "error": run.error,
        "reason": run.reason,
    }
    return finite(values | caller.about(run))


def finite(value: Any) -> Any:
    """Return JSON values with None for numbers that are not finite, which JSON lacks."""
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _numbers(column: Any) -> list[float | None]:
    return [_number(each) for each in column]


def _number(value: float) -> float | None:
    number = float(f"{float(value):.{DIGITS}g}")
    return number if math.isfinite(number) else None
