"""What the verbs of the command line do: each a thin call into the library."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.cluster.destination import default_engine, destination, status_in_words
from backend.inputs import SYSTEM
from backend.runs.archive import Archive
from backend.runs.run import DamagedRun, Run
from backend.runs.state import RunState
from backend.sampling.result import SimulationResult
from backend.sampling.trajectory import check_snapshots
from backend.settings import SETTINGS, RunSettings, duration_of_steps
from backend.system import SPECIES, InvalidInput, SlitSystem
from nanoconf.data import export as output
from nanoconf.data.parsing import (
    MAXIMUM_ROWS,
    in_row,
    parsed,
    settings_of,
    system_of,
    table,
    whole_number,
)

LONGEST_NS = 50.0
"""The most that a run with a target error simulates unless told otherwise."""

# --- simulate -------------------------------------------------------------------------------


def simulate(options: argparse.Namespace) -> int:
    """``nanoconf simulate``."""
    from backend.runs.keeper import ensure_keeper
    from nanoconf.api import wait_for

    system = system_of(vars(options))
    settings = run_settings(options, system)
    place = _destination(options, system, settings)
    archive = Archive()
    archive.prepare()
    output.prepare(options.output)
    run = archive.submit(system, settings, name=options.name, reuse=not options.again, **place)
    ensure_keeper(archive.home)
    try:
        wait_for(run)
    except KeyboardInterrupt:
        output.write_run(options.output, run)
        if run.state != RunState.CANCELLED:
            print(f"nanoconf: run {run.id} goes on; others wait for it", file=sys.stderr)
            return 1
        raise
    output.write_run(options.output, run)
    result = run.result()
    _print_densities(result)
    _print_verdict(result)
    print(f"profiles in {options.output}")
    return 0


def _destination(
    options: argparse.Namespace, system: SlitSystem, settings: RunSettings
) -> dict[str, Any]:
    """Where the run goes: here, or to the cluster that was typed."""
    asked = {
        word: whole_number(option, getattr(options, option), 1, 10**6)
        for word, option in (("cores", "cores"), ("minutes", "walltime"))
        if getattr(options, option) is not None
    }
    if asked and options.cluster is None:
        word = "cores" if options.cores is not None else "walltime"
        raise InvalidInput(word, getattr(options, word), "is for --cluster only")
    return destination(options.cluster, system, settings, **asked)


def _print_densities(result: SimulationResult) -> None:
    values, errors = result.summary["densities_M"], result.summary["density_errors_M"]
    for species in SPECIES:
        contact, peak, middle = (
            f"{values[species][name]:.3f} ± {errors[species][name]:.3f} M"
            for name in ("contact", "peak", "mid")
        )
        print(f"{species} ions: contact {contact}, peak {peak}, middle {middle}")


def _print_verdict(result: SimulationResult) -> None:
    verdict = result.summary["convergence"]
    error = f"median error of the profiles: {verdict['median_relative_error']:.2%}"
    if verdict["converged"]:
        print(f"{error}; converged")
        return
    print(f"{error}; not converged: {'; '.join(verdict['reasons'])}")
    if verdict["times_longer"] > 1:
        times = math.ceil(10 * verdict["times_longer"]) / 10
        print(f"a run {times:g} times as long would reach the target")


def run_settings(options: argparse.Namespace, system: SlitSystem) -> RunSettings:
    """The settings that were typed for a run of a system."""
    chosen = {
        name: parsed(name, getattr(options, name))
        for name in SETTINGS
        if getattr(options, name, None) is not None
    }
    if "engine" not in chosen:
        chosen |= default_engine(getattr(options, "cluster", None))
    if "target_error" in chosen:
        chosen.setdefault("duration_ns", LONGEST_NS)
    if options.steps is not None:
        steps = whole_number("steps", options.steps, 1, 10**12)
        chosen["duration_ns"] = duration_of_steps(system, steps)
    settings = RunSettings.from_dict({**chosen, **settings_of(options.set)})
    check_snapshots(system, settings)
    return settings


# --- predict --------------------------------------------------------------------------------


def predict(options: argparse.Namespace) -> int:
    """``nanoconf predict``."""
    if options.batch is not None:
        return _predict_batch(options)
    system = system_of(vars(options))
    with _warnings_as_lines():
        prediction = _surrogate(options).predict(system, options.extrapolate)
    output.prepare(options.output)
    output.write_files(options.output, prediction.files())
    print(f"profiles in {options.output}")
    return 0


def _predict_batch(options: argparse.Namespace) -> int:
    given = [name for name in SYSTEM if getattr(options, name, None) is not None]
    if given:
        raise InvalidInput(given[0], getattr(options, given[0]), "goes into the --batch file")
    systems = systems_of(options.batch)
    surrogate = _surrogate(options)
    with _warnings_as_lines():
        for row, system in enumerate(systems, 1):
            try:
                surrogate.learnt.check(system, options.extrapolate)
            except InvalidInput as error:
                raise in_row(error, options.batch, row) from error
        predictions = surrogate.predict_many(systems, options.extrapolate)
    output.prepare(options.output)
    for row, prediction in enumerate(predictions, 1):
        folder = options.output / f"row_{row}"
        folder.mkdir(exist_ok=True)
        output.write_files(folder, prediction.files())
    print(f"profiles of {len(systems)} systems in {options.output}")
    return 0


def systems_of(file: Path) -> list[SlitSystem]:
    """The systems of a CSV file, whose columns are inputs of `SlitSystem`."""
    systems = []
    for number, row in enumerate(table(file, "batch", SYSTEM), 1):
        try:
            systems.append(system_of(row))
        except InvalidInput as error:
            raise in_row(error, file, number) from error
    return systems


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print warnings as what they say, each once, instead of with the line of code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"warning: {text}", file=sys.stderr)


def _surrogate(options: argparse.Namespace) -> Any:
    from nanoconf.surrogate import Surrogate

    return Surrogate.load(options.model, runtime=options.runtime)


# --- sweep, train, evaluate -----------------------------------------------------------------


def sweep(options: argparse.Namespace) -> int:
    """``nanoconf sweep``."""
    from nanoconf.data import plans
    from nanoconf.data.sweep import Sweep, report

    seed = whole_number("seed", options.seed, 0, 2**31)
    durations = [parsed("duration_ns", text) for text in options.duration_ns]
    settings = {**default_engine(options.cluster), **settings_of(options.set)}
    if options.plan is not None:
        plan = plans.read_plan(options.plan, seed, durations, **settings)
    elif options.published:
        plan = plans.published_plan(seed, durations, **settings)
    elif options.grid:
        plan = plans.grid_plan(seed, durations, **settings)
    elif options.varied is not None:
        number = whole_number("varied", options.varied, 1, MAXIMUM_ROWS)
        plan = plans.varied_plan(number, seed, durations, **settings)
    else:
        number = whole_number("random", options.random, 1, MAXIMUM_ROWS)
        plan = plans.random_plan(number, seed, durations, **settings)
    archive = Archive()
    archive.prepare()
    output.prepare(options.output)
    work = Sweep(
        plan,
        options.output,
        archive,
        command=shlex.join(options.command_line),
        add=options.add,
        histogram=options.histogram,
        cluster=options.cluster,
    )
    work.execute()
    return report(work)


def train(options: argparse.Namespace) -> int:
    """``nanoconf train``."""
    if options.if_due:
        from nanoconf.surrogate.lifecycle.retraining import train_if_due

        print(train_if_due())
        return 0
    if options.output is None:
        raise InvalidInput("output", "", "where to? give -o DIR")
    from nanoconf.surrogate.training import train as train_model

    chosen: dict[str, Any] = {"seed": whole_number("seed", options.seed, 0, 2**31)}
    if options.epochs is not None:
        chosen["epochs"] = whole_number("epochs", options.epochs, 1, 1_000_000)
    train_model(options.data, options.output, validation_folder=options.validation, **chosen)
    print(f"model in {options.output}")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """``nanoconf evaluate``."""
    from nanoconf.surrogate.evaluation import evaluate as compare
    from nanoconf.surrogate.evaluation import format_report

    metrics = compare(options.model, options.data, options.seen_too)
    print(_json(metrics) if options.json else format_report(metrics))
    return 0


def models(options: argparse.Namespace) -> int:
    """``nanoconf models``."""
    from nanoconf.surrogate.lifecycle.registry import models as found
    from nanoconf.surrogate.lifecycle.registry import promote, roll_back

    if options.action == "promote" and not options.name:
        raise InvalidInput("name", "", "which model to promote? `nanoconf models` lists them")
    if options.action in ("promote", "rollback"):
        model = promote(options.name) if options.action == "promote" else roll_back()
        print(f"{model.name} is the model now")
        return 0
    rows: list[dict[str, Any]] = [
        {
            "name": model.name,
            "current": model.current,
            "source": model.source,
            "folder": str(model.folder),
            "kept_aside": model.kept_aside,
            "card": model.card.to_dict(),
        }
        for model in found()
    ]
    if options.json:
        print(_json(rows))
    elif options.action == "compare":
        _print_table(["", "MODEL", *MODEL_FIGURES], [_figures(row) for row in rows], NO_MODEL)
    else:
        _print_table(
            ["", "MODEL", "CREATED", "FOLDER", "KEPT ASIDE"],
            [
                [
                    "*" if r["current"] else "",
                    r["name"],
                    r["card"].get("created", ""),
                    r["folder"],
                    r["kept_aside"],
                ]
                for r in rows
            ],
            NO_MODEL,
        )
    return 0


NO_MODEL = "no trained model; `nanoconf train` makes one"
MODEL_FIGURES = ("SYSTEMS", "TYPICAL", "WORST", "90 % BAND HOLDS", "DATA")


def _figures(row: dict[str, Any]) -> list[str]:
    """What a model's card says it is worth, on its own validation systems."""
    card = row["card"]
    metrics, data = card.get("metrics", {}), card.get("data", {})
    covered = [metrics[s]["all"]["coverage"]["all"] for s in SPECIES if s in metrics]
    return [
        "*" if row["current"] else "",
        row["name"],
        str(data.get("training", {}).get("systems", "")),
        f"{metrics.get('typical_error', float('nan')):.3%}",
        f"{metrics.get('worst_error', float('nan')):.3%}",
        ", ".join(f"{share:.1%}" for share in covered),
        data.get("training", {}).get("sha256", "")[:12],
    ]


