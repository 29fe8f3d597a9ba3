"""An ipympl canvas that shows what was last drawn, whatever the pace.

Imported when a figure is first seen: matplotlib takes most of a second to load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ipympl.backend_nbagg import Canvas, FigureManager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nanoconf.gui import png
from nanoconf.gui.drawing import (
    Artists,
    Limits,
    Theme,
    draw_curves,
    draw_frame,
    frame_of,
    kept_limits,
    remove,
    set_limits,
)
from nanoconf.gui.plots import Plot

POINTS_PER_INCH = 100.0


class FigureCanvas(Canvas):
    """A canvas that follows a slider.

    It sends whole images: ipympl sends what has changed since the image before, and a browser that
    is handed two images at once paints only the second, and shows a mixture. And it draws anew only
    what has changed: axes, letters and legends take most of the time, and stay for a while.
    """

    _css_size: tuple[int, int] = (0, 0)
    _png_is_old: bool
    _resized = False
    _frame: tuple[Any, ...] = ()
    _ends: list[Limits] = []
    _background: Any = None
    _seen: list[tuple[float, float]] = []
    _curves: Artists = []

    def get_diff_image(self) -> bytes | None:
        """The image to send; whole, though the name says otherwise. None if it has been sent."""
        if not self._png_is_old:
            return None
        pixels = np.asarray(self.get_renderer().buffer_rgba())
        self._last_buff = pixels.view(np.uint32).squeeze(2).copy()
        self._png_is_old = False
        return png.encoded(pixels)

    def fit(self, width: int, height: int) -> None:
        """Take so many CSS pixels."""
        if (width, height) != self._css_size:
            self._css_size = width, height
            self._resized = True
            inches = width / POINTS_PER_INCH, height / POINTS_PER_INCH
            self.figure.set_size_inches(*inches, forward=False)

    def paint(self, plot: Plot, theme: Theme) -> None:
        """Show a plot."""
        frame = (frame_of(plot), theme.paper, self._css_size, self.figure.dpi)
        ends = kept_limits(plot, self._ends)
        if frame == self._frame and self._zoomed():
            self._replace_curves(plot, theme)
            self._show_by(self.draw)
            return
        if frame != self._frame:
            draw_frame(self.figure, plot, theme, ends)
            self._curves = []
        elif ends != self._ends:
            self._remove_curves()
            set_limits(self.figure, ends)
        if frame != self._frame or ends != self._ends:
            self._keep_background()
            self._frame, self._ends = frame, ends
        self.restore_region(self._background)
        self._replace_curves(plot, theme)
        self._add_curves()
        self._show_by(self.blit)

    def _keep_background(self) -> None:
        FigureCanvasAgg.draw(self)
        self._background = self.copy_from_bbox(self.figure.bbox)
        self._seen = self._limits()

    def _remove_curves(self) -> None:
        for axes, artists in self._curves:
            remove(axes, artists)
        self._curves = []

    def _replace_curves(self, plot: Plot, theme: Theme) -> None:
        self._remove_curves()
        self._curves = draw_curves(self.figure, plot, theme)

    def _add_curves(self) -> None:
        """Draw the curves onto what has been drawn."""
        for axes, artists in self._curves:
            for artist in sorted(artists, key=lambda artist: artist.get_zorder()):
                axes.draw_artist(artist)

    def _limits(self) -> list[tuple[float, float]]:
        return [ends for axes in self.figure.axes for ends in (axes.get_xlim(), axes.get_ylim())]

    def _zoomed(self) -> bool:
        """Whether the user has turned to a part of the figure, which stays."""
        return self._limits() != self._seen

    def _show_by(self, how: Callable[[], None]) -> None:
        # A browser that has just got the canvas, or more room for it, asks for the image itself.
        # Sent before, it would be painted half loaded, which browsers report as an error.
        if self.syncing_data_url:
            return
        if self._resized:
            self._resized = False
            self.manager.resize(*self.figure.bbox.size.round())
        else:
            how()


def new_canvas(width: int, height: int) -> FigureCanvas:
    """A canvas of so many CSS pixels, outside pyplot and its global list of figures."""
    size = width / POINTS_PER_INCH, height / POINTS_PER_INCH
    canvas = FigureCanvas(Figure(size, dpi=POINTS_PER_INCH))
    FigureManager(canvas, 0)
    canvas._size = canvas._css_size = width, height
    canvas.header_visible = False
    canvas.resizable = False
    canvas.toolbar_position = "right"
    canvas.toolbar_visible = "fade-in-fade-out"
    return canvas
