"""Sim2L of nanoHUB: the schema of its inputs and outputs, and the computation.

A Sim2L is a notebook that ``simtool`` runs: https://simtool.readthedocs.io. Its two YAML cells
follow from the table of inputs and from `OUTPUTS`; this command updates them in the notebook::

    python -m nanoconf.hub.sim2l deploy/nanohub/simtool/nanoconf.ipynb
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend import __version__
from backend.files import write_text
from backend.inputs import SYSTEM, Input, InvalidInput, by_name
from backend.settings import SETTINGS

if TYPE_CHECKING:
    from backend.profiles.charge import ChargeProfile
    from backend.sampling.result import SimulationResult
    from backend.system import SlitSystem
    from nanoconf.hub.figures import Profiles
    from nanoconf.surrogate.model import Prediction

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
        words = f"Error of ml_{name}: 90 % of the true densities lie within 1.645 errors"
        found[f"ml_{name}_error"] = Output("Array", words, "M")
        for quantity in QUANTITIES:
            words = f"Predicted {quantity} density {ions}"
            found[f"ml_{species}_{quantity}"] = Output("Number", words, "M")
    return found


PROFILES = {
    "charge_density": ("density", "net charge density z₊ρ₊ + z₋ρ₋", "e·M"),
    "integrated_charge": ("integrated", "charge from the left wall, included, to z", "C/m²"),
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
"""Outputs by name. Those of a method that was not asked for are None."""


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


# --- computation ----------------------------------------------------------------------------


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of the Sim2L, checked one by one; missing ones have their defaults.

    Raises
    ------
    InvalidInput
        An input is unknown or not allowed.
    """
    for name in values:
        if name not in INPUTS:
            raise InvalidInput(name, values[name], f"is not an input; known: {', '.join(INPUTS)}")
    return {name: each.check(values.get(name, each.default)) for name, each in INPUTS.items()}


def compute(values: Mapping[str, Any], folder: Path = Path()) -> dict[str, Any]:
    """Predict or simulate a system.

    The simulation runs in this process, on as many cores as it has replicas: a batch job of the
    hub needs no archive and leaves no process behind.

    Parameters
    ----------
    values : mapping
        Inputs by name; see `INPUTS`.
    folder : Path
        Existing folder for the figures.

    Returns
    -------
    dict
        Outputs by name; see `OUTPUTS`. Arrays are lists, figures are names of PNG files.

    Raises
    ------
    InvalidInput
        An input or a combination of inputs is not allowed. Nothing has been simulated.
    SimulationError
        The simulation failed.
    """
    from backend.profiles.bins import bin_centres
    from backend.profiles.charge import ChargeProfile
    from backend.system import SlitSystem
    from nanoconf.gui.figures.plots import ML
    from nanoconf.hub.figures import Profiles

    inputs = check(values)
    system = SlitSystem(**{name: inputs[name] for name in SYSTEM})
    predicted = _predict(system) if inputs["method"] != SIMULATION else None
    simulated = _simulate(system, inputs) if inputs["method"] != PREDICTION else None
    sources = []
    found: dict[str, Any] = {"version": __version__, "z": bin_centres(system)}
    if simulated is not None:
        sources.append(_profiles_of(simulated))
        found |= _of_simulation(simulated)
    if predicted is not None:
        charge = ChargeProfile.of(system, predicted.profiles)
        sources.append(Profiles(ML, predicted.model, system, predicted.profiles, charge))
        found |= _of_prediction(predicted, charge)
    found |= _draw(sources, folder)
    return {name: _plain(found.get(name)) for name in OUTPUTS}


def _predict(system: SlitSystem) -> Prediction:
    from nanoconf.surrogate import Surrogate

    try:
        return Surrogate.load().predict(system)
    except InvalidInput as error:
        allowed = f"{error.allowed}; for this system, choose method = {SIMULATION!r}"
        raise InvalidInput(error.parameter, error.value, allowed) from error


