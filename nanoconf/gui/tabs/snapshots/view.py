"""3D view of the ions of a simulation, which can be rotated, zoomed and played.

K3D-jupyter draws the ions. The kernel sends its 2.6 MB of JavaScript when the first trajectory is
shown: opening the page loads none of it, and nothing comes from other hosts.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
from traitlets import Any as AnyTrait
from traitlets import Bool, Int, link, observe

from backend.system import SPECIES
from nanoconf.gui.tabs.snapshots.model import NO_SNAPSHOTS

if TYPE_CHECKING:
    from backend.sampling.trajectory import Trajectory
    from backend.system import SlitSystem

COLORS = {"positive": "#D55E00", "negative": "#0072B2"}
"""Colours that colour-blind readers can distinguish on light and dark backgrounds."""

LIGHT = {"background": 0xFFFFFF, "wall": 0x8A8F98, "edge": 0x5D6470, "label": 0x23262D}
DARK = {"background": 0x1C1F25, "wall": 0x9AA2AF, "edge": 0xA3ABB8, "label": 0xE4E7EC}

WALL_OPACITY = 0.22
EDGE_WIDTH = 0.025
"""Line width of the edges of the box (nm)."""

FIELD_OF_VIEW = 15.0
"""Field of view (degrees): narrow, so that near and far ions have similar sizes."""

ASPECT, FILL = 1.8, 0.94
"""Typical aspect ratio of the picture, and the fraction of it that the box fills."""

YAW, PITCH = 24.0, 9.0
"""Initial direction of the camera (degrees): from the side, slightly above the midplane."""

TURN = 30.0
"""Rotation of the camera by one press of the button (degrees)."""

RESOLUTION = 2.0**-9
"""Resolution of the positions (nm), which halves the amount of data."""

PLAY_SECONDS = 10.0
"""Approximate time to play the whole trajectory (s)."""

FRAME_MS = (60, 500)
"""Shortest and longest display time of a snapshot while playing (ms)."""

STYLE = """<style>
.nc-ions-view { min-height: 120px; overflow: hidden; }
.nc-ions-view > div, .nc-ions-view .k3d-target { height: 100% !important; }
</style>"""


class TrajectoryView(widgets.VBox):
    """Ions between two walls, drawn as spheres to scale.

    Parameters
    ----------
    trajectory : Trajectory, optional
        The trajectory to show.
    height : int
        Height of the picture (CSS pixels).
    dark : bool
        True for a dark background.

    Attributes
    ----------
    frame : int
        Index of the displayed snapshot, from 0.
    dark : bool
        True for a dark background.
    """

    frame = Int(0)
    dark = Bool(False)

    def __init__(
        self, trajectory: Trajectory | None = None, *, height: int = 460, dark: bool = False
    ):
        self.trajectory: Trajectory | None = None
        self.plot: Any = None
        self._height, self._yaw = height, YAW
        self._ions: list[Any] = []
        self._box: list[Any] = []
        self.caption = widgets.HTML().add_class("nc-caption")
        self.numbers = widgets.HTML().add_class("nc-numbers")
        # Player, slider and picture are linked in the browser, so playing needs no kernel.
        self.player = widgets.Play(description="Play the trajectory", repeat=True)
        self.slider = widgets.SelectionSlider(
            options=[("0 ps", 0)], description="Time", layout=widgets.Layout(flex="1 1 auto")
        )
        # The mouse also rotates the picture; the button is for keyboard users.
        self.turn = widgets.Button(description="Rotate", tooltip=f"Rotate by {TURN:g} degrees")
        self.turn.on_click(lambda _button: self.turn_camera())
        self.reset = widgets.Button(description="Reset view", tooltip="Reset the camera")
        self.reset.on_click(lambda _button: self.reset_camera())
        self._links = [widgets.jslink((self.player, "value"), (self.slider, "index"))]
        for button in (self.turn, self.reset):
            button.add_class("nc-small")
        controls = [self.player, self.slider, self.turn, self.reset]
        self.controls = widgets.HBox(controls).add_class("nc-player")
        super().__init__()
        self.add_class("nc-snapshots")
        self.dark = dark
        link((self.slider, "index"), (self, "frame"))
        self.show(trajectory)

    # --- contents ---------------------------------------------------------------------------

    def show(
        self, trajectory: Trajectory | None, reason: str = NO_SNAPSHOTS, *, replicas: int = 1
    ) -> None:
        """Show a trajectory from its first snapshot, or the reason why there is none.

        Parameters
        ----------
        trajectory : Trajectory or None
            The snapshots of the first replica.
        reason : str
            Text that is shown if there are no snapshots.
        replicas : int
            Number of replicas of the run.
        """
        self.pause()
        self.trajectory = trajectory
        if trajectory is None or not len(trajectory.steps):
            self.caption.value = f"<p>{escape(reason)}</p>"
            self.children = [self.caption]
            return
        times = trajectory.steps * trajectory.step_ps
        length = _length(times, replicas)
        self.caption.value = STYLE + _caption(trajectory.system, length)
        self.numbers.value = _numbers(trajectory, times, length)
        self._fill(trajectory)
        self._set_times(times)
        self.children = [self.caption, self.plot, self.controls, self.numbers]

    def play(self) -> None:
        """Play from the current snapshot, and repeat from the first."""
        self.player.playing = self.trajectory is not None

    def pause(self) -> None:
        """Stop at the current snapshot."""
        self.player.playing = False

    def resize(self, height: int) -> None:
        """Set the height of the picture (CSS pixels); it fills the width of the tab."""
        self._height = height
        if self.plot is not None:
            self.plot.layout.height = f"{height}px"

    def turn_camera(self) -> None:
        """Rotate the camera about the normal of the walls, from where this method left it."""
        self._place_camera(self._yaw + TURN)

    def reset_camera(self) -> None:
        """Return the camera to its initial position."""
        self._place_camera(YAW)

    def _place_camera(self, yaw: float) -> None:
        self._yaw = yaw
        if self.plot is not None and self.trajectory is not None:
            # The browser does not report rotations. An unchanged value would not be sent, so it is
            # cleared first.
            self.plot.camera = []
            self.plot.camera = camera(self.trajectory.system, yaw)

    @observe("dark")
    def _repaint(self, _change: Any = None) -> None:
        if self.plot is not None:
            self._paint()

    # --- drawing ----------------------------------------------------------------------------

    def _fill(self, trajectory: Trajectory) -> None:
        """Replace the ions, walls and edges in the picture."""
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
            _evaluate_nothing(self.plot)
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
        self._yaw = YAW
        self.plot.camera = camera(trajectory.system)

    def _paint(self) -> None:
        colors = DARK if self.dark else LIGHT
        self.plot.background_color = colors["background"]
        self.plot.label_color = colors["label"]
        for each in self._box:
            each.color = colors[each.custom_data["part"]]

    def _set_times(self, times: np.ndarray) -> None:
        """Give the slider one position per snapshot, labelled with its time."""
        spacing = times[-1] / len(times)
        decimals = int(np.clip(np.ceil(1 - np.log10(spacing)), 0, 3))
        self.player.value = 0
        self.slider.options = [(f"{time:.{decimals}f} ps", k) for k, time in enumerate(times)]
        self.player.max = len(times) - 1
        self.player.interval = int(np.clip(1000 * PLAY_SECONDS / len(times), *FRAME_MS))


def _evaluate_nothing(plot: Any) -> None:
    """Set the JavaScript that K3D evaluates to null.

    It evaluates even an empty text, which the page's Content-Security-Policy forbids.
    """
    plot.add_traits(additional_js_code=AnyTrait(allow_none=True).tag(sync=True))
    plot.additional_js_code = None
    plot.send_state("additional_js_code")


def camera(system: SlitSystem, yaw: float = YAW) -> list[float]:
    """Return K3D's camera for a view along the slit: position, target and up vector (nm).

    Parameters
    ----------
    system : SlitSystem
    yaw : float
        Direction of the view (degrees), about the normal of the walls.
    """
    yaw, pitch = np.radians([yaw, PITCH])
    right = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    toward = np.array([np.cos(pitch) * np.sin(yaw), -np.cos(pitch) * np.cos(yaw), np.sin(pitch)])
    across = np.array([right / ASPECT, np.cross(toward, right)])
    reach = FILL * np.tan(np.radians(FIELD_OF_VIEW / 2))
    corners = np.array(_corners(system))
    # `reach` is half the height of the picture per unit of distance from the camera.
    distance = np.max(np.abs(corners @ across.T) / reach + (corners @ toward)[:, np.newaxis])
    return [*(distance * toward).tolist(), 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def _ions(trajectory: Trajectory) -> list[Any]:
    """Return the spheres of each species, with their positions in each snapshot."""
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
    """Return the two walls and the edges of the periodic box."""
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
    """Return the corners of the box (nm): around the lower wall, then around the upper wall."""
    side, half = system.box_length / 2, system.confinement_length / 2
    around = [(-side, -side), (side, -side), (side, side), (-side, side)]
    return [(x, y, z) for z in (-half, half) for x, y in around]


def _length(times: np.ndarray, replicas: int) -> str:
    """Describe the snapshots: ``60 snapshots over 2.5 ns, replica 1 of 2``."""
    text = f"{len(times)} snapshots over {times[-1] / 1000:.2g} ns"
    return text if replicas == 1 else f"{text}, replica 1 of {replicas}"


def _caption(system: SlitSystem, length: str) -> str:
    """Return the legend for the ions, the size of the system and the length of the trajectory."""
    ions = " · ".join(
        f"<span style='color:{COLORS[species]}'>●</span> {count} {species} ions "
        f"({_charge(valency)}, {diameter:g} nm)"
        for species, count, valency, diameter in zip(
            SPECIES, system.counts, system.valencies, system.diameters, strict=True
        )
    )
    return (
        f"<p>{ions}, {system.salt_concentration:g} M · drawn to scale · walls "
        f"{system.confinement_length:g} nm apart · "
        f"{length}. Drag to rotate, scroll to zoom.</p>"
    )


def _charge(valency: int) -> str:
    return f"{abs(valency)}{'+' if valency > 0 else '−'}"


def _numbers(trajectory: Trajectory, times: np.ndarray, length: str) -> str:
    """Return the description and data of the picture as HTML, for screen readers and tests."""
    system = trajectory.system
    label = (
        f"{system.counts[0]} positive and {system.counts[1]} negative ions between two walls "
        f"{system.confinement_length:g} nm apart, {length}"
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
