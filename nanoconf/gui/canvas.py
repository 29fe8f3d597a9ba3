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

    def get_diff_image(self) -> Any:
        """The image to send; whole, though the name says otherwise."""
        self._force_full = True
        return super().get_diff_image()

    def fit(self, width: int, height: int) -> None:
        """Fill so many CSS pixels."""
        ratio = self.device_pixel_ratio
        pixels = round(width * ratio), round(height * ratio)
        if tuple(self.figure.bbox.size.round().astype(int)) != pixels:
            dpi = self.figure.dpi
            self.figure.set_size_inches(pixels[0] / dpi, pixels[1] / dpi, forward=False)
            self.manager.resize(*pixels)


def new_canvas() -> FigureCanvas:
    """A canvas with an empty figure, outside pyplot and its global list of figures."""
    canvas = FigureCanvas(Figure(dpi=POINTS_PER_INCH, layout="constrained"))
    FigureManager(canvas, 0)
    canvas.header_visible = False
    canvas.resizable = False
    canvas.toolbar_position = "right"
    canvas.toolbar_visible = "fade-in-fade-out"
    return canvas
