"""Files, once they exist. Voila serves none from disk: a small one is carried by its link, a large
one is made when it is asked for.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui import files, words
from nanoconf.gui.plots import Plot
from nanoconf.gui.state import DOWNLOADS, AppState
from nanoconf.gui.work import Work

WHAT = {
    "positive_density.csv": "Positive ions, CSV (z_nm, density_M, error_M)",
    "p_density_profile.dat": "Positive ions, tab separated, as the published tool writes it",
    "negative_density.csv": "Negative ions, CSV (z_nm, density_M, error_M)",
    "n_density_profile.dat": "Negative ions, tab separated, as the published tool writes it",
    "charge.csv": "Net charge density, integrated charge and potential, CSV",
    "histogram.csv": "Both ions by counting alone, without the forces, CSV",
    "run.json": "Inputs, seed, versions, timings, contact, peak and mid densities, checks",
    "trajectory.xyz": "Snapshots of the ions, extended XYZ (OVITO, VMD, ASE)",
    "trajectory.lammpstrj": "Snapshots of the ions, as LAMMPS dumps them",
}
PREFIXES = ("ml_", "pb_", "predicted_")

EVERYTHING = "nanoconfinement.zip"


class DownloadsPanel(widgets.VBox):
    """Links to the files of all that is on screen, and one zip of everything."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        self.all = _button("Everything in one zip", "All files and figures below", self._everything)
        self.simulated, self.predicted = widgets.HTML(), widgets.HTML()
        self.trajectory, self.figures = widgets.VBox(), widgets.VBox()
        super().__init__([self.all, self.simulated, self.trajectory, self.predicted, self.figures])
        self.add_class("nc-downloads")
        state.observe(
            self._show,
            [
                *("tab", "simulation", "simulation_stale", "prediction", "prediction_stale"),
                *("mean_field", "mean_field_wanted", "drawn"),
            ],
        )
        self._show()

    def _show(self, _change: Any = None) -> None:
        if self._state.tab == DOWNLOADS:
            self.simulated.value = self._simulation()
            self.predicted.value = self._prediction() + self._theory()
            self.trajectory.children = tuple(map(self._made, self._work.trajectory_names()))
            self.figures.children = self._figures()

    def _simulation(self) -> str:
        shown = self._state.simulation
        title = "Molecular dynamics"
        if shown is None or not shown.files:
            going = shown is not None and shown.active
            text = "The files appear here when the simulation has finished."
            return _section(title, "" if going else "Press Run first. ", text)
        about = f"{words.describe(shown.system)}, {words.simulated_ns(shown):.3g} ns"
        return _files(title, about, self._state.simulation_stale, shown.files)

    def _prediction(self) -> str:
        shown = self._state.prediction
        title = "Machine learning"
        if shown is None:
            text = "The files appear here with the prediction."
            return _section(title, "Press Predict using ML first. ", text)
        texts = files.predicted_files(self._state)
        return _files(title, words.describe(shown.system), self._state.prediction_stale, texts)

    def _theory(self) -> str:
        texts = files.theory_files(self._state)
        about = words.describe(self._state.system) if texts else ""
        return _files("Poisson-Boltzmann theory", about, False, texts) if texts else ""

    def _figures(self) -> tuple[widgets.Widget, ...]:
        plots = [plot for plot in self._state.drawn.values() if plot.curves]
        text = "" if plots else "Every figure that you have looked at can be had here."
        head = widgets.HTML(_section("Figures", text))
        return (head, *(self._figure(plot) for plot in plots))

    def _figure(self, plot: Plot) -> widgets.Widget:
        title = widgets.HTML(escape(plot.title)).add_class("nc-figure-name")
        buttons = [
            _button(kind.upper(), f"{plot.title} as {kind.upper()}", self._hand_figure(plot, kind))
            for kind in files.FORMATS
        ]
        return widgets.HBox([title, *buttons]).add_class("nc-file")

    def _hand_figure(self, plot: Plot, kind: str) -> Callable[[], None]:
        name = f"{files.stem(plot.title)}.{kind}"
        return lambda: self._hand(name, lambda: files.figure_file(plot, kind))

    def _made(self, name: str) -> widgets.Widget:
        """A file of the run that is too large for a link."""
        button = _button(name, WHAT[name], lambda: self._hand(name, self._reader(name)))
        return widgets.HBox([button, widgets.HTML(escape(WHAT[name]))]).add_class("nc-file")

    def _reader(self, name: str) -> Callable[[], bytes]:
        return lambda: self._work.run_file(name)

    def _everything(self) -> None:
        self._hand(EVERYTHING, self._pack)

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
        for plot in state.drawn.values():
            if plot.curves:
                for kind in files.FORMATS:
                    name = f"figures/{files.stem(plot.title)}.{kind}"
                    content[name] = files.figure_file(plot, kind)
        return files.archive(content)

    def _hand(self, name: str, make: Callable[[], bytes]) -> None:
        try:
            self._work.deliver(name, make(), files.kind_of(name))
        except (OSError, RuntimeError, ValueError) as error:
            self._state.fail(f"{name} could not be made: {words.one_line(error)}")


def _button(text: str, tooltip: str, action: Callable[[], None]) -> widgets.Button:
    button = widgets.Button(description=text, tooltip=tooltip).add_class("nc-small")
    button.on_click(lambda _button: action())
    return button


def _section(title: str, *texts: str) -> str:
    return f"<h3>{title}</h3><p>{escape(''.join(texts))}</p>"


def _files(title: str, about: str, stale: bool, texts: dict[str, str]) -> str:
    note = " <em>not the inputs at the left</em>" if stale else ""
    rows = "".join(_row(name, text) for name, text in texts.items())
    return f"<h3>{title}</h3><p>{escape(about)}{note}</p><table>{rows}</table>"


def _row(name: str, text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    what = name
    for prefix in PREFIXES:
        what = what.replace(prefix, "")
    return (
        f"<tr><td><a download='{escape(name)}' "
        f"href='data:{files.kind_of(name)};base64,{data}'>{escape(name)}</a>"
        f"</td><td>{escape(WHAT.get(what, ''))}</td></tr>"
    )
