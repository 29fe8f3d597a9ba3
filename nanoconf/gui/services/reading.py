"""Conversion of a run folder into a `Simulation` for the page."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backend.cluster.destination import status_in_words
from backend.runs.run import DamagedRun
from backend.runs.run_state import RunState
from nanoconf.gui.state import Simulation

if TYPE_CHECKING:
    from backend.runs.archive import Archive
    from backend.runs.run import Run


def read(run: Run, before: Simulation, *, profiles: bool) -> Simulation:
    """Return the simulation as its run folder currently describes it.

    Parameters
    ----------
    run : Run
        The run.
    before : Simulation
        The simulation as it was last read.
    profiles : bool
        True to also read the profiles so far.

    Raises
    ------
    DamagedRun
        If the run has been removed.
    """
    state = run.state
    if state == RunState.DONE:
        return _with_result(run, before)
    if not (run.folder / "run.json").exists():  # without it, any run reads as queued
        raise DamagedRun("it has been removed")
    return _so_far(run, replace(before, state=state), profiles=profiles)


def _with_result(run: Run, before: Simulation) -> Simulation:
    result = run.result()
    return replace(
        before,
        state=RunState.DONE,
        progress=None,
        profiles=result.profiles,
        charge=result.charge,
        result=result,
        files=result_files(run, result),
    )


def _so_far(run: Run, before: Simulation, *, profiles: bool) -> Simulation:
    so_far = run.partial_profiles() if profiles else None
    return replace(
        before,
        reason=run.reason,
        on_cluster=status_in_words(run),
        progress=run.progress() or before.progress,
        profiles=so_far or before.profiles,
        charge=run.partial_charge(so_far) if so_far else before.charge,
    )


def result_files(run: Run, result: Any) -> dict[str, str]:
    """Return the text of each file of a result, by name, as ``nanoconf simulate -o`` writes it."""
    from nanoconf.data.export import describe

    about = {**describe(run), "summary": result.summary.to_dict()}
    return {
        **result.profiles.files(),
        result.charge.FILE: result.charge.to_csv(),
        "run.json": json.dumps(about, indent=1) + "\n",
    }


def trajectory_names(archive: Archive, shown: Simulation | None) -> list[str]:
    """Return the names of the trajectory files of a finished simulation."""
    from backend.sampling.trajectory import FILES

    if shown is None or shown.result is None:
        return []
    folder = archive.folder / shown.run_id
    return [name for name in FILES if (folder / name).is_file()]
