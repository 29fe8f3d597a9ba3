"""Sim2L: its schema, its computation, and the notebook, run with simtool itself."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.inputs import InvalidInput
from backend.profiles.bins import bin_centres
from backend.system import SlitSystem
from nanoconf.hub import schema, sim2l
from nanoconf.surrogate import Surrogate

NANOHUB = Path(__file__).parents[3] / "deploy" / "nanohub"
NOTEBOOK = NANOHUB / "simtool" / "nanoconf.ipynb"

SIMTOOL = Path(__file__).parents[3] / ".venv-simtool" / "bin" / "python"

FEW_IONS = {
    "positive_valency": 3,
    "positive_diameter": 0.5,
    "negative_ions": 60,
    "duration_ns": 0.003,
    "replicas": 1,
}
"""A run of a second, without physical meaning."""


# --- schema ---------------------------------------------------------------------------------


def test_the_notebook_declares_the_inputs_and_outputs_of_this_version() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert schema.with_schema(notebook) == notebook


def test_the_schema_has_the_range_the_unit_and_the_default_of_every_input() -> None:
    found = schema.input_schema()
    assert list(found) == list(schema.INPUTS)
    assert found["confinement_length"] == {
        "type": "Number",
        "units": "nm",
        "min": 0.6,
        "max": 30.0,
        "description": "Confinement length h: slit width h",
        "value": 3.0,
    }
    assert found["positive_valency"]["type"] == "Integer"
    assert found["surface_charge_density"]["units"] == "C/m**2"
    assert found["wall"]["options"] == ["ion", "plane"]
    unset = found["negative_diameter"]
    assert unset["value"] is None
    assert unset["description"].endswith("null: same as the positive ions")


def test_an_input_of_a_system_is_an_input_of_the_sim2l() -> None:
    from backend.inputs import SYSTEM

    assert set(SYSTEM) < set(schema.INPUTS)


# --- computation ----------------------------------------------------------------------------


def test_the_prediction_is_that_of_the_surrogate(tmp_path: Path) -> None:
    found = sim2l.compute({"method": "prediction", "salt_concentration": 0.6}, tmp_path)
    system = SlitSystem(salt_concentration=0.6)
    predicted = Surrogate.load().predict(system)
    assert list(found) == list(schema.OUTPUTS)
    assert found["z"] == bin_centres(system).tolist()
    assert found["ml_negative_density"] == predicted.negative.density.tolist()
    assert found["ml_positive_density_error"] == predicted.positive.error.tolist()
    assert found["ml_positive_mid"] == predicted.positive.mid_density
    assert found["model"] == predicted.model
    assert found["positive_density"] is None and found["converged"] is None


def test_a_simulation_has_profiles_with_errors_densities_and_charge(tmp_path: Path) -> None:
    found = sim2l.compute({"method": "simulation", **FEW_IONS}, tmp_path)
    density, error = np.array(found["negative_density"]), np.array(found["negative_density_error"])
    assert density.shape == error.shape == (300,)
    assert density.mean() == pytest.approx(0.5)  # the salt concentration
    assert 0 < np.median(error) < 0.5
    assert found["positive_contact_error"] > 0
    assert found["simulated_ns"] >= 0.003 and not found["converged"]
    assert found["summary"]["counts"] == {"positive": 20, "negative": 60}
    assert abs(found["integrated_charge"][-1]) < 1e-3  # the slit is neutral
    assert found["screening_length"] is None  # the walls have no charge
    assert found["ml_positive_density"] is None and found["model"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_figures_are_image_files_in_the_folder(tmp_path: Path) -> None:
    found = sim2l.compute({"method": "prediction"}, tmp_path)
    for name in schema.FIGURES:
        assert (tmp_path / found[name]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"salt_concentration": 9}, "salt_concentration = 9: must lie between 0.001 and 5 M"),
        ({"salt_concentration": "x"}, "salt_concentration = 'x': is not a number"),
        ({"method": "guess"}, "method = 'guess': must be one of prediction, simulation, both"),
        ({"confinement_length": 0.7}, "confinement_length = 0.7: must be at least 0.8568 nm"),
        ({"salinity": 1.0}, "salinity = 1.0: is not an input; known: method, confinement_length"),
        ({"surface_charge_density": -0.1}, "for this system, choose method = 'simulation'"),
    ],
)
def test_bad_inputs_are_refused_in_one_line(wrong: dict[str, Any], line: str) -> None:
    with pytest.raises(InvalidInput) as error:
        sim2l.compute(wrong)
    assert line in str(error.value) and "\n" not in str(error.value)


def test_the_inputs_are_found_among_the_variables_of_the_notebook() -> None:
    names = {
        "DESCRIPTION": "a",
        "_i": "b",
        "db": object(),
        "method": "both",
        "salinity": 2,
        "h": None,
    }
    assert sim2l.given(names) == {"method": "both", "salinity": 2, "h": None}


# --- with simtool ---------------------------------------------------------------------------

REFUSED = """
from simtool import Run, getSimToolInputs, searchForSimTool

