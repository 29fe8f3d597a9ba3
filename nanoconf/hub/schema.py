"""Schema of the Sim2L: its inputs and outputs, as ``simtool`` declares them in two YAML cells.

They follow from the tables of inputs and from `OUTPUTS`; this command updates them in the
notebook::

    python -m nanoconf.hub.schema deploy/nanohub/simtool/nanoconf.ipynb
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.files import write_text
from backend.inputs import SYSTEM, Input, by_name
from backend.settings import SETTINGS

PREDICTION, SIMULATION, BOTH = "prediction", "simulation", "both"

METHOD = Input(
    name="method",
    term="Method",
    help="prediction by the neural network (less than a second), molecular dynamics, or both",
    default=BOTH,
    choices=(PREDICTION, SIMULATION, BOTH),
)

RUN = ("duration_ns", "target_error", "seed", "replicas")
"""Settings of a run that are inputs of the Sim2L; the others have their defaults."""

TARGET = replace(
    SETTINGS["target_error"],
    help="stop when both profiles have converged to this median relative error (0.005 is 0.5 %); "
    "the simulation length is then an upper limit",
)

INPUTS = by_name(
    METHOD,
    *SYSTEM.values(),
    *(TARGET if name == TARGET.name else SETTINGS[name] for name in RUN),
)

UNITS = {"C/m²": "C/m**2", "e·M": "e*M"}
"""Units that Pint, which ``simtool`` uses, writes differently."""

QUANTITIES = ("contact", "peak", "mid")


@dataclass(frozen=True)
class Output:
    """One output of the Sim2L.

    Attributes
    ----------
    type : {"Array", "Number", "Boolean", "Text", "Dict", "Image"}
        Its type in ``simtool``.
    description : str
        One-line explanation.
    unit : str
        Its unit; may be empty.
    """

    type: str
    description: str
    unit: str = ""


# --- schema ---------------------------------------------------------------------------------


def _with_error(name: str, output: Output) -> dict[str, Output]:
    error = Output(output.type, f"Standard error of {name}, from blocks", output.unit)
    return {name: output, f"{name}_error": error}


def _densities() -> dict[str, Output]:
    found: dict[str, Output] = {}
    for species in ("positive", "negative"):
        ions, name = f"of the {species} ions", f"{species}_density"
        found |= _with_error(name, Output("Array", f"Simulated density {ions}", "M"))
        for quantity in QUANTITIES:
            words = f"Simulated {quantity} density {ions}"
            found |= _with_error(f"{species}_{quantity}", Output("Number", words, "M"))
        found[f"ml_{name}"] = Output("Array", f"Predicted density {ions}", "M")
        words = f"Error of ml_{name}; 90 % of the true densities lie within 1.645 times this error"
        found[f"ml_{name}_error"] = Output("Array", words, "M")
        for quantity in QUANTITIES:
            words = f"Predicted {quantity} density {ions}"
            found[f"ml_{species}_{quantity}"] = Output("Number", words, "M")
    return found


PROFILES = {
    "charge_density": ("density", "net charge density z₊ρ₊ + z₋ρ₋", "e·M"),
    "integrated_charge": ("integrated", "charge between the left wall (included) and z", "C/m²"),
    "potential": ("potential", "mean potential relative to the midplane", "mV"),
}
"""Outputs that are profiles of charge: attribute of `ChargeProfile`, description, unit."""

WALL = {
    "wall_potential": ("Simulated potential of the walls relative to the midplane", "mV"),
    "screening_length": ("Distance at which a charged wall is screened, if defined", "nm"),
}


def _charges() -> dict[str, Output]:
    found: dict[str, Output] = {}
    for name, (_, words, unit) in PROFILES.items():
        found |= _with_error(name, Output("Array", f"Simulated {words}", unit))
        found[f"ml_{name}"] = Output("Array", f"Predicted {words}", unit)
    for name, (words, unit) in WALL.items():
        found |= _with_error(name, Output("Number", words, unit))
    return found


FIGURES = {
    "positive_figure": "Figure of the density of the positive ions",
    "negative_figure": "Figure of the density of the negative ions",
    "charge_figure": "Figure of charge density and potential",
}

OUTPUTS = {
    "z": Output("Array", "Bin centres, from -h/2 to h/2; all profiles have these bins", "nm"),
    **_densities(),
    **_charges(),
    "simulated_ns": Output("Number", "Production time of the simulation", "ns"),
    "relative_error": Output("Number", "Median relative standard error of the worse profile"),
    "converged": Output("Boolean", "True if the simulation has converged"),
    "summary": Output("Dict", "Pressures, checks, timings and versions of the simulation"),
    "model": Output("Text", "Name of the neural network"),
    "version": Output("Text", "Version of nanoconf"),
    **{name: Output("Image", words) for name, words in FIGURES.items()},
}
"""Outputs by name. Those of a method that was not requested are None."""


def input_schema() -> dict[str, dict[str, Any]]:
    """Return the inputs as ``simtool`` declares them: type, description, unit, range, default."""
    return {name: _declared(each) for name, each in INPUTS.items()}


def _declared(each: Input) -> dict[str, Any]:
    words = each.title if each.help == each.term.lower() else f"{each.title}: {each.help}"
    words += f"; null: {each.unset}" if each.unset else ""
    if each.choices:
        kind: dict[str, Any] = {"type": "Choice", "options": list(each.choices)}
    elif each.whole:  # an Integer has no unit
        kind = {"type": "Integer", "min": each.low, "max": each.high}
    else:
        kind = {"type": "Number", **_unit(each.unit), "min": each.low, "max": each.high}
    return {**kind, "description": words, "value": each.default}


def output_schema() -> dict[str, dict[str, Any]]:
    """Return the outputs as ``simtool`` declares them."""
    return {
        name: {"type": each.type, **_unit(each.unit), "description": each.description}
        for name, each in OUTPUTS.items()
    }


def _unit(unit: str) -> dict[str, str]:
    return {"units": UNITS.get(unit, unit)} if unit else {}


def yaml_cell(name: str, schema: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the source of a YAML cell; JSON values are YAML."""
    lines = [f"%%yaml {name}"]
    for key, values in schema.items():
        lines += ["", f"{key}:"]
        lines += [f"  {each}: {json.dumps(v, ensure_ascii=False)}" for each, v in values.items()]
    return "\n".join(lines)


def with_schema(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook with the schema of this version in its YAML cells."""
    cells = {
        f"%%yaml {name}": yaml_cell(name, schema)
        for name, schema in (("INPUTS", input_schema()), ("OUTPUTS", output_schema()))
    }

    def updated(cell: dict[str, Any]) -> dict[str, Any]:
        first = "".join(cell["source"]).partition("\n")[0]
        if first not in cells:
            return cell
        return {**cell, "source": cells[first].splitlines(keepends=True)}

    return {**notebook, "cells": [updated(cell) for cell in notebook["cells"]]}


def main(arguments: list[str]) -> None:
    """Update the YAML cells of a notebook in place."""
    (file,) = map(Path, arguments)
    notebook = with_schema(json.loads(file.read_text(encoding="utf-8")))
    write_text(file, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
