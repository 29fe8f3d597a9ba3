"""Simulation from Python: submit a run, wait for it, return the result."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backend.cluster.destination import (
    default_engine,
    destination,
    status_in_words,
    waiting_line,
)
from backend.keeper.election import follow
from backend.runs.archive import Archive, Run
from backend.sampling.result import Progress, SimulationResult
from backend.settings import RunSettings
from backend.system import SlitSystem

SHOW_AFTER_SECONDS = 2.0
BAR = "{desc} {n:.0f} %|{bar}| "


def simulate(
    system: SlitSystem,
    *,
    duration_ns: float = 5.0,
    seed: int = 1,
    progress: bool | None = None,
    reuse: bool = True,
    name: str = "",
    home: str | Path | None = None,
    cluster: str | None = None,
    cores: int | None = None,
    walltime_minutes: int | None = None,
    **settings: Any,
) -> SimulationResult:
    """Simulate a system by molecular dynamics and wait for the result.

    A separate process executes the run, and the archive stores it. The run continues if this
    process dies; the same call attaches to it again. Ctrl-C cancels it.

    Parameters
    ----------
    system : SlitSystem
        System to simulate.
    duration_ns : float
        Production time (ns).
    seed : int
        Random seed.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.
    reuse : bool
        Return the stored result of an identical run if the archive has one.
    name : str
        Label shown in lists of runs.
    home : path, optional
        Folder of the archive; by default `backend.runs.archive.default_home`.
    cluster : str, optional
        Name of the cluster in ``NANOCONF_CLUSTER_CONFIG``; empty for the first one. By default the
        run is local.
    cores, walltime_minutes : int, optional
        Resources of the job on the cluster; estimated by default.
    **settings
        Other fields of `backend.settings.RunSettings`.

    Returns
    -------
    SimulationResult
        Its ``.positive`` and ``.negative`` have ``.z`` (nm), ``.density`` (M) and ``.error`` (M).

    Raises
    ------
    InvalidInput
        If a parameter is invalid. The message gives the parameter, its value and what is allowed.
        No run is started.
    SimulationError
        If the run failed. The message gives the reason.
    Cancelled
        If the run was cancelled.
    """
    wanted = {"duration_ns": duration_ns, "seed": seed, **default_engine(cluster), **settings}
    chosen = RunSettings.from_dict(wanted)
    place = destination(cluster, system, chosen, cores=cores, minutes=walltime_minutes)
    run = Archive(home).submit(system, chosen, name=name, reuse=reuse, **place)
    return wait_for(run, progress=progress).result()


def wait_for(run: Run, *, progress: bool | None = None) -> Run:
    """Show a progress bar until a run ends; Ctrl-C cancels it unless others are waiting for it."""
    report_waiting = waiting_line(progress)
    try:
        with progress_bar(progress) as show:

            def update(found: Progress | None) -> None:
                show(found, status_in_words(run))
                report_waiting(run)

            follow(run, update)
    except KeyboardInterrupt:
        if not run.joined:
            run.cancel()
            run.wait(timeout=3.0)
        raise
    return run


@contextlib.contextmanager
def progress_bar(wanted: bool | None) -> Iterator[Callable[[Progress | None, str], None]]:
    """Show a progress bar after two seconds; by default only on a terminal.

    Yields
    ------
    callable
        Shows the progress of a run and its status on a cluster.
    """
    from tqdm import tqdm

    with tqdm(
        total=100,
        desc="waiting",
        disable=None if wanted is None else not wanted,
        delay=SHOW_AFTER_SECONDS,
        bar_format=BAR,
        dynamic_ncols=True,
        leave=False,
    ) as bar:
        shown: tuple[Progress | None, str] = (None, "")

        def show(progress: Progress | None, on_cluster: str) -> None:
            nonlocal shown
            if (progress, on_cluster) == shown:
                return
            shown = (progress, on_cluster)
            words = [on_cluster] if on_cluster else []
            if progress is not None:
                bar.set_description_str(progress.phase, refresh=False)
                bar.n = 100 * progress.fraction
                words += _in_words(progress)
            bar.bar_format = BAR + ", ".join(words).replace("{", "").replace("}", "")
            bar.update(0)

        yield show


def _in_words(progress: Progress) -> list[str]:
    words = []
    if progress.median_relative_error is not None:
        words.append(f"median error {progress.median_relative_error:.1%}")
    if progress.seconds_left is not None:
        words.append(f"{progress.seconds_left:.0f} s left")
    return words
