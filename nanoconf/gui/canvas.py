"""An ipympl canvas that shows what was last drawn, whatever the pace.

Imported when a figure is first seen: matplotlib takes most of a second to load.
"""

from __future__ import annotations

from typing import Any

from ipympl.backend_nbagg import Canvas, FigureManager
from matplotlib.figure import Figure

POINTS_PER_INCH = 100.0


class FigureCanvas(Canvas):
    """A canvas that sends whole images.

    ipympl sends what has changed since the image before; a browser that is handed two images at
    once paints only the second, and shows a mixture.
    """

    _css_size: tuple[int, int] = (0, 0)

    def get_diff_image(self) -> Any:
        """The image to send; whole, though the name says otherwise."""
        self._force_full = True
        return super().get_diff_image()

    def show(self, width: int, height: int) -> None:
        """Show what the figure holds now, in so many CSS pixels."""
        resized = (width, height) != self._css_size
        if resized:
            self._css_size = width, height
            self._resize_figure()
        # A browser that has just got the canvas, or more room for it, asks for the image itself.
        # Sent before, it would be painted half loaded, which browsers report as an error.
        if self.syncing_data_url:
            return
        if resized:
            self.manager.resize(*self.figure.bbox.size.round())
        else:
            self.draw()

    def _resize_figure(self) -> None:
        ratio, dpi = self.device_pixel_ratio, self.figure.dpi
        width, height = self._css_size
        self.figure.set_size_inches(width * ratio / dpi, height * ratio / dpi, forward=False)


def new_canvas(width: int, height: int) -> FigureCanvas:
    """A canvas of so many CSS pixels, outside pyplot and its global list of figures."""
    size = width / POINTS_PER_INCH, height / POINTS_PER_INCH
    canvas = FigureCanvas(Figure(size, dpi=POINTS_PER_INCH, layout="constrained"))
    FigureManager(canvas, 0)
    canvas._size = canvas._css_size = width, height
    canvas.header_visible = False
    canvas.resizable = False
    canvas.toolbar_position = "right"
    canvas.toolbar_visible = "fade-in-fade-out"
    return canvas
