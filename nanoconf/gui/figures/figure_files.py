"""Figures as files: PNG, SVG and PDF pictures, and CSV data."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from backend import __version__
from nanoconf.gui.figures.plots import Chart, Curve, Plot

KINDS = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "csv": "text/csv",
}
"""Media type of each format of a figure."""

FORMATS = tuple(KINDS)

SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "pdf.fonttype": 42}
"""Keep text as text: it can be searched, and edited in a drawing program."""

CREATOR = f"Ions in Nanoconfinement, nanoconf {__version__}"

INCHES = (8.0, 5.0)
DPI = 200
WIDER = 1.6
"""Width of a figure with two charts, relative to one chart."""


def file_name(plot: Plot, kind: str) -> str:
    """Return the name of the file of a figure; see `Origin.stem`."""
    return f"{plot.origin.stem(plot.title)}.{kind}"


def figure_file(plot: Plot, kind: str) -> bytes:
    """Return a figure as the content of a file.

    Parameters
    ----------
    plot : Plot
        The figure.
    kind : {"png", "svg", "pdf", "csv"}
        Its picture in the light theme, or its data.
    """
    return plot_csv(plot).encode() if kind == "csv" else _picture(plot, kind)


def figure_metadata(plot: Plot, kind: str) -> dict[str, str]:
    """Return the metadata of a picture: title, inputs and sources, and the program.

    Parameters
    ----------
    plot : Plot
        The figure.
    kind : {"png", "svg", "pdf"}
        The format, which names the entries.
    """
    description, names = ". ".join(plot.origin.lines()), ", ".join(plot.origin.names)
    if kind == "pdf":
        found = {"Subject": description, "Keywords": names, "Creator": CREATOR}
    else:
        creator = "Software" if kind == "png" else "Creator"
        found = {"Description": description, "Source": names, creator: CREATOR}
    return {"Title": plot.title, **{key: text for key, text in found.items() if text}}


def _picture(plot: Plot, kind: str) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure

    from nanoconf.gui.figures.drawing import draw

    width, height = INCHES
    with matplotlib.rc_context(SETTINGS), io.BytesIO() as file:
        figure = Figure((width * WIDER if len(plot.charts) > 1 else width, height))
        draw(figure, plot)
        figure.savefig(file, format=kind, dpi=DPI, metadata=figure_metadata(plot, kind))
        return file.getvalue()


# --- data -----------------------------------------------------------------------------------


def plot_csv(plot: Plot) -> str:
    """Return the data of a figure as CSV text, one row per point: curve, x or name, y, error.

    Lines that start with ``#`` give the inputs, the sources, the quantities and their units.
    """
    lines = [plot.title, *plot.origin.lines(), f"Written by {CREATOR}"]
    return "\n".join([*map(_comment, lines), *map(_chart_csv, plot.charts)]) + "\n"


def _comment(text: str) -> str:
    return f"# {' '.join(text.split())}"


def _chart_csv(chart: Chart) -> str:
    columns = chart.columns
    lines = [
        _comment(f"{columns.x}: {chart.x_label}"),
        _comment(f"{columns.y}: {chart.y_label}"),
        f"curve,{columns.x},{columns.y},{columns.error}",
    ]
    lines += [row for curve in chart.curves for row in _rows(chart, curve)]
    return "\n".join(lines)


def _rows(chart: Chart, curve: Curve) -> Iterable[str]:
    label = curve.label.replace('"', "'")
    places = chart.names_of(curve) or _cells(curve.x)
    errors = [""] * len(curve.x) if curve.error is None else _cells(curve.error)
    for cells in zip(places, _cells(curve.y), errors, strict=True):
        yield f'"{label}",{",".join(cells)}'


def _cells(values: Iterable[float]) -> list[str]:
    return [f"{value:.8g}" for value in values]
