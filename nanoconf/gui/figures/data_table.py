"""Data of a plot as HTML tables."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from nanoconf.gui.figures.plots import formatted, quantity_of, unit_of

if TYPE_CHECKING:
    from nanoconf.gui.figures.plots import Chart, Curve, Plot

DIGITS = ".5g"


def as_html(plot: Plot) -> str:
    """Return the data of a plot as HTML tables: one for all curves of a chart with the same x."""
    tables = [
        _table(plot, chart, list(curves))
        for chart in plot.charts
        for _, curves in groupby(chart.curves, lambda curve: curve.x.tobytes())
    ]
    return "".join(tables) or "<p>No data yet.</p>"


def _table(plot: Plot, chart: Chart, curves: list[Curve]) -> str:
    head = "".join(f"<th scope='col'>{escape(each)}</th>" for each in _headers(chart, curves))
    rows = "".join(map(_row, zip(*_columns(chart, curves), strict=True)))
    caption = escape(f"{plot.title}: {quantity_of(chart.y_label)}")
    return (
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _headers(chart: Chart, curves: list[Curve]) -> list[str]:
    unit = unit_of(chart.y_label)
    unit = f" ({unit})" if unit else ""
    headers = [chart.x_label]
    for curve in curves:
        headers.append(f"{curve.label}{unit}")
        if curve.error is not None:
            headers.append(f"Error of {curve.label}{unit}")
    return headers


def _columns(chart: Chart, curves: list[Curve]) -> list[list[str]]:
    first = curves[0]
    columns = [chart.names_of(first) or [formatted(x, DIGITS) for x in first.x]]
    for curve in curves:
        for values in (curve.y, curve.error):
            if values is not None:
                columns.append([_cell(value) for value in values])
    return columns


def _cell(value: float) -> str:
    return formatted(value, DIGITS) if value == value else "unknown"


def _row(cells: tuple[str, ...]) -> str:
    first, *others = map(escape, cells)
    return f"<tr><th scope='row'>{first}</th>{''.join(f'<td>{each}</td>' for each in others)}</tr>"
