"""``nanoconf runs``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nanoconf.cli.options import add_json, add_output, print_json

if TYPE_CHECKING:
    from backend.runs.archive import Archive, DamagedFolder
    from backend.runs.run import Run

NAME, HELP = "runs", "list simulations; show, cancel or remove one"

DESCRIPTION = """\
List the runs in the archive (NANOCONF_HOME), newest first, or show, cancel or remove individual
runs."""

EXAMPLES = """\
examples:
  nanoconf runs                     print a table
  nanoconf runs --json              print JSON
  nanoconf runs show 3f2a           print everything about the run whose ID begins with 3f2a
  nanoconf runs show 3f2a -o DIR    also write its files to a folder
  nanoconf runs cancel 3f2a 77b0
  nanoconf runs remove 3f2a"""

COLUMNS = ("ID", "STATE", "CREATED (UTC)", "SYSTEM", "NS", "NAME OR REASON")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "show", "cancel", "remove"),
        help="default: list",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="run IDs or unique prefixes")
    add_json(parser)
    parser.add_argument("--newest", metavar="N", help="list only the N newest runs")
    add_output(parser, "the files of the run that is shown", required=False)


def execute(options: Namespace) -> int:
    """Carry out the action on each of the given runs."""
    from backend.runs.archive import Archive
    from backend.system import InvalidInput

    archive = Archive()
    if options.action == "list":
        if options.ids:
            raise InvalidInput("runs", options.ids[0], "must be list, show, cancel or remove")
        _list(archive, options)
        return 0
    if not options.ids:
        raise InvalidInput("id", "", "is missing: `nanoconf runs` lists the runs")
    action = {"show": _show, "cancel": _cancel, "remove": _remove}[options.action]
    return max([action(run, options) for run in [archive.get(id_) for id_ in options.ids]])


# --- list -----------------------------------------------------------------------------------


def _list(archive: Archive, options: Namespace) -> None:
    from nanoconf.tables import aligned

    found, damaged = archive.runs()[: _newest(options)], archive.damaged()
    if options.json:
        print_json([*map(as_json, found), *map(_damaged_as_json, damaged)])
        return
    if found:
        waiting = _waiting(archive, found)
        rows = [_row(run, waiting.get(run.id, "")) for run in found]
        print(aligned([COLUMNS, *rows], left=len(COLUMNS)))
    else:
        print(f"no runs in {archive.home}")
    for folder in damaged:
        print(f"damaged, ignored: {folder.path}: {folder.reason}")


def _newest(options: Namespace) -> int | None:
    """Return the number of runs to list; None for all."""
    from nanoconf.data.parsing import whole_number

    return None if options.newest is None else whole_number("newest", options.newest, 1, 10**9)


def as_json(run: Run) -> dict[str, Any]:
    """A run as JSON values."""
    from nanoconf.data import export

    values = export.describe(run)
    values["inputs"] = values.pop("system")
    progress = run.progress() if values["state"].active else None
    values["fraction"] = progress.fraction if progress else None
    values["cluster"] = run.cluster_status()
    if damage := run.damage():
        values["damage"] = damage
    return values


def _damaged_as_json(folder: DamagedFolder) -> dict[str, Any]:
    """A damaged folder as JSON values, with the keys of a run."""
    from backend.runs.run import DAMAGED
    from backend.runs.run_state import RunState

    values: dict[str, Any] = dict.fromkeys(
        ("name", "owner", "created", "queue", "where", "version", "inputs_hash"), ""
    )
    values |= dict.fromkeys(("host", "engine", "seed", "fraction"))
    values |= {key: {} for key in ("inputs", "settings", "cluster")}
    return values | {
        "id": folder.id,
        "state": RunState.FAILED,
        "error": DAMAGED,
        "reason": folder.reason,
        "damage": folder.reason,
        "folder": str(folder.path),
    }


def _waiting(archive: Archive, found: list[Run]) -> dict[str, str]:
    """Return the place of each run that is queued on this computer, by ID."""
    from backend.keeper.open_runs import waits
    from backend.runs.run import LOCAL
    from backend.runs.run_state import RunState

    if not any(run.where == LOCAL and run.state == RunState.QUEUED for run in found):
        return {}
    return {wait.run.id: f"waiting: {wait.in_words()}" for wait in waits(archive)}


def _row(run: Run, waiting: str) -> list[str]:
    from backend.runs.run_state import RunState

    state = run.state
    progress = run.progress() if state == RunState.RUNNING else None
    return [
        run.id[:8],
        f"{state} {progress.fraction:.0%}" if progress else state,
        run.created[:16].replace("T", " "),
        _system_in_words(run.system.to_dict()),
        _length(run),
        _reason(run) or (_place(run, waiting) if not run.finished else "") or run.name,
    ]


def _place(run: Run, waiting: str) -> str:
    """Status on a cluster, or the position in the queue of this computer and the name."""
    from backend.cluster.destination import status_in_words

    return status_in_words(run) or ", ".join(filter(None, (waiting, run.name)))


def _reason(run: Run) -> str:
    """Reason for a failure, cancellation or damage; otherwise empty."""
    damage = run.damage()
    return f"damaged, {run.folder}: {damage}" if damage else run.reason


def _length(run: Run) -> str:
    """Length in ns: the simulated one if there is a result, else the requested one."""
    if run.simulated_ns is not None:
        return f"{float(f'{run.simulated_ns:.3g}'):g}"
    return f"{run.settings.duration_ns:g}"


def _system_in_words(system: Mapping[str, Any]) -> str:
    """Return a system in words, like ``h 3.0  1:-1  c 0.5  d 0.714``."""
    words = (
        f"h {system['confinement_length']:g}  "
        f"{system['positive_valency']}:{system['negative_valency']}  "
        f"c {system['salt_concentration']:g}  d {system['positive_diameter']:g}"
    )
    if system.get("negative_diameter") != system["positive_diameter"]:
        words += f"/{system['negative_diameter']:g}"
    if system.get("surface_charge_density"):
        words += f"  σ {system['surface_charge_density']:g}"
    return words


# --- show, cancel, remove -------------------------------------------------------------------


def _show(run: Run, options: Namespace) -> int:
    from backend.runs.run_state import RunState
    from nanoconf.data import export

    if options.output is not None:
        export.prepare(options.output)
        export.write_run(options.output, run)
    values = as_json(run)
    if run.state == RunState.DONE:
        values["summary"] = run.result().summary.to_dict()
    if options.json:
        print_json(values)
        return 0
    for name, value in values.items():
        if value not in (None, ""):
            print(f"{name}: {json.dumps(value) if isinstance(value, dict) else value}")
    print("log:", *run.log_tail(20), sep="\n  ")
    return 0


def _cancel(run: Run, options: Namespace) -> int:
    from backend.runs.run_state import RunState

    run.cancel()
    state = run.wait(timeout=5.0)
    if state == RunState.CANCELLED:
        print(f"{run.id}: cancelled")
        return 0
    print(
        f"{run.id}: {state}" + (", cannot be cancelled" if run.finished else ", not cancelled yet")
    )
    return 0 if state in (RunState.DONE, RunState.FAILED) else 1


def _remove(run: Run, options: Namespace) -> int:
    from backend.runs.run import DamagedRun

    try:
        run.remove()
    except DamagedRun as error:
        print(f"nanoconf: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        line = f"run {run.id} cannot be removed ({error}): delete {run.folder}"
        print(f"nanoconf: {line}", file=sys.stderr)
        return 1
    print(f"{run.id}: removed")
    return 0
