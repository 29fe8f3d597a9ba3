"""Simulating from Python: submit, wait, get the result."""

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
from backend.runs.archive import Archive, Run
from backend.runs.keeper import follow
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
    """Simulate a system by molecular dynamics, and wait for the result.

    The run goes to the archive and is executed by a process of its own: it goes on when this one
    dies, and asking for it again joins it. Ctrl-C cancels it.

    Parameters
    ----------
    system : SlitSystem
        What is simulated.
    duration_ns : float
        Production time (ns).
    seed : int
        Seed of all random numbers.
    progress : bool, optional
        Show a progress bar; where it is left out, on a terminal.
    reuse : bool
        Return the result of an equal run where the archive has one.
    name : str
        A name for the run, for people.
    home : path, optional
        Folder of the archive; `backend.runs.archive.default_home` where it is left out.
    cluster : str, optional
        The cluster to run on, by its name in ``NANOCONF_CLUSTER_CONFIG``; empty is the first.
    cores, walltime_minutes : int, optional
        What to ask of the cluster; estimated where they are left out.
    **settings
        Other `backend.settings.RunSettings`.

    Returns
    -------
    SimulationResult
        With ``.positive`` and ``.negative``: ``.z`` (nm), ``.density`` (M), ``.error`` (M).

    Raises
    ------
    InvalidInput
        One line with the parameter, its value and what is allowed; nothing was started.
    SimulationError
        The run failed; the message says why.
    Cancelled
        Somebody cancelled the run.
    """
    wanted = {"duration_ns": duration_ns, "seed": seed, **default_engine(cluster), **settings}
    chosen = RunSettings.from_dict(wanted)
    place = destination(cluster, system, chosen, cores=cores, minutes=walltime_minutes)
    run = Archive(home).submit(system, chosen, name=name, reuse=reuse, **place)
    return wait_for(run, progress=progress).result()


def wait_for(run: Run, *, progress: bool | None = None) -> Run:
    """Wait for the end of a run behind a progress bar; Ctrl-C cancels it, unless it was joined."""
    say_waiting = waiting_line(progress)
    try:
        with progress_bar(progress) as show:

            def tell(found: Progress | None) -> None:
                show(found, status_in_words(run))
                say_waiting(run)

            follow(run, tell)
    except KeyboardInterrupt:
        if not run.joined:
            run.cancel()
            run.wait(timeout=3.0)
        raise
    return run


@contextlib.contextmanager
def progress_bar(wanted: bool | None) -> Iterator[Callable[[Progress | None, str], None]]:
    """A progress bar for what takes longer than two seconds; on a terminal, unless told."""
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
        shown: list[tuple[Progress | None, str]] = [(None, "")]

        def show(progress: Progress | None, on_cluster: str) -> None:
            if (progress, on_cluster) == shown[-1]:
                return
            shown.append((progress, on_cluster))
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
        words.append(f"converged to {progress.median_relative_error:.1%}")
    if progress.seconds_left is not None:
        words.append(f"{progress.seconds_left:.0f} s left")
    return words
