"""3D view: its camera, and what it sends to K3D."""

from __future__ import annotations

import numpy as np
import pytest

from backend.sampling.trajectory import Trajectory
from backend.system import SlitSystem
from nanoconf.gui.tabs.snapshots.view import TURN, YAW, TrajectoryView, camera


def test_turning_keeps_the_elevation_and_the_target_of_the_camera():
    system = SlitSystem()
    before, after = camera(system), camera(system, YAW + TURN)
    (x, y, z), (turned_x, turned_y, turned_z) = before[:3], after[:3]
    assert turned_z / np.hypot(turned_x, turned_y) == pytest.approx(z / np.hypot(x, y))
    angle = np.degrees(np.arctan2(turned_y, turned_x) - np.arctan2(y, x))
    assert angle == pytest.approx(TURN)
    assert after[3:] == before[3:]
    assert camera(system, YAW + 360) == pytest.approx(before)


def test_k3d_is_given_no_text_to_evaluate():
    system = SlitSystem()
    positions = np.zeros((2, 3, system.ion_count))
    view = TrajectoryView(Trajectory(system, positions, np.arange(2), 0.01))
    assert view.plot.get_state("additional_js_code") == {"additional_js_code": None}
