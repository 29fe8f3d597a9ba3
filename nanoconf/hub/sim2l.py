"""Computation of the nanoHUB Sim2L, and functions for its notebook.

A Sim2L is a notebook that ``simtool`` runs: https://simtool.readthedocs.io. `nanoconf.hub.schema`
declares its inputs and outputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend import __version__
from backend.inputs import SYSTEM, InvalidInput
from nanoconf.hub.schema import (
    FIGURES,
    INPUTS,
    OUTPUTS,
    PREDICTION,
    PROFILES,
    QUANTITIES,
    RUN,
    SIMULATION,
    WALL,
)

if TYPE_CHECKING:
    from backend.profiles.charge import ChargeProfile
    from backend.sampling.result import SimulationResult
    from backend.system import SlitSystem
    from nanoconf.hub.figures import Profiles
    from nanoconf.surrogate.model import Prediction


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
    """Return a value as ``simtool`` stores it; undefined values become None."""
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