def _simulate(system: SlitSystem, inputs: Mapping[str, Any]) -> SimulationResult:
    from backend.engines import registry
    from backend.runs.local import cores
    from backend.settings import RunSettings

    settings = RunSettings(**{name: inputs[name] for name in RUN})
    engine = registry.get(settings.engine)
    engine.check()
    return engine.run(system, settings, threads=min(cores(), settings.replicas))


def _of_prediction(predicted: Prediction, charge: ChargeProfile) -> dict[str, Any]:
    found: dict[str, Any] = {"model": predicted.model}
    for species, profile in predicted.profiles.by_species().items():
        found[f"ml_{species}_density"] = profile.density
        found[f"ml_{species}_density_error"] = profile.error
        found[f"ml_{species}_contact"] = profile.contact_density(predicted.system, species)
        found[f"ml_{species}_peak"] = profile.peak_density
        found[f"ml_{species}_mid"] = profile.mid_density
    return found | {f"ml_{name}": getattr(charge, of) for name, (of, *_) in PROFILES.items()}


def _profiles_of(simulated: SimulationResult) -> Profiles:
    from nanoconf.gui.figures.plots import MD
    from nanoconf.hub.figures import Profiles

    return Profiles(
        MD,
        f"of this Sim2L, seed {simulated.settings.seed}",
        simulated.system,
        simulated.profiles,
        simulated.charge,
        simulated.summary.converged,
    )


def _of_simulation(result: SimulationResult) -> dict[str, Any]:
    summary, charge = result.summary, result.charge
    found: dict[str, Any] = {"summary": summary.to_dict()}
    for species, profile in result.profiles.by_species().items():
        found[f"{species}_density"] = profile.density
        found[f"{species}_density_error"] = profile.error
        for quantity in QUANTITIES:
            found[f"{species}_{quantity}"] = summary.densities_M[species][quantity]
            found[f"{species}_{quantity}_error"] = summary.density_errors_M[species][quantity]
    for name, (of, *_) in (PROFILES | {name: (name,) for name in WALL}).items():
        found[name], found[f"{name}_error"] = getattr(charge, of), getattr(charge, f"{of}_error")
    return found | {
        "simulated_ns": summary.simulated_ns,
        "relative_error": summary.median_relative_error,
        "converged": summary.converged,
    }


def _plain(value: Any) -> Any:
    """Return a value as ``simtool`` stores it; what is not defined is None."""
    import numpy as np

    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def _draw(sources: Sequence[Profiles], folder: Path) -> dict[str, str]:
    """Write the figures into a folder; return the names of the files."""
    from nanoconf.gui.figures.figure_files import figure_file
    from nanoconf.hub.figures import plots

    files = {}
    for name, plot in zip(FIGURES, plots(sources), strict=True):
        files[name] = f"{name}.png"
        (folder / files[name]).write_bytes(figure_file(plot, "png"))
    return files


# --- in the notebook ------------------------------------------------------------------------


def given(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs among the variables of the notebook.

    Other lower-case variables with a plain value are included: ``simtool`` sets a variable for each
    name that it is given, and `check` refuses those that are not inputs.
    """
    plain = (int, float, str, type(None))
    return {
        name: value
        for name, value in namespace.items()
        if name in INPUTS or (name[0] != "_" and name.islower() and isinstance(value, plain))
    }


def report_errors_in_one_line() -> None:
    """Let the notebook show an invalid input or a failed simulation as one line."""
    from IPython.core.getipython import get_ipython

    from backend.sampling.result import SimulationError
    from nanoconf.surrogate.lifecycle.registry import ModelNotFound

    def show(_shell: Any, kind: Any, error: Any, trace: Any, tb_offset: Any = None) -> list[str]:
        line = [str(error)]
        shell._showtraceback(kind, error, line)
        return line

    shell: Any = get_ipython()
    shell.set_custom_exc((InvalidInput, SimulationError, ModelNotFound), show)


if __name__ == "__main__":
    main(sys.argv[1:])
