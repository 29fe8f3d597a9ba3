"""An ipympl canvas fast enough to follow a slider.

The module is imported when a figure is first displayed, because matplotlib takes most of a second
to load.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from ipympl.backend_nbagg import Canvas, FigureManager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nanoconf.gui.figures import png
from nanoconf.gui.figures.drawing import (
    Artists,
    draw_contents,
    draw_frame,
    frame_of,
    remove_contents,
)
from nanoconf.gui.figures.figure_files import figure_metadata
from nanoconf.gui.figures.keys import navigate
from nanoconf.gui.figures.limits import Limits, fits, kept_limits, set_limits
from nanoconf.gui.figures.plots import Plot
from nanoconf.gui.figures.room import arrange
from nanoconf.gui.figures.room import fits as labels_fit
from nanoconf.gui.figures.theme import Theme

POINTS_PER_INCH = 100.0


class FigureCanvas(Canvas):
    """A canvas that can be redrawn at every step of a slider.

    It sends complete images. ipympl sends differences, and a browser that receives two of them at
    once paints only the second, which corrupts the image. The canvas also redraws only what has
    changed: axes, text and legends take most of the drawing time and rarely change.
    """

    _css_size: tuple[int, int] = (0, 0)
    _png_is_old: bool
    _resized = False
    _frame: tuple[Any, ...] = ()
    _ends: list[Limits] = []
    _across: list[tuple[float, float]] = []
    _base: Any = None
    _background: Any = None
    _seen: list[tuple[float, float]] = []
    _curves: Artists = []
    _shown: Plot | None = None

    def get_diff_image(self) -> bytes | None:
        """Return the image as a PNG file, complete despite the name; None if already sent."""
        if not self._png_is_old:
            return None
        pixels = np.asarray(self.get_renderer().buffer_rgba())
        self._last_buff = pixels.view(np.uint32).squeeze(2).copy()
        self._png_is_old = False
        return png.encoded(pixels)

    def draw(self) -> None:
        """Draw the whole figure; the margins follow the tick labels of a zoomed figure."""
        if self._shown is not None and self._seen and self._zoomed():
            arrange(self.figure, len(self._shown.charts))
            self._ends, self._across = [], []  # the margins no longer are those of these limits
        super().draw()

    def _send_save_buffer(self) -> None:
        """Download the figure as it is on the page; the toolbar calls this method."""
        plot = self._shown or Plot("Figure")
        with io.BytesIO() as file:
            self.figure.savefig(file, format="png", metadata=figure_metadata(plot, "png"))
            content = file.getvalue()
        self._figure_label = plot.origin.stem(plot.title)  # the browser adds the extension
        message = json.dumps({"type": "save", "format": "png"})
        self.send({"data": message}, buffers=[content])

    def fit(self, width: int, height: int) -> None:
        """Resize the canvas to a width and height in CSS pixels."""
        if (width, height) != self._css_size:
            self._css_size = width, height
            self._resized = True
            inches = width / POINTS_PER_INCH, height / POINTS_PER_INCH
            self.figure.set_size_inches(*inches, forward=False)

    def paint(self, plot: Plot, theme: Theme, *, final: bool = False) -> None:
        """Display a plot.

        Unless `final`, curves that fit are first drawn into the existing axes; the axes are
        adjusted one frame later.
        """
        self._shown = plot
        frame = (frame_of(plot), theme.paper, self._css_size, self.figure.dpi)
        if frame == self._frame and self._zoomed():
            self._replace_curves(plot, theme)
            self._show_by(self.draw)
            return
        ends = kept_limits(plot, self._ends)
        if ends != self._ends and frame == self._frame and fits(plot, self._ends) and not final:
            ends = self._ends
            asyncio.get_running_loop().call_soon(self._adapt, plot, theme)
        self._prepare(plot, theme, frame, ends)
        self.restore_region(self._background)
        self._replace_curves(plot, theme)
        self._add_curves()
        self._show_by(self.blit)

    def _adapt(self, plot: Plot, theme: Theme) -> None:
        if plot is self._shown:
            self.paint(plot, theme, final=True)

    def _prepare(
        self, plot: Plot, theme: Theme, frame: tuple[Any, ...], ends: list[Limits]
    ) -> None:
        """Redraw the background of the curves where it has changed."""
        same_frame = frame == self._frame
        if same_frame and ends == self._ends:
            return
        across = [each[:2] for each in ends]
        if same_frame:
            self._remove_curves()
            set_limits(self.figure, ends)
            same_frame = across == self._across and labels_fit(self.figure, len(plot.charts))
        if not same_frame:
            draw_frame(self.figure, plot, theme, ends)
            self._curves = []
            self._keep_base()
        self._keep_background()
        self._frame, self._ends, self._across = frame, ends, across

    def _keep_base(self) -> None:
        """Draw everything except the curves and the vertical axes, which change with them."""
        self._set_animated(True)
        FigureCanvasAgg.draw(self)
        self._set_animated(False)
        self._base = self.copy_from_bbox(self.figure.bbox)

    def _keep_background(self) -> None:
        self.restore_region(self._base)
        for axes in self.figure.axes:
            axes.draw_artist(axes.yaxis)
        self._background = self.copy_from_bbox(self.figure.bbox)
        self._seen = self._limits()

    def _set_animated(self, animated: bool) -> None:
        for axes in self.figure.axes:
            axes.yaxis.set_animated(animated)

    def _remove_curves(self) -> None:
        remove_contents(self._curves)
        self._curves = []

    def _replace_curves(self, plot: Plot, theme: Theme) -> None:
        self._remove_curves()
        self._curves = draw_contents(self.figure, plot, theme)

    def _add_curves(self) -> None:
        """Draw the curves onto the background."""
        for axes, artists in self._curves:
            for artist in sorted(artists, key=lambda artist: artist.get_zorder()):
                axes.draw_artist(artist)

    def _limits(self) -> list[tuple[float, float]]:
        return [ends for axes in self.figure.axes for ends in (axes.get_xlim(), axes.get_ylim())]

    def _zoomed(self) -> bool:
        """True if the user has zoomed or panned; the limits then stay fixed."""
        return self._limits() != self._seen

    def _show_by(self, update: Callable[[], None]) -> None:
        # A browser that has just received or resized the canvas requests the image itself. An
        # image sent earlier would be painted half loaded, which browsers report as an error.
        if self.syncing_data_url:
            return
        if self._resized:
            self._resized = False
            self.manager.resize(*self.figure.bbox.size.round())
        else:
            update()


def new_canvas(width: int, height: int) -> FigureCanvas:
    """Return a canvas of a given size (CSS pixels), outside pyplot and its global figure list."""
    size = width / POINTS_PER_INCH, height / POINTS_PER_INCH
    canvas = FigureCanvas(Figure(size, dpi=POINTS_PER_INCH))
    FigureManager(canvas, 0)
    canvas.mpl_connect("key_press_event", navigate)
    canvas._size = canvas._css_size = width, height
    canvas.header_visible = False
    canvas.resizable = False
    canvas.toolbar_position = "right"
    canvas.toolbar_visible = "fade-in-fade-out"
    return canvas
