"""Draws density profiles, in the colours that Okabe and Ito chose for colour-blind readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nanoconf.gui.curves import MD, Curve
from nanoconf.surrogate.band import HALF_WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8a8f98"
INK, FAINT, WALL = "#23262d", "#e6e8ec", "#d9dce2"

STYLES: dict[tuple[str, str], dict[str, Any]] = {
    ("MD", "positive"): {"color": BLUE, "marker": "s"},
    ("MD", "negative"): {"color": BLUE, "marker": "o"},
    ("ML", "positive"): {"color": ORANGE, "linestyle": "-"},
    ("ML", "negative"): {"color": GREEN, "linestyle": (0, (6, 2))},
}

RC: Any = {
    "font.size": 11,
    "axes.labelsize": 12,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
}


def draw(figure: Figure, curves: list[Curve], width: float, hint: str = "") -> None:
    """Draw curves into a figure, in place of what was there.

    Parameters
    ----------
    figure : Figure
        The figure.
    curves : list of Curve
        What to draw; stale ones turn pale.
    width : float
        Slit width (nm) where there are no curves to tell.
    hint : str
        What an empty figure says.
    """
    import matplotlib

    with matplotlib.rc_context(RC):
        figure.clear()
        axes = figure.add_subplot()
        _draw_slit(axes, max([curve.width for curve in curves], default=width))
        artists = [
            _draw_points(axes, curve) if curve.source == MD else _draw_line(axes, curve)
            for curve in curves
        ]
        _label(axes)
        if curves:
            axes.set_ylim(0, None)
            axes.margins(y=0.12)
            figure.legend(handles=artists, loc="outside upper center", ncols=2)
        else:
            axes.set_ylim(0, 1)
            axes.set_yticks([])
            axes.text(0.5, 0.5, hint, transform=axes.transAxes, ha="center", va="center", size=13)


def _draw_slit(axes: Axes, width: float) -> None:
    """The walls, so that one sees what is confined."""
    half, margin = width / 2, 0.03 * width
    axes.set_xlim(-half - margin, half + margin)
    for side in (-1, 1):
        axes.axvspan(side * half, side * (half + margin), color=WALL, lw=0, zorder=0)
        axes.axvline(side * half, color=GREY, lw=1, zorder=1)
    axes.grid(axis="y", color=FAINT, lw=0.8)
    axes.set_axisbelow(True)


def _draw_points(axes: Axes, curve: Curve) -> Any:
    style = STYLES[curve.source, curve.species]
    return axes.errorbar(
        curve.z,
        curve.density,
        yerr=curve.error,
        fmt=style["marker"],
        color=GREY if curve.stale else style["color"],
        alpha=0.45 if curve.stale else 1,
        markersize=3,
        elinewidth=1,
        capsize=0,
        label=f"{curve.label} ± standard error",
        zorder=2,
    )


def _draw_line(axes: Axes, curve: Curve) -> Any:
    style = STYLES[curve.source, curve.species]
    alpha = 0.4 if curve.stale else 1
    (line,) = axes.plot(
        curve.z,
        curve.density,
        color=style["color"],
        linestyle=style["linestyle"],
        lw=2,
        alpha=alpha,
        label=f"{curve.label}, 90 % band",
        zorder=3,
    )
    axes.fill_between(
        curve.z,
        curve.density - HALF_WIDTH * curve.error,
        curve.density + HALF_WIDTH * curve.error,
        color=line.get_color(),
        alpha=0.2 * alpha,
        lw=0,
        zorder=1,
    )
    return line


def _label(axes: Axes) -> None:
    axes.set_xlabel("Distance from the middle of the slit, z (nm)")
    axes.set_ylabel("Ion density (M)")
    axes.fmt_xdata = "{:.3f} nm".format
    axes.fmt_ydata = "{:.3f} M".format
