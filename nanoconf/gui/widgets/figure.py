"""A figure, with its files, and its data as a table and for screen readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np

from nanoconf.gui import words
from nanoconf.gui.figures import figure_files
from nanoconf.gui.figures.data_table import as_html
from nanoconf.gui.figures.plots import Plot
from nanoconf.gui.figures.room import stacked
from nanoconf.gui.services.debounce import Debounced
from nanoconf.gui.state import AppState
from nanoconf.gui.widgets.controls import small_button

FOOTER_HEIGHT = 28
SMALLEST = (320, 220)
MEDIUM, NARROW, CONTROL_ROW = 820, 640, 34
"""Widths (CSS pixels) of the tab below which its controls take more rows, and the height of such a
row: see `style.css`."""

STACKED_HEIGHT = 320
"""Minimum height of each stacked chart."""

URGENT = ("prediction", "mean_field", "tab", "figures", "stage")
"""Traits whose changes are displayed immediately; changed inputs wait for their prediction."""

AROUND = ("tab", "figures", "stage", "dark")
"""Traits that every figure depends on."""


class Canvas(widgets.VBox):
    """A figure that is created when it is first selected, and drawn only while it is visible.

    Parameters
    ----------
    state : AppState
        Provides the selected figure and the available space.
    title : str
        Title of the figure: that of its tab, or one of `Tab.figures`.
    plot : callable
        Makes the `Plot`.
    reserved : callable
        Height (CSS pixels) of the other contents of the tab, as a function of its width.
    watched : tuple of str
        Traits of the state that the plot depends on.
    """

    def __init__(
        self,
        state: AppState,
        title: str,
        plot: Callable[[], Plot],
        reserved: Callable[[int], int] = lambda _width: 0,
        watched: tuple[str, ...] = (),
    ):
        self._state, self._title, self._plot, self._reserved = state, title, plot, reserved
        self._canvas: Any = None
        self._shown: tuple[Any, ...] = ()
        self._debounced = Debounced(self._refresh)
        self.numbers = widgets.HTML().add_class("nc-numbers")
        self.table = widgets.HTML(tabbable=True).add_class("nc-data")
        self.format = widgets.Dropdown(
            options=[(kind.upper(), kind) for kind in figure_files.FORMATS],
            tooltip="Format of the file",
        ).add_class("nc-format")
        self.save = small_button("Save", "Save the figure as a file", self._save)
        self.data = widgets.ToggleButton(
            description="Data table", tooltip="Show the data of the figure as a table"
        ).add_class("nc-small")
        controls = widgets.HBox([self.format, self.save, self.data]).add_class("nc-figure-tools")
        self._below = (controls, self.table, self.numbers)
        super().__init__(self._below)
        self.add_class("nc-figure")
        self.data.observe(self._table_toggled, "value")
        state.observe(self.refresh, (*AROUND, *watched))
        self.refresh()

    def refresh(self, change: Any = None) -> None:
        """Redraw the figure after a short delay if it is visible and has changed."""
        self._debounced.request(immediately=is_urgent(change))

    def _refresh(self) -> None:
        if self._state.shown_figure != self._title or self._state.stage == (0, 0):
            return
        plot = self._plot()
        # A run reports twice a second and drawing is slow, so an unchanged figure is not redrawn.
        shown = (self._state.stage, self._state.dark, self.data.value, *_contents(plot))
        if not _same(shown, self._shown):
            self._shown = shown
            self._draw(plot)

    def _draw(self, plot: Plot) -> None:
        from nanoconf.gui.figures.theme import DARK, LIGHT

        theme = DARK if self._state.dark else LIGHT
        if self._canvas is None:
            from nanoconf.gui.figures.canvas import new_canvas

            # The browser requests the image once it has created its side of the canvas.
            self._canvas = new_canvas(*self._size(plot))
            self._canvas.paint(plot, theme)
            self.children = (self._canvas, *self._below)
        else:
            self._canvas.fit(*self._size(plot))
            self._canvas.paint(plot, theme)
        self._mark("nc-painted-dark", self._state.dark)
        self._mark("nc-stacked", stacked(len(plot.charts), self._state.stage[0]))
        self.numbers.value = _numbers(plot)
        self.table.value = as_html(plot) if self.data.value else ""
        self.save.disabled = not plot.curves
        # Store the function, because the plot itself is outdated once the figure is hidden.
        self._state.drawn = {**self._state.drawn, self._title: self._plot}

    def _mark(self, name: str, wanted: bool) -> None:
        (self.add_class if wanted else self.remove_class)(name)

    def _size(self, plot: Plot) -> tuple[int, int]:
        width, height = self._state.stage
        height -= FOOTER_HEIGHT + self._reserved(width)
        charts = len(plot.charts)
        lowest = charts * STACKED_HEIGHT if stacked(charts, width) else SMALLEST[1]
        return max(SMALLEST[0], width), max(lowest, height)

    def _table_toggled(self, change: Any) -> None:
        self._mark("nc-tabled", change["new"])
        self._refresh()

    def _save(self) -> None:
        """Send the figure to the browser as a file of the chosen format."""
        plot, kind = self._plot(), self.format.value
        name = figure_files.file_name(plot, kind)
        try:
            self._state.deliver(
                name, figure_files.figure_file(plot, kind), figure_files.KINDS[kind]
            )
        except (OSError, RuntimeError, ValueError) as error:
            message = f"{name} could not be created: {words.one_line(error)}"
            self._state.report_failure(message)


def is_urgent(change: Any) -> bool:
    """Return True if a change in the state is displayed immediately."""
    return change is not None and change["name"] in URGENT


def _contents(plot: Plot) -> Sequence[Any]:
    """Return the parts of a plot that require a redraw when they change."""
    contents: list[Any] = [plot.hint]
    for chart in plot.charts:
        contents += [chart.width, chart.markers, chart.x_label, chart.y_label]
        for curve in chart.curves:
            contents += [curve.label, curve.x, curve.y, curve.stale]
    return contents


def _same(these: tuple[Any, ...], those: tuple[Any, ...]) -> bool:
    """Return True if the contents are equal; arrays are compared by identity."""
    return len(these) == len(those) and all(
        a is b or (not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray) and a == b)
        for a, b in zip(these, those, strict=True)
    )


def _numbers(plot: Plot) -> str:
    """Return the data of the curves as HTML, for screen readers and tests."""
    label, curves, lines = map(escape, (plot.as_text(), plot.as_json(), plot.lines_as_json()))
    return (
        f"<div role='img' aria-label='{label}' data-curves='{curves}' data-lines='{lines}'></div>"
    )
