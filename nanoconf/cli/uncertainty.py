"""``nanoconf uncertainty``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from backend.inputs import SYSTEM
from nanoconf.cli.options import add_output, add_seed, add_system

if TYPE_CHECKING:
    from nanoconf.uncertainty.propagation import Distribution

NAME, TEXT = "uncertainty", "what uncertain inputs do to the profiles"

DESCRIPTION = """\
What uncertain inputs do to the profiles: slit width h, concentration c and ion diameter d may each
be uniform or Gaussian, independently; everything else is exact. The network predicts the profiles
of many samples; Sobol indices say how much of the variance each input causes, alone and together
with the others. The model's own error is stated apart."""

EXAMPLES = """\
examples:
  nanoconf uncertainty -p 2 --gaussian c 0.5 0.01 --uniform d 0.6 0.7
  nanoconf uncertainty --gaussian h 3.2 0.02 --at -1.2 --at 0 -o result
  nanoconf uncertainty --uniform c 0.45 0.55 --json

The folder receives uncertainty.json (what is printed), samples.csv, bands.csv (5 to 95 %
over z) and sobol_over_z.csv."""


def add_options(verb: argparse.ArgumentParser) -> None:
    """What can be typed."""
    add_system(verb)
    how = verb.add_argument_group("what is uncertain")
    for word, values, text in (
        ("uniform", ("LOW", "HIGH"), "anything between two bounds"),
        ("gaussian", ("MEAN", "STD"), "normally distributed"),
    ):
        how.add_argument(
            f"--{word}",
            nargs=3,
            action="append",
            default=[],
            metavar=("NAME", *values),
            help=f"h, c or d: {text} (repeatable)",
        )
    verb.add_argument(
        "--at",
        action="append",
        default=[],
        metavar="NM",
        help="also densities and charges at this z (repeatable)",
    )
    verb.add_argument("--samples", default="1024", metavar="N", help="samples, a power of 2 (1024)")
    add_seed(verb, "the samples")
    verb.add_argument("--model", metavar="DIR", help="folder of the model (the current)")
    verb.add_argument("--json", action="store_true", help="for programs")
    add_output(verb, "the samples, bands and indices", required=False)
    verb.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Sample, print what was found, write it."""
    import json

    from backend.files import write_json
    from nanoconf.data import export as output
    from nanoconf.data.parsing import parsed, system_of, whole_number
    from nanoconf.surrogate import Surrogate
    from nanoconf.uncertainty.propagation import propagate

    distributions = _distributions(options)
    system = system_of(vars(options))
    samples = whole_number("samples", options.samples, 0, 2**31)
    seed = whole_number("seed", options.seed, 0, 2**31 - 1)
    at = [parsed("at", text) for text in options.at]
    found = propagate(Surrogate.load(options.model), system, distributions, samples, seed)
    report = found.to_dict(at)
    if options.output is not None:
        output.prepare(options.output)
        output.write_files(options.output, found.files())
        write_json(options.output / "uncertainty.json", report)
    print(json.dumps(report, indent=1, ensure_ascii=False) if options.json else _text(report))
    if options.output is not None and not options.json:
        print(f"samples, bands and indices over z in {options.output}")
    return 0


def _distributions(options: argparse.Namespace) -> dict[str, Distribution]:
    """The distributions that were typed, by input."""
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
    """What was found, as tables."""
    return "\n".join([*_heading(report), "", *_values(report), *_shares(report)])


def _heading(report: dict[str, Any]) -> list[str]:
    lines = [
        f"{report['model']}, {report['samples']:,} samples, {report['predictions']:,} predictions"
    ]
    for name, value in report["uncertain"].items():
        kind, *numbers = value.values()
        cut = report["share_cut"][name]
        note = f"; {cut:.1%} of it cut off, outside the learnt range" if cut > 5e-4 else ""
        lines.append(f"{name}: {kind} {' '.join(f'{number:g}' for number in numbers)}{note}")
    return lines


def _values(report: dict[str, Any]) -> list[str]:
    columns = ("mean", "std", "5 %", "median", "95 %", "model error")
    lines = [f"{'':38}" + "".join(f"{column:>12}" for column in columns)]
    for answer in report["outputs"]:
        words = ("mean", "std", "low", "median", "high", "model_error")
        numbers = ("" if answer[x] is None else f"{answer[x]:.4g}" for x in words)
        lines.append(f"{_name(answer):38}" + "".join(f"{number:>12}" for number in numbers))
    return lines


def _shares(report: dict[str, Any]) -> list[str]:
    names = list(report["uncertain"])
    if not names:
        return []
    short = {name: SYSTEM[name].symbol for name in names}
    lines = [
        "",
        "Sobol indices, first-order and total, with their 95 % confidence:",
        f"{'':38}" + "".join(f"{short[x] + ' alone':>16}{short[x] + ' in all':>16}" for x in names),
    ]
    for answer in report["outputs"]:
        indices = [answer["sobol_indices"][name] for name in names]
        pairs = [
            (index[word], index[f"{word}_confidence"])
            for index in indices
            for word in ("first", "total")
        ]
        cells = ("-" if share is None else f"{share:.3f} ± {error:.3f}" for share, error in pairs)
        lines.append(f"{_name(answer):38}" + "".join(f"{cell:>16}" for cell in cells))
    return lines


def _name(answer: dict[str, Any]) -> str:
    place = "" if answer["z_nm"] is None else f" at {answer['z_nm']:g} nm"
    return f"{answer['output'].replace('_', ' ')} ({answer['unit']}){place}"
