"""``nanoconf predict``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nanoconf.cli.options import add_model, add_output, add_system

if TYPE_CHECKING:
    from backend.system import SlitSystem
    from nanoconf.surrogate.model import Surrogate

NAME, HELP = "predict", "predict a system's profiles with the neural network"

DESCRIPTION = """\
Predict the density profiles of a system with a trained neural network in less than a second."""

EXAMPLES = """\
examples:
  nanoconf predict -Z 3.2 -c 0.6 -d 0.65 -o result
  nanoconf predict --batch systems.csv -o results

The folder will contain ml_positive_density.csv and ml_negative_density.csv.

A batch file is a CSV file with one system per row and one column per input to set
(confinement_length, positive_valency, salt_concentration, ...). The profiles of the first row go to
the subfolder row_1, and so on."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    add_system(parser)
    how = parser.add_argument_group("the prediction")
    how.add_argument(
        "--batch",
        type=Path,
        metavar="FILE",
        help="predict the profiles of the system in each row of a CSV file",
    )
    add_model(how)
    how.add_argument(
        "--runtime",
        choices=("litert", "tensorflow"),
        default="litert",
        help="library that evaluates the network; the two agree to within 1e-5 (default: litert)",
    )
    how.add_argument(
        "--extrapolate",
        action="store_true",
        help="predict, with a warning, even if h, c or d lies outside the training range",
    )
    add_output(parser, "the profiles")


def execute(options: Namespace) -> int:
    """Predict one system, or those of the batch file."""
    return _predict(options) if options.batch is None else _predict_batch(options)


def _predict(options: Namespace) -> int:
    from nanoconf.data import export
    from nanoconf.data.parsing import system_of

    system = system_of(vars(options))
    prediction = _surrogate(options).predict(system, options.extrapolate)
    export.prepare(options.output)
    export.write_files(options.output, prediction.files())
    print(f"profiles in {options.output}")
    return 0


def _predict_batch(options: Namespace) -> int:
    from backend.system import InvalidInput
    from nanoconf.data import export
    from nanoconf.data.parsing import in_row

    _refuse_single_inputs(options)
    systems = systems_of(options.batch)
    surrogate = _surrogate(options)
    for row, system in enumerate(systems, 1):
        try:
            surrogate.domain.check(system, options.extrapolate)
        except InvalidInput as error:
            raise in_row(error, options.batch, row) from error
    predictions = surrogate.predict_many(systems, options.extrapolate)
    export.prepare(options.output)
    for row, prediction in enumerate(predictions, 1):
        folder = options.output / f"row_{row}"
        folder.mkdir(exist_ok=True)
        export.write_files(folder, prediction.files())
    print(f"profiles of {len(systems)} systems in {options.output}")
    return 0


def _refuse_single_inputs(options: Namespace) -> None:
    from backend.inputs import SYSTEM
    from backend.system import InvalidInput

    for name in SYSTEM:
        typed = getattr(options, name, None)
        if typed is not None:
            raise InvalidInput(name, typed, "must be a column of the --batch file instead")


def systems_of(file: Path) -> list[SlitSystem]:
    """The systems of a CSV file; its columns are inputs of `SlitSystem`."""
    from backend.inputs import SYSTEM
    from backend.system import InvalidInput
    from nanoconf.data.parsing import in_row, system_of, table

    systems = []
    for number, row in enumerate(table(file, "batch", SYSTEM), 1):
        try:
            systems.append(system_of(row))
        except InvalidInput as error:
            raise in_row(error, file, number) from error
    return systems


def _surrogate(options: Namespace) -> Surrogate:
    from nanoconf.surrogate import Surrogate

    return Surrogate.load(options.model, runtime=options.runtime)
