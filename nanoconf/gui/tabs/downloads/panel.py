"""Downloads: links to small files, and buttons that make large ones on request.

Voila serves no files from disk, so a link contains the whole file.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui import words
from nanoconf.gui.figures import figure_files
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState, MachineLearning, Simulation
from nanoconf.gui.tabs.downloads import model as files
from nanoconf.gui.tabs.registry import DOWNLOADS
from nanoconf.gui.widgets.controls import small_button
from nanoconf.gui.widgets.rows import Rows

DESCRIPTIONS = {
    "positive_density.csv": "Positive ions, CSV (z_nm, density_M, error_M)",
    "p_density_profile.dat": "Positive ions, tab-separated, in the format of the published tool",
    "negative_density.csv": "Negative ions, CSV (z_nm, density_M, error_M)",
    "n_density_profile.dat": "Negative ions, tab-separated, in the format of the published tool",
    "charge.csv": "Net charge density, integrated charge and potential, CSV",
    "histogram.csv": "Both ion species, histogram estimate without force sampling, CSV",
    "run.json": "Inputs, seed, versions, timings; contact, peak and midplane densities; checks",
    "trajectory.xyz": "Snapshots of the ions, extended XYZ (OVITO, VMD, ASE)",
    "trajectory.lammpstrj": "Snapshots of the ions, LAMMPS dump format",
}
PREFIXES = ("ml_", "pb_", "predicted_")

EVERYTHING = "nanoconfinement.zip"


class DownloadsPanel(widgets.VBox):
    """Links to the files of all results on screen, and one zip file with everything."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        self.all = small_button(
            "Everything in one zip", "All files and figures below", self._everything
        )
        self.simulated, self.predicted = widgets.HTML(), widgets.HTML()
        self.trajectory, self.figures = Rows(self._run_file), Rows(self._figure)
        self.about_figures = widgets.HTML()
        super().__init__(
            [
                *(self.all, self.simulated, self.trajectory, self.predicted),
                *(self.about_figures, self.figures),
            ]
        )
        self.add_class("nc-downloads")
        simulation = ["simulation", "simulation_stale"]
        others = ["prediction", "prediction_stale", "mean_field", "mean_field_wanted"]
        state.observe(self._show_simulation, ["tab", *simulation])
        state.observe(self._show_others, ["tab", *others])
        state.observe(self._show_figures, ["tab", *simulation, *others])
        for show in (self._show_simulation, self._show_others, self._show_figures):
            show()

    def _show_simulation(self, _change: Any = None) -> None:
        if self._state.tab == DOWNLOADS:
            self.simulated.value = self._simulation()
            self.trajectory.show(self._work.trajectory_names())

    def _show_others(self, _change: Any = None) -> None:
        if self._state.tab == DOWNLOADS:
            self.predicted.value = self._prediction() + self._theory()

    def _show_figures(self, _change: Any = None) -> None:
        if self._state.tab == DOWNLOADS:
            tabs = [tab for tab, plot in self._state.drawn.items() if plot().curves]
            text = "" if tabs else "Figures appear here after you open their tabs."
            self.about_figures.value = _section("Figures", text)
            self.figures.show(tabs)

    def _simulation(self) -> str:
        shown = self._state.simulation
        title = "Molecular dynamics"
        if shown is None or not shown.files:
            active = shown is not None and shown.active
            text = "The files appear here when the simulation has finished."
            return _section(title, "" if active else "Press Run first. ", text)
        about = f"{words.describe(shown.system)}, {words.result_length(shown)}"
        return _files(title, about, self._is_stale(shown), shown.files)

    def _prediction(self) -> str:
        shown = self._state.prediction
        title = "Machine learning"
        if shown is None:
            text = "The files appear here after the prediction."
            return _section(title, "Press Predict using ML first. ", text)
        texts = files.predicted_files(self._state)
        return _files(title, words.describe(shown.system), self._is_stale(shown), texts)

    def _theory(self) -> str:
        texts = files.theory_files(self._state)
        about = words.describe(self._state.system) if texts else ""
        return _files("Poisson-Boltzmann theory", about, False, texts) if texts else ""

    def _is_stale(self, shown: Simulation | MachineLearning) -> bool:
        return not self._state.is_current(shown.system)

    def _figure(self, tab: str) -> widgets.Widget:
        """Return the row for a figure, with a button for each format."""
        title = widgets.HTML(escape(tab)).add_class("nc-figure-name")
        buttons = [
            small_button(kind.upper(), f"{tab} as {kind.upper()}", self._sender(tab, kind))
            for kind in figure_files.FORMATS
        ]
        return widgets.HBox([title, *buttons]).add_class("nc-file")

    def _sender(self, tab: str, kind: str) -> Callable[[], None]:
        def send() -> None:
            plot = self._state.drawn[tab]()
            self._deliver(
                figure_files.file_name(plot, kind), lambda: figure_files.figure_file(plot, kind)
            )

        return send

    def _run_file(self, name: str) -> widgets.Widget:
        """Return the row for a file that is too large for a link."""
        about = DESCRIPTIONS[name]
        button = small_button(name, about, lambda: self._deliver(name, self._reader(name)))
        return widgets.HBox([button, widgets.HTML(escape(about))]).add_class("nc-file")

    def _reader(self, name: str) -> Callable[[], bytes]:
        return lambda: self._work.run_file(name)

    def _everything(self) -> None:
        self._deliver(EVERYTHING, self._pack)

    def _pack(self) -> bytes:
        state = self._state
        texts = {
            **files.simulated_files(state),
            **files.predicted_files(state),
            **files.theory_files(state),
        }
        content = {name: text.encode() for name, text in texts.items()}
        for name in self._work.trajectory_names():
            content[name] = self._work.run_file(name)
        for plot in (make() for make in state.drawn.values()):
            if plot.curves:
                for kind in figure_files.FORMATS:
                    name = f"figures/{figure_files.file_name(plot, kind)}"
                    content[name] = figure_files.figure_file(plot, kind)
        return files.archive(content)

    def _deliver(self, name: str, make: Callable[[], bytes]) -> None:
        try:
            self._state.deliver(name, make(), files.kind_of(name))
        except (OSError, RuntimeError, ValueError) as error:
            message = f"{name} could not be created: {words.one_line(error)}"
            self._state.report_failure(message)


def _section(title: str, *texts: str) -> str:
    return f"<h3>{title}</h3><p>{escape(''.join(texts))}</p>"


def _files(title: str, about: str, stale: bool, texts: dict[str, str]) -> str:
    note = " <em>different inputs</em>" if stale else ""
    rows = "".join(_row(name, text) for name, text in texts.items())
    return f"<h3>{title}</h3><p>{escape(about)}{note}</p><table>{rows}</table>"


def _row(name: str, text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    unprefixed = name
    for prefix in PREFIXES:
        unprefixed = unprefixed.replace(prefix, "")
    return (
        f"<tr><td><a download='{escape(name)}' "
        f"href='data:{files.kind_of(name)};base64,{data}'>{escape(name)}</a>"
        f"</td><td>{escape(DESCRIPTIONS.get(unprefixed, ''))}</td></tr>"
    )