sim2l = searchForSimTool("nanoconf")
inputs = getSimToolInputs(sim2l)
for name, value in (("salt_concentration", "9 M"), ("positive_valency", 4), ("wall", "soft")):
    try:
        inputs[name].value = value
    except ValueError as error:
        print(error)
try:
    Run(sim2l, {"salinity": 1.0}, venue="noSubmit", cache=False)
except Exception as error:
    print(error)
"""


def in_simtool(folder: Path, *command: str) -> str:
    """Run a program of the environment with simtool in a folder; return what it prints."""
    if not SIMTOOL.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no .venv-simtool: make test")
    environment = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    done = subprocess.run(
        [SIMTOOL, *command],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(NANOHUB.parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def laid_out(folder: Path) -> Path:
    """Copy the notebooks into a folder as in the tool; return the folder of the examples."""
    for name in ("simtool/nanoconf.ipynb", "examples/sim2l.ipynb"):
        (folder / name).parent.mkdir()
        (folder / name).write_bytes((NANOHUB / name).read_bytes())
    return folder / "examples"


def scraps(notebook: Path) -> dict[str, Any]:
    """Return the outputs that simtool has stored in a notebook."""
    found = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            for media, data in output.get("data", {}).items():
                if "scrapbook.scrap" in media:
                    value = data["data"]
                    is_file = value.startswith("file://")
                    found[data["name"]] = value if is_file else json.loads(value)
    return found


def printed(notebook: Path) -> str:
    """Return what the cells of a notebook have printed."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "".join("".join(output.get("text", [])) for output in outputs)


@pytest.mark.long
def test_the_example_runs_the_sim2l_and_reads_its_outputs(tmp_path: Path) -> None:
    folder = laid_out(tmp_path)
    in_simtool(folder, "-m", "papermill", "sim2l.ipynb", "done.ipynb", "--no-progress-bar")
    (run,) = (folder / "RUNS").iterdir()
    outputs = scraps(run / "nanoconf.ipynb")
    assert outputs["simToolAllOutputsSaved"] == 1
    simulated, predicted = (np.array(outputs[f"{n}positive_density"]) for n in ("", "ml_"))
    dense = predicted > 0.05 * predicted.max()
    assert np.median(abs(simulated[dense] / predicted[dense] - 1)) < 0.1
    assert f"contact  {outputs['positive_contact']:.4f} ± " in printed(folder / "done.ipynb")
    assert outputs["positive_figure"] == "file://positive_figure.png"
    assert (run / "positive_figure.png").exists()
    assert not math.isnan(outputs["charge_density_error"][150])


def test_simtool_refuses_bad_inputs_in_one_line(tmp_path: Path) -> None:
    lines = in_simtool(laid_out(tmp_path), "-c", REFUSED).splitlines()
    assert lines[:3] == ["Maximum value is 5", "Maximum value is 3", "soft is not a valid option"]
    assert [line for line in lines if line][-1].startswith("salinity = 1.0: is not an input; known")
