"""Files of figures."""

from __future__ import annotations

from backend.system import SlitSystem
from nanoconf.gui.tabs.downloads import model as files
from nanoconf.gui.tabs.profiles.model import (
    prediction_plot,
)
from tests.support.profiles import prediction


def test_a_figure_can_be_saved_as_data_and_as_an_image(state):
    state.predicted(prediction(SlitSystem()))
    plot = prediction_plot(state)
    rows = files.figure_file(plot, "csv").decode().splitlines()
    assert rows[0] == "curve,z_nm,density_M,error_M" and len(rows) == 601
    assert files.figure_file(plot, "png").startswith(b"\x89PNG")
    assert b"<svg" in files.figure_file(plot, "svg")
