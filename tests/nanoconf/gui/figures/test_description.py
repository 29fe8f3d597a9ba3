"""Figures in words and as tables."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np

from nanoconf.gui.figures.data_table import as_html
from nanoconf.gui.figures.plots import (
    DENSITY,
    MD,
    ML,
    PB,
    Z_AXIS,
    Chart,
    Columns,
    Curve,
    Marker,
    Plot,
)

Z = np.linspace(-1.49, 1.49, 299)


def two_peaks(height: float = 0.386) -> np.ndarray:
    peaks = np.exp(-((abs(Z) - 1.06) ** 2) / 0.01)
    return 0.32 + (height - 0.32) * peaks


def density(*curves: Curve) -> Plot:
    chart = Chart(curves, Z_AXIS, "Positive ion density (M)", DENSITY, 3.0)
    return Plot("Positive Ion Density", (chart,))


def test_a_profile_is_described_by_its_quantity_peaks_and_midplane():
    curve = Curve("MD simulation", Z, two_peaks(), MD, np.full(299, 0.003), "positive")
    assert density(curve).as_text() == (
        "Positive Ion Density. Positive ion density in M against distance from the midplane in nm. "
        "MD simulation: peak 0.386 M at z = −1.06 and 1.06 nm, midplane 0.32 M, "
        "typical error 0.003 M; walls at −1.5 and 1.5 nm"
    )


def test_a_peak_in_one_half_has_one_position():
    lopsided = two_peaks() - 0.1 * Z
    assert "peak 0.492 M at z = −1.07 nm," in density(Curve("MD", Z, lopsided, MD)).as_text()


def test_a_curve_with_negative_values_has_a_maximum_and_a_minimum():
    curve = Curve("MD", Z, 0.05 * np.cos(3 * Z), MD)
    chart = Chart((curve,), Z_AXIS, "Charge, z₊ρ₊ + z₋ρ₋ (e·M)", DENSITY, 3.0, from_zero=False)
    text = Plot("Charge Density", (chart,)).as_text()
    assert "Charge, z₊ρ₊ + z₋ρ₋ in e·M against distance from the midplane in nm" in text
    assert "MD: maximum 0.05 e·M at z = 0 nm, minimum −0.05 e·M at z = −1.05 and 1.05 nm" in text


def test_a_curve_that_is_zero_within_its_error_is_described_as_zero():
    curves = (
        Curve("MD", Z, 1e-5 * np.sin(50 * Z), MD, np.full(299, 2.5e-5)),
        Curve("PB", Z, np.zeros(299), PB),
    )
    chart = Chart(curves, Z_AXIS, "Charge (C/m²)", DENSITY, 3.0, from_zero=False, scale=1e-4)
    text = Plot("Integrated Charge", (chart,)).as_text()
    assert "MD: zero within the error of ± 2.5×10⁻⁵ C/m²; PB: zero;" in text


def test_unknown_values_are_left_out():
    z = np.array([-1.0, 0.0, 1.0])
    part = Curve("part", z, np.array([np.nan, -0.5, -2.0]), MD)
    none = Curve("none", z, np.full(3, np.nan), MD)
    plot = Plot("Trends", (Chart((part, none), "c (M)", "Density (M)", DENSITY),))
    assert plot.as_text() == (
        "Trends. Density in M against c in M. part: minimum −2 M at 1 M, from −0.5 M at 0 M "
        "to −2 M at 1 M; none: no known values"
    )
    assert Plot("Trends").as_text() == "Trends. No curves yet"


def test_bars_are_described_by_category():
    bars = Curve("total", np.array([0.2, 1.2]), np.array([0.9, 0.1]), ML, kind="bars")
    indices = Chart((bars,), "Input", "Sobol index", DENSITY, names=("c", "d"))
    text = Plot("Uncertainty", (indices,)).as_text()
    assert text == "Uncertainty. Sobol index against input. total: c 0.9, d 0.1"


def test_lines_are_described_with_their_positions():
    curve = Curve("MD", np.array([-1.0, 1.0]), np.array([-0.1, 0.1]), MD)
    markers = (
        Marker("z* = 0.55 nm from the left wall (MD)", x=-0.95, start=-1.5),
        Marker("±5 % of σ", y=0.0025, both=True),
    )
    columns = Columns("z_nm", "charge")
    chart = Chart((curve,), Z_AXIS, "Charge (C/m²)", columns, 3.0, markers)
    plot = Plot("Integrated Charge", (chart,))
    assert json.loads(plot.lines_as_json()) == [
        {"label": "walls", "z_nm": [-1.5, 1.5]},
        {"label": "z* = 0.55 nm from the left wall (MD)", "z_nm": [-0.95]},
        {"label": "±5 % of σ", "charge": [-0.0025, 0.0025]},
    ]
    assert plot.as_text().endswith(
        "; walls at −1.5 and 1.5 nm; z* = 0.55 nm from the left wall (MD) at −0.95 nm; "
        "±5 % of σ at −0.0025 and 0.0025 C/m²"
    )


class Cells(HTMLParser):
    """Cells of the tables of a page, by table."""

    def __init__(self, html: str):
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.scopes: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.scopes.append(dict(attributes).get("scope", ""))

    def handle_data(self, data):
        if self.tables and self.tables[-1]:
            self.tables[-1][-1][-1] += data


def test_a_data_table_has_headers_with_units_and_a_row_per_point():
    md = Curve("MD <b>", Z, two_peaks(), MD, np.full(299, 0.003))
    unknown = Curve("ML", Z, np.full(299, np.nan), ML)
    html = as_html(density(md, unknown))
    (table,) = Cells(html).tables
    assert table[0] == [
        "Distance from the midplane, z (nm)",
        "MD <b> (M)",
        "Error of MD <b> (M)",
        "ML (M)",
    ]
    assert len(table) == 300
    assert table[1][0] == "−1.49" and table[1][2:] == ["0.003", "unknown"]
    assert set(Cells(html).scopes) == {"col", "row", ""}
    assert "<caption>Positive Ion Density: Positive ion density</caption>" in html


def test_curves_with_different_points_have_separate_tables():
    half = Curve("points", Z[::10], two_peaks()[::10], MD)
    tables = Cells(as_html(density(Curve("line", Z, two_peaks(), ML), half))).tables
    assert [len(table) for table in tables] == [300, 31]
    bars = Curve("total", np.array([0.2, 1.2]), np.array([0.9, 0.1]), ML, kind="bars")
    indices = Chart((bars,), "Input", "Sobol index", DENSITY, names=("c", "d"))
    (table,) = Cells(as_html(Plot("Uncertainty", (indices,)))).tables
    assert table == [["Input", "total"], ["c", "0.9"], ["d", "0.1"]]
    assert as_html(Plot("Trends")) == "<p>No data yet.</p>"
