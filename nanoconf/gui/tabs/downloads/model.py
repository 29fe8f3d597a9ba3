"""Files of the Downloads tab: simulation, prediction, theory and figures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nanoconf.gui.figures.plots import Plot

if TYPE_CHECKING:
    from nanoconf.gui.state import AppState

FIGURE_INCHES = (8.0, 5.0)
FIGURE_DPI = 200
WIDER = 1.6
"""Width of a figure with two charts, relative to one chart."""

KINDS = {
    "csv": "text/csv",
    "dat": "text/plain",
    "txt": "text/plain",
    "json": "application/json",
    "xyz": "text/plain",
    "lammpstrj": "text/plain",
    "png": "image/png",
    "svg": "image/svg+xml",
    "zip": "application/zip",
}
"""Media type of each kind of file."""

FORMATS = ("csv", "png", "svg")
"""Formats of a figure."""


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


def stem(title: str) -> str:
    """Return the stem of a figure's file names: ``Charge Density`` gives ``charge_density``."""
    return title.lower().replace(" ", "_")


def figure_file(plot: Plot, kind: str) -> bytes:
    """Return a figure as the content of a file.

    Parameters
    ----------
    plot : Plot
        The figure.
    kind : {"csv", "png", "svg"}
        Its data, or its picture in the light theme.
    """
    return plot_csv(plot).encode() if kind == "csv" else _picture(plot, kind)


def plot_csv(plot: Plot) -> str:
    """Return the data of a figure as CSV text, one row per point: curve, x or name, y, error."""
    lines = []
    for chart in plot.charts:
        columns = chart.columns
        lines.append(f"curve,{columns.x},{columns.y},{columns.error}")
        for curve in chart.curves:
            label = curve.label.replace('"', "'")
            places = chart.names_of(curve) or _cells(curve.x)
            errors = [""] * len(curve.x) if curve.error is None else _cells(curve.error)
            for cells in zip(places, _cells(curve.y), errors, strict=True):
                lines.append(f'"{label}",{",".join(cells)}')
    return "\n".join(lines) + "\n"


def _cells(values: Iterable[float]) -> list[str]:
    return [f"{value:.8g}" for value in values]


def _picture(plot: Plot, kind: str) -> bytes:
    from matplotlib.figure import Figure

    from nanoconf.gui.figures.drawing import draw

    width, height = FIGURE_INCHES
    figure = Figure((width * WIDER if len(plot.charts) > 1 else width, height))
    draw(figure, plot)
    with io.BytesIO() as file:
        figure.savefig(file, format=kind, dpi=FIGURE_DPI)
        return file.getvalue()


def archive(files: dict[str, bytes]) -> bytes:
    """Return a zip file with the given contents, by path."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return file.getvalue()
