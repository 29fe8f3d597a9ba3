"""A figure on the page: its files, its data table and its toolbar."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from PIL import Image

from backend.system import SlitSystem
from nanoconf.gui.figures.theme import LIGHT
from nanoconf.gui.tabs.profiles.model import prediction_plot
from nanoconf.gui.tabs.registry import PREDICTION
from nanoconf.gui.tabs.trends import panel as trends
from nanoconf.gui.tabs.uncertainty import panel as uncertainty
from nanoconf.gui.widgets.figure import FOOTER_HEIGHT, Canvas
from tests.support.event_loop import on_a_page
from tests.support.labels import check_labels
from tests.support.profiles import prediction

STEM = "h3.0_1-1_0.5M_model_prediction"


def with_a_figure(state, test) -> None:
    """Run a test with a figure of a prediction, in an event loop of its own thread."""

    async def page():
        state.stage, state.tab = (600, 400), PREDICTION
        canvas = Canvas(state, PREDICTION, lambda: prediction_plot(state), watched=("prediction",))
        state.predicted(prediction(SlitSystem()))
        while canvas._canvas is None:
            await asyncio.sleep(0.01)
        test(canvas)

    on_a_page(page)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "csv"])
def test_a_figure_is_saved_in_the_chosen_format(state, kind):
    handed = []
    state.deliver = lambda *file: handed.append(file)

    def test(canvas):
        canvas.format.value = kind
        canvas.save.click()
        ((name, content, _media),) = handed
        assert name == f"{STEM}.{kind}" and len(content) > 1000

    with_a_figure(state, test)


def test_the_data_table_is_made_only_on_request(state):
    def test(canvas):
        assert canvas.table.value == "" and "nc-tabled" not in canvas._dom_classes
        canvas.data.value = True
        assert canvas.table.value.count("<tr>") == 301 and "nc-tabled" in canvas._dom_classes
        canvas.data.value = False
        assert canvas.table.value == "" and "nc-tabled" not in canvas._dom_classes

    with_a_figure(state, test)


def test_the_toolbar_saves_the_figure_under_its_name_with_its_inputs(state, monkeypatch):
    def test(canvas):
        sent = []
        monkeypatch.setattr(
            canvas._canvas, "send", lambda *file, **more: sent.append((*file, more))
        )
        canvas._canvas._send_save_buffer()
        ((message, more),) = sent
        assert json.loads(message["data"]) == {"type": "save", "format": "png"}
        assert canvas._canvas._figure_label == STEM
        picture = Image.open(io.BytesIO(more["buffers"][0]))
        assert picture.text["Description"].startswith("Inputs: h 3 nm")

    with_a_figure(state, test)


def test_labels_fit_a_zoomed_figure_and_the_next_figure(state):
    def test(canvas):
        figure = canvas._canvas.figure
        (axes,) = figure.axes
        whole = axes.get_ylim()
        axes.set_ylim(0.60001, 0.60004)  # longer tick labels
        axes.set_xlim(-0.12345, -0.12344)
        canvas._canvas.draw()
        check_labels(figure)
        axes.set_ylim(*whole)
        axes.set_xlim(-1.6, 1.6)
        canvas._canvas.paint(prediction_plot(state), LIGHT, final=True)
        check_labels(figure)

    with_a_figure(state, test)


def test_a_figure_leaves_room_for_the_controls_of_a_narrow_tab(state):
    heights = []

    async def page():
        for height_of in (trends.controls_height, uncertainty.controls_height):
            canvas = Canvas(state, PREDICTION, lambda: prediction_plot(state), height_of)
            for width in (374, 654, 906):
                state.stage = (width, 700)
                heights.append(700 - FOOTER_HEIGHT - canvas._size(prediction_plot(state))[1])

    on_a_page(page)
    assert heights == [68, 40, 40, 221, 136, 114]
