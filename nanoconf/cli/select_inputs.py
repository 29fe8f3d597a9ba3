"""``nanoconf select-inputs``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from nanoconf.cli.options import add_data, add_results

NAME, HELP = "select-inputs", "choose the network's inputs by backward elimination"

DESCRIPTION = """\
Choose the inputs of a network by backward elimination on adjusted R², as in the paper. The
contact, midplane and peak densities of the positive ions are regressed on h, z+, z-, c, d, d-/d+,
the temperature T and the relative permittivity eps by ordinary least squares; one model is linear,
the other includes squares and products."""

EXAMPLES = """\
examples:
  nanoconf select-inputs
  nanoconf sweep --varied 200 --set target_error=0.02 -o inputs   # vary all inputs
  nanoconf select-inputs --data inputs

The folder will contain select-inputs.json and select-inputs.png."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    add_data(parser, "data/inputs")
    add_results(parser, "-o", "--output")


def execute(options: Namespace) -> int:
    """Choose the inputs; print and write each step and the figure."""
    from backend.files import write_json
    from nanoconf.data import export
    from nanoconf.paper.figures import draw_elimination
    from nanoconf.paper.select_inputs import format_choice, select_inputs
    from nanoconf.surrogate.simulations import Simulations

    choice = select_inputs(Simulations.load(options.data))
    export.prepare(options.output)
    write_json(options.output / "select-inputs.json", choice.to_dict())
    draw_elimination(choice, options.output / "select-inputs.png")
    print(format_choice(choice))
    print(f"select-inputs.json and select-inputs.png in {options.output}")
    return 0
