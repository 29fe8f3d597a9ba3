"""The command line: ``nanoconf …``.

The options live here; `nanoconf.cli.commands` executes them. It is loaded when a verb is called, so
that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from backend import __version__
from backend.settings import SETTINGS
from nanoconf.cli import cluster, compare, paper, select_inputs, uncertainty
from nanoconf.cli.options import add_data, add_input, add_output, add_seed, add_system

DONE, FAILED, BAD_INPUT = 0, 1, 2

DESCRIPTION = """\
How ions arrange between two walls: by molecular dynamics, and at once by a neural network.

Lengths are in nm, concentrations in mol/L (M), charges in elementary charges, times in ns."""

EXAMPLES = """\
examples:
  nanoconf app                              open the page in a browser
  nanoconf simulate -c 0.6 -o result        simulate a system; profiles go to the folder result
  nanoconf predict -c 0.6 -o result         the network's profiles beside them
  nanoconf runs                             what has been simulated, and what is going on

`nanoconf VERB --help` explains each verb. Exit status: 0 done, 1 failed, 2 bad input."""

SIMULATE = """\
Simulates a system by molecular dynamics and writes its density profiles.

The run is executed by a process of its own and kept in the archive (NANOCONF_HOME): it goes on
when this command is killed, and the same command joins it, or shows its result at once."""

SIMULATE_EXAMPLES = """\
examples:
  nanoconf simulate -o result
  nanoconf simulate -Z 3.2 -p 2 -n -1 -c 0.35 -d 0.65 --duration-ns 10 -o result
  nanoconf simulate -d 0.474 -a 0.627 -i -0.01 --seed 7 -o result

The folder receives positive_density.csv and negative_density.csv (z_nm, density_M, error_M), the
same as p_density_profile.dat and n_density_profile.dat, and run.json with everything else; with
--snapshots also trajectory.xyz and trajectory.lammpstrj (in Angstrom)."""

PREDICT = """\
Predicts the density profiles of a system with a trained neural network, within a second."""

PREDICT_EXAMPLES = """\
examples:
  nanoconf predict -Z 3.2 -c 0.6 -d 0.65 -o result
  nanoconf predict --batch systems.csv -o results

The folder receives ml_positive_density.csv and ml_negative_density.csv. The columns of a batch file
are named like the long options, with underscores (confinement_length, salt_concentration, ...);
row 1 goes to the subfolder row_1, and so on."""

SWEEP = """\
Simulates many systems, as many at a time as there are cores, and collects them in one dataset.

What the archive or the folder has already is not simulated again: the same command continues a
sweep that was stopped. Runs of a sweep give way to everything else on this computer."""

SWEEP_EXAMPLES = """\
examples:
  nanoconf sweep --random 300 --seed 1 -o data
  nanoconf sweep --random 300 --duration-ns 1.5 2 2.5 -o data      # for z+ = 1, 2, 3
  nanoconf sweep --varied 200 --set target_error=0.02 -o data/inputs
  nanoconf sweep --plan systems.csv --duration-ns 5 -o data
  nanoconf sweep --grid --set target_error=0.007 --duration-ns 20 -o data    # till converged

