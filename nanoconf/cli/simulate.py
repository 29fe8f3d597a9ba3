"""``nanoconf simulate``."""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from nanoconf.cli.options import add_cluster, add_input, add_output, add_settings, add_system

if TYPE_CHECKING:
    from backend.runs.run import Run
    from backend.sampling.result import SimulationResult
    from backend.settings import RunSettings
    from backend.system import SlitSystem

NAME, HELP = "simulate", "simulate a system"

DESCRIPTION = """\
Simulate a system by molecular dynamics and write its density profiles.

A separate process executes the run, and the archive (NANOCONF_HOME) stores it. If this command is
killed, the run continues; repeat the command to reattach to it. A result already in the archive is
returned at once. Ctrl-C cancels the run."""

EXAMPLES = """\
examples:
  nanoconf simulate -o result
  nanoconf simulate -Z 3.2 -p 2 -n -1 -c 0.35 -d 0.65 --duration-ns 10 -o result
  nanoconf simulate -d 0.474 -a 0.627 -i -0.01 --seed 7 -o result

The folder will contain positive_density.csv and negative_density.csv (z_nm, density_M, error_M),
the same profiles as p_density_profile.dat and n_density_profile.dat, and run.json with the inputs
and all other results. --snapshots adds trajectory.xyz and trajectory.lammpstrj (in angstroms)."""

DENSITIES = {"contact": "contact", "peak": "peak", "mid": "midplane"}


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    from backend.settings import SETTINGS

    add_system(parser)
    run = parser.add_argument_group("the simulation")
    length = run.add_mutually_exclusive_group()
    add_input(length, SETTINGS["duration_ns"])
    length.add_argument(
        "-S",
        "--steps",
        metavar="N",
        help="production time in steps of 0.001 tau (tau: the Lennard-Jones time of the smaller "
        "ion), as in the published code",
    )
    for name in ("target_error", "seed", "replicas", "snapshots", "engine"):
        add_input(run, SETTINGS[name])
    add_cluster(
        run,
        "simulate on this cluster (without NAME: the first one in the configuration); "
        "see nanoconf cluster",
    )
    run.add_argument("--cores", metavar="N", help="cores on the cluster (default: one per replica)")
    run.add_argument(
        "--walltime",
        metavar="MINUTES",
        help="time limit on the cluster (default: three times the estimated run time)",
    )
    add_settings(run)
    run.add_argument(
        "--again", action="store_true", help="simulate even if the result is already in the archive"
    )
    run.add_argument("--name", default="", help="label shown in lists of runs")
    add_output(parser, "the profiles")


def execute(options: Namespace) -> int:
    """Simulate, write the files, print the densities."""
    from backend.runs.archive import Archive
    from nanoconf.data import export
    from nanoconf.data.parsing import system_of

    system = system_of(vars(options))
    settings = run_settings(options, system)
    destination = _destination(options, system, settings)
    archive = Archive()
    export.check(options.output)
    run = archive.submit(
        system, settings, name=options.name, reuse=not options.again, **destination
    )
    export.prepare(options.output)
    if not _finished(run, options):
        return 1
    result = run.result()
    _print_densities(result)
    _print_verdict(result)
    print(f"profiles in {options.output}")
    return 0


def _finished(run: Run, options: Namespace) -> bool:
    """Wait for the run and write its files; return False if it continues without this command."""
    from backend.runs.archive import UnusableHome
    from backend.runs.run_state import RunState
    from nanoconf.api import wait_for
    from nanoconf.data import export

    try:
        wait_for(run)
    except UnusableHome as error:
        print(f"nanoconf: run {run.id} is waiting: {error}", file=sys.stderr)
        return False
    except KeyboardInterrupt:
        export.write_run(options.output, run)
        if run.state == RunState.CANCELLED:
            raise
        print(
            f"nanoconf: run {run.id} continues: another process is waiting for it", file=sys.stderr
        )
        return False
    export.write_run(options.output, run)
    return True


def run_settings(options: Namespace, system: SlitSystem) -> RunSettings:
    """Return the settings of a run of a system, from the command line."""
    from backend.cluster.destination import default_engine
    from backend.sampling.trajectory import check_snapshots
    from backend.settings import LONGEST_NS, SETTINGS, RunSettings, duration_of_steps
    from nanoconf.data.parsing import parsed, settings_of, whole_number

    chosen = {
        name: parsed(name, getattr(options, name))
        for name in SETTINGS
        if getattr(options, name, None) is not None
    }
    if "engine" not in chosen:
        chosen |= default_engine(options.cluster)
    if "target_error" in chosen:
        chosen.setdefault("duration_ns", LONGEST_NS)
    if options.steps is not None:
        steps = whole_number("steps", options.steps, 1, 10**12)
        chosen["duration_ns"] = duration_of_steps(system, steps)
    settings = RunSettings.from_dict({**chosen, **settings_of(options.set)})
    check_snapshots(system, settings)
    return settings


def _destination(options: Namespace, system: SlitSystem, settings: RunSettings) -> dict[str, Any]:
    """Return where to run: on this computer or on the given cluster."""
    from backend.cluster.destination import destination
    from backend.system import InvalidInput
    from nanoconf.data.parsing import whole_number

    requested = {
        name: whole_number(option, getattr(options, option), 1, 10**6)
        for name, option in (("cores", "cores"), ("minutes", "walltime"))
        if getattr(options, option) is not None
    }
    if requested and options.cluster is None:
        option = "cores" if options.cores is not None else "walltime"
        raise InvalidInput(option, getattr(options, option), "needs --cluster")
    return destination(options.cluster, system, settings, **requested)


def _print_densities(result: SimulationResult) -> None:
    from backend.system import SPECIES

    values, errors = result.summary.densities_M, result.summary.density_errors_M
    for species in SPECIES:
        densities = (
            f"{word} {values[species][name]:.3f} ± {errors[species][name]:.3f} M"
            for name, word in DENSITIES.items()
        )
        print(f"{species} ions: {', '.join(densities)}")


def _print_verdict(result: SimulationResult) -> None:
    convergence = result.summary.convergence
    if convergence is None:  # a stored result of an earlier version
        return
    error = f"median relative error of the profiles: {convergence.median_relative_error:.2%}"
    if convergence.converged:
        print(f"{error}; converged")
        return
    print(f"{error}; not converged: {'; '.join(convergence.reasons)}")
    if convergence.times_longer > 1:
        times = math.ceil(10 * convergence.times_longer) / 10
        print(f"a run {times:g} times as long would reach the target")
