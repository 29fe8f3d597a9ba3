"""Files of the Downloads tab: simulation, prediction and theory."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from nanoconf.gui.figures import figure_files

if TYPE_CHECKING:
    from nanoconf.gui.state import AppState

KINDS = {
    "dat": "text/plain",
    "txt": "text/plain",
    "json": "application/json",
    "xyz": "text/plain",
    "lammpstrj": "text/plain",
    **figure_files.KINDS,
    "zip": "application/zip",
}
"""Media type of each kind of file."""


def kind_of(name: str) -> str:
    """Return the media type of a file, from its name."""
    return KINDS.get(name.rpartition(".")[2], "application/octet-stream")


def simulated_files(state: AppState) -> dict[str, str]:
    """Return the text of each file of the simulation on screen, by name."""
    return state.simulation.files if state.simulation is not None else {}


def predicted_files(state: AppState) -> dict[str, str]:
    """Return the text of each file of the prediction on screen, by name."""
    if state.prediction is None:
        return {}
    from nanoconf.surrogate.model import predicted_files

    charge = state.prediction.charge
    return {
        **predicted_files(state.prediction.profiles),
        f"ml_{charge.FILE}": charge.to_csv(),
    }


def theory_files(state: AppState) -> dict[str, str]:
    """Return the text of each file of mean-field theory, by name; none if it is off."""
    theory = state.theory
    if theory is None:
        return {}
    texts = {
        f"pb_{name}": text
        for name, text in theory.profiles.files().items()
        if name.endswith(".csv")
    }
    return {**texts, f"pb_{theory.charge.FILE}": theory.charge.to_csv()}


def archive(files: dict[str, bytes]) -> bytes:
    """Return a zip file with the given contents, by path."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return file.getvalue()
