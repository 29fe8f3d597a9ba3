"""The ions of a simulation in 3D: turned and zoomed with the mouse, played in time.

K3D-jupyter draws them. Its 2.6 MB of JavaScript come from the kernel when the first trajectory is
shown: opening the page loads none of it, and no other host is asked.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
from traitlets import Bool, Int, link, observe

from backend.system import SPECIES
from nanoconf.gui.tabs.snapshots.model import NOTHING

if TYPE_CHECKING:
    from backend.sampling.trajectory import Trajectory
    from backend.system import SlitSystem

COLORS = {"positive": "#D55E00", "negative": "#0072B2"}
"""Told apart by colour-blind readers, on light and dark ground."""

LIGHT = {"background": 0xFFFFFF, "wall": 0x8A8F98, "edge": 0x5D6470, "label": 0x23262D}
DARK = {"background": 0x1C1F25, "wall": 0x9AA2AF, "edge": 0xA3ABB8, "label": 0xE4E7EC}

WALL_OPACITY = 0.22
EDGE_WIDTH = 0.025
"""Of the box, in nm."""

FIELD_OF_VIEW = 15.0
"""Degrees; narrow, so that near and far ions look equally large."""

ASPECT, FILL = 1.8, 0.94
"""Width over height of a usual picture, and how much of it the box fills."""

YAW, PITCH = 24.0, 9.0
"""Where the camera stands at first (degrees): beside the slit, a little above its middle."""

RESOLUTION = 2.0**-9
"""Positions are sent in steps of 0.002 nm, which halves what there is to send."""

LENGTHS_OF_PLAY = 10.0
"""Seconds that playing the whole trajectory takes, about."""

FRAME_MS = (60, 500)
"""Shortest and longest time for which a snapshot stands while playing."""

STYLE = """<style>
.nc-ions-view { min-height: 120px; overflow: hidden; }
.nc-ions-view > div, .nc-ions-view .k3d-target { height: 100% !important; }
</style>"""


class TrajectoryView(widgets.VBox):
    """Ions between two walls, as spheres to scale.

    Parameters
    ----------
    trajectory : Trajectory, optional
        What to show.
    height : int
        Height of the picture (CSS pixels).
    dark : bool
        Whether the ground is dark.

    Attributes
    ----------
    frame : int
        Which snapshot is shown, from 0.
    dark : bool
        Whether the ground is dark.
    """

    frame = Int(0)
    dark = Bool(False)

    def __init__(
        self, trajectory: Trajectory | None = None, *, height: int = 460, dark: bool = False
    ):
        self.trajectory: Trajectory | None = None
        self.plot: Any = None
        self._height = height
        self._ions: list[Any] = []
        self._box: list[Any] = []
        self.caption = widgets.HTML().add_class("nc-caption")
        self.numbers = widgets.HTML().add_class("nc-numbers")
        # Player, slider and picture are linked in the browser, so playing waits for no kernel.
        self.player = widgets.Play(description="Play the trajectory", repeat=True)
        self.slider = widgets.SelectionSlider(
            options=[("0 ps", 0)], description="Time", layout=widgets.Layout(flex="1 1 auto")
        )
        self.reset = widgets.Button(description="Reset view", tooltip="Look along the slit again")
        self.reset.on_click(lambda _button: self.reset_camera())
        self._links = [widgets.jslink((self.player, "value"), (self.slider, "index"))]
        self.controls = widgets.HBox([self.player, self.slider, self.reset])
        super().__init__()
        self.add_class("nc-snapshots")
        self.dark = dark
        link((self.slider, "index"), (self, "frame"))
        self.show(trajectory)

    # --- what is shown ----------------------------------------------------------------------

    def show(self, trajectory: Trajectory | None, nothing: str = NOTHING) -> None:
        """Show a trajectory from its beginning, or say in words that there is none."""
        self.pause()
        self.trajectory = trajectory
        if trajectory is None or not len(trajectory.steps):
            self.caption.value = f"<p>{escape(nothing)}</p>"
            self.children = [self.caption]
            return
        times = trajectory.steps * trajectory.step_ps
        self.caption.value = STYLE + _caption(trajectory.system, times)
        self.numbers.value = _numbers(trajectory, times)
        self._fill(trajectory)
        self._set_times(times)
        self.children = [self.caption, self.plot, self.controls, self.numbers]

    def play(self) -> None:
        """Play from the snapshot that is shown; after the last comes the first."""
        self.player.playing = self.trajectory is not None

    def pause(self) -> None:
        """Stop at the snapshot that is shown."""
        self.player.playing = False

    def resize(self, height: int) -> None:
        """The picture has so much height (CSS pixels); its width is that of the page."""
        self._height = height
        if self.plot is not None:
            self.plot.layout.height = f"{height}px"

    def reset_camera(self) -> None:
        """Look along the slit, as at first."""
        if self.plot is not None and self.trajectory is not None:
            # The picture may have been turned without word; what is set twice is sent twice.
            self.plot.camera = []
            self.plot.camera = camera(self.trajectory.system)

    @observe("dark")
    def _repaint(self, _change: Any = None) -> None:
        if self.plot is not None:
            self._paint()

    # --- how --------------------------------------------------------------------------------

    def _fill(self, trajectory: Trajectory) -> None:
        """Put ions, walls and edges into the picture, in place of those before."""
        import k3d

        if self.plot is None:
            self.plot = k3d.plot(
                camera_auto_fit=False,
                camera_fov=FIELD_OF_VIEW,
                camera_mode="orbit",
                camera_up_axis="z",
                grid_visible=False,
                menu_visibility=False,
                time_interpolation=False,
                height=self._height,
                axes_helper=0.0,
            )
            self.plot.add_class("nc-ions-view")
            self.plot.layout = widgets.Layout(height=f"{self._height}px", width="100%")
            self._links.append(widgets.jslink((self.slider, "index"), (self.plot, "time")))
        old = [*self._ions, *self._box]
        self.plot.time = 0.0
        self._ions, self._box = _ions(trajectory), _box(trajectory.system)
        for each in old:
            self.plot -= each
            each.close()
        for each in (*self._ions, *self._box):
            self.plot += each
        self._paint()
        self.plot.camera = camera(trajectory.system)

    def _paint(self) -> None:
        colors = DARK if self.dark else LIGHT
        self.plot.background_color = colors["background"]
        self.plot.label_color = colors["label"]
        for each in self._box:
            each.color = colors[each.custom_data["part"]]

    def _set_times(self, times: np.ndarray) -> None:
        """Give the slider one mark a snapshot, at its time."""
        spacing = times[-1] / len(times)
        decimals = int(np.clip(np.ceil(1 - np.log10(spacing)), 0, 3))
        self.player.value = 0
        self.slider.options = [(f"{time:.{decimals}f} ps", k) for k, time in enumerate(times)]
        self.player.max = len(times) - 1
        self.player.interval = int(np.clip(1000 * LENGTHS_OF_PLAY / len(times), *FRAME_MS))


def camera(system: SlitSystem) -> list[float]:
    """Where K3D's camera stands to look along the slit: position, target, up (nm)."""
    yaw, pitch = np.radians([YAW, PITCH])
    right = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    toward = np.array([np.cos(pitch) * np.sin(yaw), -np.cos(pitch) * np.cos(yaw), np.sin(pitch)])
    across = np.array([right / ASPECT, np.cross(toward, right)])
    reach = FILL * np.tan(np.radians(FIELD_OF_VIEW / 2))
    corners = np.array(_corners(system))
    # The picture reaches so far from its middle, times the distance from the camera.
    distance = np.max(np.abs(corners @ across.T) / reach + (corners @ toward)[:, np.newaxis])
    return [*(distance * toward).tolist(), 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def _ions(trajectory: Trajectory) -> list[Any]:
    """The spheres of each species, with their positions at each snapshot."""
    import k3d

    system = trajectory.system
    positions = trajectory.positions.transpose(0, 2, 1).copy()
    positions[..., :2] = positions[..., :2] % system.box_length - system.box_length / 2
    positions = (np.rint(positions / RESOLUTION) * RESOLUTION).astype(np.float32)
    first = system.counts[0]
    return [
        k3d.points(
            {str(k): np.ascontiguousarray(snapshot[ions]) for k, snapshot in enumerate(positions)},
            point_size=diameter,
            color=int(COLORS[species][1:], 16),
            shader="3d",
            compression_level=6,
            name=f"{species} ions",
        )
        for species, diameter, ions in zip(
            SPECIES, system.diameters, (slice(first), slice(first, None)), strict=True
        )
    ]


def _box(system: SlitSystem) -> list[Any]:
    """The two walls, and the edges of the periodic box."""
    import k3d

    corners = _corners(system)
    around = [(k, (k + 1) % 4) for k in range(4)]
    edges = [*around, *((a + 4, b + 4) for a, b in around), *((k, k + 4) for k in range(4))]
    walls = k3d.mesh(
        corners,
        [(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)],
        opacity=WALL_OPACITY,
        side="double",
        name="walls",
        custom_data={"part": "wall"},
    )
    frame = k3d.lines(
        corners,
        edges,
        indices_type="segment",
        shader="thick",
        width=EDGE_WIDTH,
        name="box",
        custom_data={"part": "edge"},
    )
    return [walls, frame]


def _corners(system: SlitSystem) -> list[tuple[float, float, float]]:
    """Corners of the box (nm): around the lower wall, then around the upper one."""
    side, half = system.box_length / 2, system.confinement_length / 2
    around = [(-side, -side), (side, -side), (side, side), (-side, side)]
    return [(x, y, z) for z in (-half, half) for x, y in around]


def _caption(system: SlitSystem, times: np.ndarray) -> str:
    """Whose ions these are, in which colour."""
    ions = " · ".join(
        f"<span style='color:{COLORS[species]}'>●</span> {count} {species} ions "
        f"({_charge(valency)}, {diameter:g} nm)"
        for species, count, valency, diameter in zip(
            SPECIES, system.counts, system.valencies, system.diameters, strict=True
        )
    )
    return (
        f"<p>{ions}, {system.salt_concentration:g} M · to scale between walls "
        f"{system.confinement_length:g} nm apart · "
        f"{len(times)} snapshots in {times[-1]:.4g} ps. "
        "Drag to turn, wheel to zoom.</p>"
    )


def _charge(valency: int) -> str:
    return f"{abs(valency)}{'+' if valency > 0 else '−'}"


def _numbers(trajectory: Trajectory, times: np.ndarray) -> str:
    """The picture in words and numbers, for screen readers and for tests."""
    system = trajectory.system
    label = (
        f"{system.counts[0]} positive and {system.counts[1]} negative ions between two walls "
        f"{system.confinement_length:g} nm apart, {len(times)} snapshots in {times[-1]:.4g} ps"
    )
    data = {
        "counts": list(system.counts),
        "diameters_nm": list(system.diameters),
        "confinement_length_nm": system.confinement_length,
        "box_length_nm": system.box_length,
        "times_ps": [float(f"{time:.6g}") for time in times],
    }
    data_text = escape(json.dumps(data))
    return f"<div role='img' aria-label='{escape(label)}' data-snapshots='{data_text}'></div>"