The folder receives profiles.parquet and card.json. A plan has a column for each input it sets
(confinement_length, positive_valency, salt_concentration, ...), also duration_ns and seed."""

RUNS = """\
Lists the runs of the archive, newest first, or deals with some of them."""

RUNS_EXAMPLES = """\
examples:
  nanoconf runs                     a table
  nanoconf runs --json              the same for programs
  nanoconf runs show 3f2a           everything about the run whose id begins with 3f2a
  nanoconf runs show 3f2a -o DIR    also write its files to a folder
  nanoconf runs cancel 3f2a 77b0
  nanoconf runs remove 3f2a"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """The parser of all verbs."""
    main_parser = Parser(
        prog="nanoconf",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    main_parser.add_argument("--version", action="version", version=f"nanoconf {__version__}")
    verbs = main_parser.add_subparsers(
        title="verbs", dest="verb", metavar="VERB", required=True, parser_class=Parser
    )
    _add_app(verbs)
    _add_simulate(verbs)
    _add_predict(verbs)
    _add_runs(verbs)
    _add_sweep(verbs)
    _add_train(verbs)
    _add_evaluate(verbs)
    _add_models(verbs)
    for module in (uncertainty, cluster, compare, select_inputs, paper):
        words = module.NAME, module.TEXT, module.DESCRIPTION, module.EXAMPLES
        module.add_options(_add_verb(verbs, *words))
    return main_parser


def _add_verb(verbs, name: str, text: str, description: str = "", epilog: str = "") -> Parser:
    return verbs.add_parser(
        name,
        help=text,
        description=description or text[0].upper() + text[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_settings(group) -> None:
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting of the engine, e.g. time_step=0.004 (repeatable)",
    )


def _add_simulate(verbs) -> None:
    verb = _add_verb(verbs, "simulate", "simulate a system", SIMULATE, SIMULATE_EXAMPLES)
    add_system(verb)
    how = verb.add_argument_group("how")
    length = how.add_mutually_exclusive_group()
    add_input(length, SETTINGS["duration_ns"])
    length.add_argument(
        "-S",
        "--steps",
        metavar="N",
        help="the same in the published tool's steps of 0.001 tau of the smaller ion",
    )
    for name in ("target_error", "seed", "replicas", "snapshots", "engine"):
        add_input(how, SETTINGS[name])
    how.add_argument(
        "--cluster",
        nargs="?",
        const="",
        metavar="NAME",
        help="run on a cluster, not here: see nanoconf cluster",
    )
    how.add_argument("--cores", metavar="N", help="cores on the cluster (one for each replica)")
    how.add_argument(
        "--walltime", metavar="MINUTES", help="time limit on the cluster (three times the estimate)"
    )
    _add_settings(how)
    how.add_argument("--again", action="store_true", help="also if the archive has the result")
    how.add_argument("--name", default="", help="a name for the run, for people")
    add_output(verb, "the profiles")
    verb.set_defaults(command="simulate")


def _add_predict(verbs) -> None:
    verb = _add_verb(verbs, "predict", "predict with the network", PREDICT, PREDICT_EXAMPLES)
    add_system(verb)
    how = verb.add_argument_group("how")
    how.add_argument("--batch", type=Path, metavar="FILE", help="predict every row of a CSV file")
    how.add_argument("--model", type=Path, metavar="DIR", help="folder of the model (the current)")
    how.add_argument(
        "--runtime",
        choices=("litert", "tensorflow"),
        default="litert",
        help="what evaluates the network; they agree to 1e-5 (litert)",
    )
    how.add_argument(
        "--extrapolate",
        action="store_true",
        help="answer, with a warning, where h, c or d lie outside what the model has learnt",
    )
    add_output(verb, "the profiles")
    verb.set_defaults(command="predict")


def _add_sweep(verbs) -> None:
    verb = _add_verb(verbs, "sweep", "simulate many systems", SWEEP, SWEEP_EXAMPLES)
    which = verb.add_mutually_exclusive_group(required=True)
    which.add_argument("--random", metavar="N", help="N systems spread over the paper's ranges")
    which.add_argument(
        "--varied", metavar="N", help="N systems that vary z-, T, permittivity and d-/d+ as well"
    )
    which.add_argument("--grid", action="store_true", help="the 3,432 systems of the paper")
    which.add_argument("--published", action="store_true", help="the ten that the paper shows")
    which.add_argument("--plan", type=Path, metavar="FILE", help="the systems of a CSV file")
    add_seed(verb, "systems and runs")
    verb.add_argument(
        "--duration-ns",
        nargs="+",
        default=["2.5"],
        metavar="NS",
        help="length of each simulation: one, or one for each of z+ = 1, 2, 3 (2.5)",
    )
    _add_settings(verb)
    verb.add_argument("--add", action="store_true", help="keep the folder's other systems")
    verb.add_argument(
        "--histogram", action="store_true", help="keep the profiles from counting alone, too"
    )
    verb.add_argument(
        "--cluster", nargs="?", const="", metavar="NAME", help="on a cluster, as one array of jobs"
    )
    add_output(verb, "the dataset")
    verb.set_defaults(command="sweep")


def _add_train(verbs) -> None:
    verb = _add_verb(verbs, "train", "train a network on a dataset")
    add_data(verb, Path("data/grid"))
    verb.add_argument(
        "--validation",
        type=Path,
        metavar="DIR",
        help="dataset that sets the error band and judges the model (a tenth of the other)",
    )
    verb.add_argument(
        "--if-due",
        action="store_true",
        help="only if enough runs of the archive are new (NANOCONF_RETRAIN_AFTER, 100); learn from "
        "them, too, and replace the current model unless the new one is worse",
    )
    verb.add_argument(
        "--epochs", metavar="N", help="passes through the dataset (some 30,000 steps)"
    )
    add_seed(verb, "the weights")
    verb.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder of the model")
    verb.set_defaults(command="train")


def _add_evaluate(verbs) -> None:
    verb = _add_verb(
        verbs,
        "evaluate",
        "compare a model with simulations that it never saw",
    )
    verb.add_argument("--model", type=Path, metavar="DIR", help="folder of the model (the current)")
    add_data(verb, Path("data/test"))
    verb.add_argument(
        "--seen-too",
        action="store_true",
        help="also systems that the model was trained on or calibrated with",
    )
    verb.add_argument("--json", action="store_true", help="for programs")
    verb.set_defaults(command="evaluate")


def _add_runs(verbs) -> None:
    verb = _add_verb(verbs, "runs", "list simulations, show, cancel, remove", RUNS, RUNS_EXAMPLES)
    verb.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "show", "cancel", "remove"),
        help="what to do (list)",
    )
    verb.add_argument("ids", nargs="*", metavar="ID", help="ids, or how they begin")
    verb.add_argument("--json", action="store_true", help="for programs")
    verb.add_argument("--newest", type=int, metavar="N", help="list the newest only")
    add_output(verb, "the files of a run that is shown", required=False)
    verb.set_defaults(command="runs")


def _add_models(verbs) -> None:
    verb = _add_verb(verbs, "models", "list trained models, compare, promote, roll back")
    verb.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "compare", "promote", "rollback"),
        help="what to do (list); compare prints the metrics of all models side by side",
    )
    verb.add_argument("name", nargs="?", default="", help="the model to promote")
    verb.add_argument("--json", action="store_true", help="for programs")
    verb.set_defaults(command="models")


def _add_app(verbs) -> None:
    verb = _add_verb(verbs, "app", "open the page in a browser")
    verb.add_argument("--host", default="127.0.0.1", help="address to serve on (127.0.0.1)")
    verb.add_argument("--port", type=int, default=8866, help="port to serve on (8866)")
    verb.add_argument("--no-browser", action="store_true", help="only print the address")
    verb.set_defaults(command="app")


# --- carrying it out ------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line; returns the exit status."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(_with_values_attached(typed))
    options.command_line = ["nanoconf", *typed]
    try:
        from nanoconf.cli import commands

        if callable(options.command):
            return options.command(options)
        return getattr(commands, options.command)(options)
    except KeyboardInterrupt:
        print("nanoconf: cancelled", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our lines has had enough of them
        return DONE
    except Exception as error:
        line, status = _explained(error, options)
        if not line:
            raise
        print(f"nanoconf: {line}", file=sys.stderr)
        return status


def _explained(error: Exception, options: argparse.Namespace) -> tuple[str, int]:
    """One line for an error that users can do something about, and the exit status."""
    from backend.cluster.problems import ClusterProblem
    from backend.runs.archive import UnknownRun, UnusableHome
    from backend.runs.run import DamagedRun
    from backend.sampling.result import Cancelled, SimulationError
    from backend.system import InvalidInput

    if isinstance(error, InvalidInput):
        given = getattr(options, error.parameter, None)
        value = given if isinstance(given, str) and given else error.value
        return f"{error.parameter} = {value}: {error.allowed}", BAD_INPUT
    if isinstance(error, (UnknownRun, UnusableHome)):
        return str(error), BAD_INPUT
    if isinstance(error, (SimulationError, Cancelled, DamagedRun, ClusterProblem)):
        return str(error), FAILED
    if isinstance(error, OSError):
        return str(error), FAILED
    return "", FAILED


def _with_values_attached(arguments: Sequence[str]) -> list[str]:
    """Attach negative numbers to their option: argparse takes -1e-3 and -inf for options."""
    attached: list[str] = []
    for argument in arguments:
        previous = attached[-1] if attached else ""
        takes_it = previous.startswith("-") and "=" not in previous and not _is_number(previous)
        if argument.startswith("-") and _is_number(argument) and takes_it:
            attached[-1] += ("=" if previous.startswith("--") else "") + argument
        else:
            attached.append(argument)
    return attached


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
