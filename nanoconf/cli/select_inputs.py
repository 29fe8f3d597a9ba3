"""``nanoconf select-inputs``."""

from __future__ import annotations

import argparse
from pathlib import Path

from nanoconf.cli.options import add_data, add_results

NAME, TEXT = "select-inputs", "choose a network's inputs by backward elimination"

DESCRIPTION = """\
Chooses the inputs of a network by backward elimination on adjusted R², as the paper does: ordinary
least squares of contact, mid and peak density of the positive ions on h, z+, z-, c, d, d-/d+, the
temperature T and the relative permittivity eps; by a linear model, and by one with squares and
products."""

EXAMPLES = """\
examples:
  nanoconf sweep --varied 200 --set target_error=0.02 -o data/inputs  # all of them vary
  nanoconf select-inputs

The folder receives select-inputs.json and select-inputs.png."""


def add_options(verb: argparse.ArgumentParser) -> None:
    """What can be typed."""
    add_data(verb, Path("data/inputs"))
    add_results(verb, "-o", "--output")
    verb.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Choose, print each step, write the steps and the figure."""
    from backend.files import write_json
    from nanoconf.data import export as output
    from nanoconf.paper.figures import draw_elimination
    from nanoconf.paper.select_inputs import format_choice, select_inputs
    from nanoconf.surrogate.simulations import Simulations

    choice = select_inputs(Simulations.load(options.data))
    output.prepare(options.output)
    write_json(options.output / "select-inputs.json", choice.to_dict())
    draw_elimination(choice, options.output / "select-inputs.png")
    print(format_choice(choice))
    print(f"select-inputs.json and select-inputs.png in {options.output}")
    return 0