# --- runs -----------------------------------------------------------------------------------


def runs(options: argparse.Namespace) -> int:
    """``nanoconf runs``."""
    archive = Archive()
    if options.action == "list":
        if options.ids:
            raise InvalidInput("runs", options.ids[0], "must be list, show, cancel or remove")
        return _list_runs(archive, options)
    if not options.ids:
        raise InvalidInput("id", "", f"which run to {options.action}? `nanoconf runs` lists them")
    chosen = [archive.get(run_id) for run_id in options.ids]
    status = 0
    for run in chosen:
        status = max(status, _ACTIONS[options.action](run, options))
    return status


def _list_runs(archive: Archive, options: argparse.Namespace) -> int:
    found = archive.runs()[: options.newest]
    if options.json:
        print(_json([as_json(run) for run in found]))
    else:
        _print_table(
            ["ID", "STATE", "CREATED (UTC)", "SYSTEM", "NS", "NAME OR REASON"],
            [_row(run) for run in found],
            f"no runs in {archive.home}",
        )
    return 0


def as_json(run: Run) -> dict[str, Any]:
    """A run as ``nanoconf runs --json`` shows it."""
    values = output.describe(run)
    values["inputs"] = values.pop("system")
    progress = run.progress() if values["state"].active else None
    values["fraction"] = progress.fraction if progress else None
    values["cluster"] = run.cluster_status()
    return values


