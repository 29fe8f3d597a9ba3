"""``nanoconf uncertainty``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from backend.inputs import SYSTEM
from nanoconf.cli.options import (
    add_json,
    add_model,
    add_output,
    add_seed,
    add_system,
    print_json,
    seed,
)
from nanoconf.tables import aligned

if TYPE_CHECKING:
    from nanoconf.uncertainty.propagation import Distribution

NAME, HELP = "uncertainty", "propagate input uncertainties to the profiles"

DESCRIPTION = """\
Propagate input uncertainties to the profiles. The slit width h, the concentration c and the ion
diameter d may each be uniformly or normally distributed, independently of one another; all other
inputs are exact. The network predicts the profiles of many samples. Sobol indices give the share of
the variance that each input causes, alone and in interaction with the others. The model error is
reported separately."""

EXAMPLES = """\
examples:
  nanoconf uncertainty -p 2 --gaussian c 0.5 0.01 --uniform d 0.6 0.7
  nanoconf uncertainty --gaussian h 3.2 0.02 --at -1.2 --at 0 -o result
  nanoconf uncertainty --uniform c 0.45 0.55 --json

The folder will contain uncertainty.json (the printed results), samples.csv, bands.csv (5th to 95th
percentile at each z) and sobol_over_z.csv."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    add_system(parser)
    uncertain = parser.add_argument_group("uncertain inputs")
    for word, values, text in (
        ("uniform", ("LOW", "HIGH"), "uniformly distributed between two bounds"),
        ("gaussian", ("MEAN", "STD"), "normally distributed"),
    ):
        uncertain.add_argument(
            f"--{word}",
            nargs=3,
            action="append",
            default=[],
            metavar=("NAME", *values),
            help=f"make h, c or d {text} (repeatable)",
        )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        metavar="NM",
        help="also report densities and charges at this z (repeatable)",
    )
    parser.add_argument(
        "--samples",
        default="1024",
        metavar="N",
        help="number of samples, a power of 2 (default: 1024)",
    )
    add_seed(parser, "the samples")
    add_model(parser)
    add_json(parser)
    add_output(parser, "the samples, bands and indices", required=False)


def execute(options: Namespace) -> int:
    """Propagate the inputs; print and write the results."""
    from backend.files import write_json
    from nanoconf.data import export
    from nanoconf.data.parsing import parsed, system_of, whole_number
    from nanoconf.surrogate import Surrogate
    from nanoconf.uncertainty.propagation import propagate

    distributions = _distributions(options)
    system = system_of(vars(options))
    samples = whole_number("samples", options.samples, 0, 2**31)
    at = [parsed("at", text) for text in options.at]
    model = Surrogate.load(options.model)
    found = propagate(model, system, distributions, samples, seed(options))
    report = found.to_dict(at)
    if options.output is not None:
        export.prepare(options.output)
        export.write_files(options.output, found.files())
        write_json(options.output / "uncertainty.json", report)
    if options.json:
        print_json(report)
        return 0
    print(_text(report))
    if options.output is not None:
        print(f"samples, bands and indices over z in {options.output}")
    return 0


def _distributions(options: Namespace) -> dict[str, Distribution]:
    """Return the given distributions by input."""
    from backend.inputs import InvalidInput
    from nanoconf.data.parsing import parsed
    from nanoconf.surrogate.domain import continuous_inputs
    from nanoconf.uncertainty.propagation import Gaussian, Uniform

    by_symbol = {SYSTEM[name].symbol: name for name in continuous_inputs()}
    *others, last = by_symbol
    found: dict[str, Distribution] = {}
    for word, kind in (("uniform", Uniform), ("gaussian", Gaussian)):
        for typed, *numbers in getattr(options, word):
            name = by_symbol.get(typed, typed)
            if name not in by_symbol.values():
                allowed = f"NAME must be {', '.join(others)} or {last}"
                raise InvalidInput(word, " ".join([typed, *numbers]), allowed)
            if name in found or getattr(options, name) is not None:
                raise InvalidInput(word, " ".join([typed, *numbers]), f"{typed} is given twice")
            found[name] = kind(*(parsed(name, number) for number in numbers))
    return found


# --- in words -------------------------------------------------------------------------------


def _text(report: dict[str, Any]) -> str:
    """The report as tables."""
    return "\n".join([*_heading(report), "", *_values(report), *_shares(report)])


def _heading(report: dict[str, Any]) -> list[str]:
    lines = [
        f"{report['model']}, {report['samples']:,} samples, {report['predictions']:,} predictions"
    ]
    for name, value in report["uncertain"].items():
        kind, *numbers = value.values()
        cut = report["share_cut"][name]
        note = f"; truncated: {cut:.1%} lies outside the training range" if cut > 5e-4 else ""
        lines.append(f"{name}: {kind} {' '.join(f'{number:g}' for number in numbers)}{note}")
    return lines


def _values(report: dict[str, Any]) -> list[str]:
    words = ("mean", "std", "low", "median", "high", "model_error")
    rows = [["", "mean", "std", "5 %", "median", "95 %", "model error"]]
    for answer in report["outputs"]:
        numbers = ("" if answer[word] is None else f"{answer[word]:.4g}" for word in words)
        rows.append([_name(answer), *numbers])
    return [aligned(rows)]


def _shares(report: dict[str, Any]) -> list[str]:
    names = list(report["uncertain"])
    if not names:
        return []
    short = {name: SYSTEM[name].symbol for name in names}
    heads = (f"{short[name]} {kind}" for name in names for kind in ("first-order", "total"))
    rows = [("", *heads)]
    for answer in report["outputs"]:
        indices = [answer["sobol_indices"][name] for name in names]
        pairs = (
            (index[kind], index[f"{kind}_confidence"])
            for index in indices
            for kind in ("first", "total")
        )
        cells = ("-" if share is None else f"{share:.3f} ± {error:.3f}" for share, error in pairs)
        rows.append((_name(answer), *cells))
    return ["", "Sobol indices with their 95 % confidence intervals:", aligned(rows)]


def _name(answer: dict[str, Any]) -> str:
    place = "" if answer["z_nm"] is None else f" at {answer['z_nm']:g} nm"
    return f"{answer['output'].replace('_', ' ')} ({answer['unit']}){place}"
