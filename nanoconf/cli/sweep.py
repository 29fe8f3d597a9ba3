"""``nanoconf sweep``."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nanoconf.cli.options import (
    add_cluster,
    add_input,
    add_output,
    add_seed,
    add_settings,
    seed,
)

if TYPE_CHECKING:
    from nanoconf.data.plans import Item

NAME, HELP = "sweep", "simulate many systems"

DESCRIPTION = """\
Simulate many systems, one per core at a time, and collect their profiles in a dataset.

Results already in the archive or the folder are reused, so the same command resumes a sweep that
was stopped. All other runs on this computer take precedence over those of a sweep. With
--engine cuda, hundreds of systems are simulated side by side on a graphics card."""

EXAMPLES = """\
examples:
  nanoconf sweep --random 300 --seed 1 -o data
  nanoconf sweep --random 300 --duration-ns 1.5 2 2.5 -o data      # for z+ = 1, 2, 3
  nanoconf sweep --varied 200 --set target_error=0.02 -o data/inputs
  nanoconf sweep --plan systems.csv --duration-ns 5 -o data
  nanoconf sweep --grid --set target_error=0.007 --duration-ns 20 -o data    # until converged
  nanoconf sweep --grid --engine cuda --set target_error=0.007 --duration-ns 20 -o data

The folder will contain profiles.parquet and card.json. A plan is a CSV file with one system per row
and one column per input to set (confinement_length, positive_valency, salt_concentration, ...);
settings of the run (seed, target_error, ...) may also be columns. data/plans holds plans for slits
of all kinds: see docs/data.md."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    from backend.settings import SETTINGS

    systems = parser.add_mutually_exclusive_group(required=True)
    systems.add_argument(
        "--random", metavar="N", help="N random systems within the paper's parameter ranges"
    )
    systems.add_argument(
        "--varied",
        metavar="N",
        help="N systems in which z-, T, permittivity and d-/d+ also vary",
    )
    systems.add_argument("--grid", action="store_true", help="the paper's grid of 3,432 systems")
    systems.add_argument(
        "--published", action="store_true", help="the ten systems whose profiles the paper shows"
    )
    systems.add_argument(
        "--plan", type=Path, metavar="FILE", help="the systems listed in a CSV file"
    )
    add_seed(parser, "the systems and the runs")
    parser.add_argument(
        "--duration-ns",
        nargs="+",
        default=["2.5"],
        metavar="NS",
        help="production time: one value, or three for z+ = 1, 2, 3 (default: 2.5)",
    )
    add_input(parser, SETTINGS["engine"])
    add_settings(parser)
    parser.add_argument(
        "--add",
        action="store_true",
        help="add to the dataset in the folder instead of replacing it",
    )
    parser.add_argument(
        "--histogram",
        action="store_true",
        help="also store the histogram estimates of the profiles",
    )
    add_cluster(
        parser,
        "simulate on this cluster, as a Slurm job array (without NAME: the first one in the "
        "configuration)",
    )
    add_output(parser, "the dataset")


def execute(options: Namespace) -> int:
    """Simulate the systems that are missing, and write the dataset."""
    from backend.runs.archive import Archive
    from nanoconf.data import export, side_by_side
    from nanoconf.data.sweep import Sweep, report

    plan = _plan(options)
    if options.cluster is None:
        side_by_side.check(plan)
    archive = Archive()
    export.check(options.output)
    archive.prepare()
    archive.check_room()
    export.prepare(options.output)
    sweep = Sweep(
        plan,
        options.output,
        archive,
        command=shlex.join(options.command_line),
        add=options.add,
        histogram=options.histogram,
        cluster=options.cluster,
    )
    sweep.execute()
    return report(sweep)


def _plan(options: Namespace) -> list[Item]:
    """Return the requested systems with the settings of their runs."""
    from backend.cluster.destination import default_engine
    from backend.engines import registry
    from nanoconf.data import plans
    from nanoconf.data.parsing import MAXIMUM_ROWS, parsed, settings_of, whole_number

    first = seed(options)
    durations = [parsed("duration_ns", text) for text in options.duration_ns]
    settings = {**default_engine(options.cluster), **settings_of(options.set)}
    if options.engine is not None:
        settings["engine"] = parsed("engine", options.engine)
    engine = registry.get(str(settings.get("engine", registry.DEFAULT)))
    if options.cluster is not None and engine.many_function:  # each job has one system at a time
        settings.setdefault("replicas", engine.replicas)
    if options.plan is not None:
        return plans.read_plan(options.plan, first, durations, **settings)
    if options.published:
        return plans.published_plan(first, durations, **settings)
    if options.grid:
        return plans.grid_plan(first, durations, **settings)
    if options.varied is not None:
        number = whole_number("varied", options.varied, 1, MAXIMUM_ROWS)
        return plans.varied_plan(number, first, durations, **settings)
    number = whole_number("random", options.random, 1, MAXIMUM_ROWS)
    return plans.random_plan(number, first, durations, **settings)