def _row(run: Run) -> list[str]:
    state = run.state
    progress = run.progress() if state == RunState.RUNNING else None
    return [
        run.id[:8],
        f"{state} {progress.fraction:.0%}" if progress else state,
        run.created[:16].replace("T", " "),
        _system_in_words(run.request["system"]),
        _length(run),
        run.reason or (status_in_words(run) if not run.finished else "") or run.name,
    ]


def _length(run: Run) -> str:
    """Length in ns: the simulated one where there is a result, else the one asked for."""
    simulated = run.simulated_ns
    if simulated is None:
        return f"{run.request['settings'].get('duration_ns', '?'):g}"
    return f"{float(f'{simulated:.3g}'):g}"


def _system_in_words(system: Mapping[str, Any]) -> str:
    """Like ``h 3.0  1:-1  c 0.5  d 0.714``."""
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


def _show(run: Run, options: argparse.Namespace) -> int:
    if options.output is not None:
        output.prepare(options.output)
        output.write_run(options.output, run)
    values = as_json(run)
    if run.state == RunState.DONE:
        values["summary"] = run.result().summary
    if options.json:
        print(_json(values))
        return 0
    for name, value in values.items():
        if value not in (None, ""):
            print(f"{name}: {json.dumps(value) if isinstance(value, dict) else value}")
    print("log:", *run.log_tail(20), sep="\n  ")
    return 0


def _cancel(run: Run, options: argparse.Namespace) -> int:
    run.cancel()
    state = run.wait(timeout=5.0)
    if state == RunState.CANCELLED:
        print(f"{run.id}: cancelled")
        return 0
    print(f"{run.id}: {state}" + (", cannot be cancelled" if run.finished else ", not yet ended"))
    return 0 if state in (RunState.DONE, RunState.FAILED) else 1


def _remove(run: Run, options: argparse.Namespace) -> int:
    try:
        run.remove()
    except DamagedRun as error:
        print(f"nanoconf: {error}", file=sys.stderr)
        return 1
    print(f"{run.id}: removed")
    return 0


_ACTIONS = {"show": _show, "cancel": _cancel, "remove": _remove}


# --- app ------------------------------------------------------------------------------------


def app(options: argparse.Namespace) -> int:
    """``nanoconf app``."""
    from nanoconf.gui.serve import serve

    serve(options.host, options.port, not options.no_browser)
    return 0


# --- printing -------------------------------------------------------------------------------


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _print_table(header: list[str], rows: list[list[str]], if_empty: str) -> None:
    if not rows:
        print(if_empty)
        return
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print(
            "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        )
