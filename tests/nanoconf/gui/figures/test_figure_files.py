"""Files of figures: pictures with metadata and text, and data."""

from __future__ import annotations

import io
import re
import zlib
from xml.etree import ElementTree

import numpy as np
import pandas
import pytest
from PIL import Image

from backend import __version__
from backend.system import SlitSystem
from nanoconf.gui.figures import figure_files
from nanoconf.gui.figures.origin import MD, Origin, Source
from nanoconf.gui.figures.plots import DENSITY, ML, Z_AXIS, Chart, Columns, Curve, Plot
from nanoconf.gui.tabs.profiles.model import prediction_plot
from tests.support.profiles import prediction

RUN = "3c8277b7d0524c5a9f6d2f4be2f4f3ab"
Z = np.linspace(-1.5, 1.5, 300)


@pytest.fixture
def plot() -> Plot:
    curve = Curve("MD simulation", Z, np.cos(Z), MD, np.full(300, 0.01), "positive")
    chart = Chart((curve,), Z_AXIS, "Positive ion density (M)", DENSITY, 3.0)
    origin = Origin((Source(MD, RUN, SlitSystem()),))
    return Plot("Positive Ion Density", (chart,), origin=origin)


def streams(content: bytes) -> bytes:
    """Return a PDF file with its compressed streams."""
    packed = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    unpacked = []
    for each in packed:
        try:
            unpacked.append(zlib.decompress(each))
        except zlib.error:
            continue
    return b"".join([content, *unpacked])


def test_a_png_names_its_inputs_and_its_run(plot):
    picture = Image.open(io.BytesIO(figure_files.figure_file(plot, "png")))
    assert picture.text["Title"] == "Positive Ion Density"
    assert "Inputs: h 3 nm, 1:−1, 0.5 M" in picture.text["Description"]
    assert picture.text["Source"] == RUN
    assert picture.text["Software"] == f"Ions in Nanoconfinement, nanoconf {__version__}"
    assert picture.size == (1600, 1000)


def test_an_svg_keeps_text_as_text_and_names_its_run(plot):
    content = figure_files.figure_file(plot, "svg").decode()
    texts = [
        each.text for each in ElementTree.fromstring(content).iter() if each.tag.endswith("}text")
    ]
    assert "Positive ion density (M)" in texts
    assert RUN in content and "Inputs: h 3 nm, 1:−1, 0.5 M" in content
    assert f"nanoconf {__version__}" in content


def test_a_pdf_embeds_its_fonts_and_names_its_run(plot):
    content = streams(figure_files.figure_file(plot, "pdf"))
    assert content.startswith(b"%PDF") and b"/FontFile2" in content  # TrueType
    assert b"/Type3" not in content
    assert RUN.encode() in content
    assert f"nanoconf {__version__}".encode() in content


def test_a_csv_starts_with_comments_and_can_be_read_with_them(plot):
    text = figure_files.figure_file(plot, "csv").decode()
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert text.startswith("# Positive Ion Density\n# Inputs: h 3 nm, 1:−1, 0.5 M, d 0.714 nm")
    assert f"# Source: MD simulation, run {RUN}" in comments
    assert f"# Written by Ions in Nanoconfinement, nanoconf {__version__}" in comments
    assert "# density_M: Positive ion density (M)" in comments
    table = pandas.read_csv(io.StringIO(text), comment="#")
    assert list(table.columns) == ["curve", "z_nm", "density_M", "error_M"]
    np.testing.assert_allclose(table["density_M"], np.cos(Z), rtol=1e-7)


def test_named_bars_are_exported_by_name():
    bars = Curve("total", np.array([0.2, 1.2]), np.array([0.9, 0.1]), ML, np.array([0.01, 0.02]))
    columns = Columns("input", "sobol_index", "confidence_95")
    plot = Plot("Uncertainty", (Chart((bars,), "Input", "Share", columns, names=("c", "d")),))
    rows = [row for row in figure_files.plot_csv(plot).splitlines() if not row.startswith("#")]
    assert rows == [
        "curve,input,sobol_index,confidence_95",
        '"total",c,0.9,0.01',
        '"total",d,0.1,0.02',
    ]


def test_a_prediction_can_be_saved_in_every_format(state):
    state.predicted(prediction(SlitSystem()))
    plot = prediction_plot(state)
    content = {kind: figure_files.figure_file(plot, kind) for kind in figure_files.FORMATS}
    rows = [row for row in content["csv"].decode().splitlines() if not row.startswith("#")]
    assert rows[0] == "curve,z_nm,density_M,error_M" and len(rows) == 601
    assert content["png"].startswith(b"\x89PNG")
    assert content["pdf"].startswith(b"%PDF")
    assert b"<svg" in content["svg"]
    assert figure_files.file_name(plot, "svg") == "h3.0_1-1_0.5M_model_prediction.svg"
