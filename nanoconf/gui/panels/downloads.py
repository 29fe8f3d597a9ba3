"""Files, once they exist. Voila serves none from disk, so each link carries its file."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui import words
from nanoconf.gui.state import AppState

WHAT = {
    "positive_density.csv": "Positive ions, CSV (z_nm, density_M, error_M)",
    "p_density_profile.dat": "Positive ions, tab separated, as the published tool writes it",
    "negative_density.csv": "Negative ions, CSV (z_nm, density_M, error_M)",
    "n_density_profile.dat": "Negative ions, tab separated, as the published tool writes it",
    "charge.csv": "Net charge density, integrated charge and potential, CSV",
    "histogram.csv": "Both ions by counting alone, without the forces, CSV",
    "run.json": "Inputs, seed, versions, timings, contact, peak and mid densities, checks",
}
TYPES = {"csv": "text/csv", "dat": "text/plain", "json": "application/json"}


class DownloadsPanel(widgets.VBox):
    """Links to the files of the simulation and of the prediction on screen."""

    def __init__(self, state: AppState):
        self._state = state
        self.simulated, self.predicted = widgets.HTML(), widgets.HTML()
        super().__init__([self.simulated, self.predicted])
        self.add_class("nc-downloads")
        state.observe(self._show_simulation, ["simulation", "simulation_stale"])
        state.observe(self._show_prediction, ["prediction", "prediction_stale"])
        self._show_simulation()
        self._show_prediction()

    def _show_simulation(self, _change: Any = None) -> None:
        shown = self._state.simulation
        title = "Molecular dynamics"
        if shown is None or not shown.files:
            going = shown is not None and shown.active
            text = "The files appear here when the simulation has finished."
            self.simulated.value = _section(title, "" if going else "Press Run first. ", text)
            return
        about = f"{words.describe(shown.system)}, {shown.settings.duration_ns:g} ns"
        self.simulated.value = _files(title, about, self._state.simulation_stale, shown.files)

    def _show_prediction(self, _change: Any = None) -> None:
        shown = self._state.prediction
        title = "Machine learning"
        if shown is None:
            text = "The files appear here with the prediction."
            self.predicted.value = _section(title, "Press Predict using ML first. ", text)
            return
        about = words.describe(shown.system)
        self.predicted.value = _files(title, about, self._state.prediction_stale, shown.files)


def _section(title: str, *texts: str) -> str:
    return f"<h3>{title}</h3><p>{escape(''.join(texts))}</p>"


def _files(title: str, about: str, stale: bool, files: dict[str, str]) -> str:
    note = " <em>not the inputs at the left</em>" if stale else ""
    rows = "".join(_row(name, text) for name, text in files.items())
    return f"<h3>{title}</h3><p>{escape(about)}{note}</p><table>{rows}</table>"


def _row(name: str, text: str) -> str:
    kind = TYPES.get(name.rpartition(".")[2], "text/plain")
    data = base64.b64encode(text.encode()).decode()
    what = WHAT.get(name, WHAT.get(name.removeprefix("ml_").replace("predicted_", ""), ""))
    return (
        f"<tr><td><a download='{escape(name)}' href='data:{kind};base64,{data}'>{escape(name)}</a>"
        f"</td><td>{escape(what)}</td></tr>"
    )
