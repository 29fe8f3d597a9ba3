"""Puts the page together: one state, what works for it, and the panels that show it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from IPython.display import display
from traitlets import link

from nanoconf.gui.browser import (
    SILENCE_SECONDS,
    Browser,
    ask_voila_to_end_this_kernel,
    under_voila,
)
from nanoconf.gui.panels.computing import ComputingPanel
from nanoconf.gui.panels.downloads import DownloadsPanel
from nanoconf.gui.panels.figure import figure_panels
from nanoconf.gui.panels.header import HeaderPanel
from nanoconf.gui.panels.inputs import system_panel
from nanoconf.gui.panels.offers import OffersPanel
from nanoconf.gui.panels.status import StatusPanel
from nanoconf.gui.state import TABS, AppState
from nanoconf.gui.work import Work


class App:
    """The page.

    Attributes
    ----------
    state : AppState
        What it knows.
    work : Work
        What takes time.
    widget : Widget
        What is displayed.
    """

    def __init__(self) -> None:
        self.state = AppState()
        self._loop = asyncio.get_running_loop()
        self.work = Work(self.state, post=self._soon)
        self.browser = Browser(self._opened)
        self.figures = figure_panels(self.state)
        self.tabs = widgets.Tab(
            [*self.figures, DownloadsPanel(self.state)],
            titles=TABS,
            selected_index=self.state.tab,
        ).add_class("nc-tabs")
        self.widget = self._layout()
        self._connect()
        if under_voila():
            self._watchdog = self._loop.create_task(self._end_when_abandoned())

    def _layout(self) -> widgets.Widget:
        style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
        left = widgets.VBox([system_panel(self.state), ComputingPanel(self.state, self.work)])
        right = widgets.VBox([OffersPanel(self.state, self.work), self.tabs])
        page = widgets.VBox(
            [
                widgets.HTML(f"<style>{style}</style>").add_class("nc-style"),
                self.browser,
                HeaderPanel(self.state),
                widgets.HBox([left.add_class("nc-left"), right.add_class("nc-right")]).add_class(
                    "nc-body"
                ),
                StatusPanel(self.state),
            ]
        )
        return page.add_class("nc-app")

    def _connect(self) -> None:
        link((self.state, "tab"), (self.tabs, "selected_index"))
        self.browser.observe(self._resized, "stage")
        self.state.observe(self._remember, ["texts", "simulation", "prediction"])

    def _soon(self, action: Any) -> None:
        self._loop.call_soon_threadsafe(action)

    # --- what the browser says --------------------------------------------------------------

    def _opened(self, memory: dict[str, Any]) -> None:
        """The page is up: go on where this browser left off."""
        self.work.owner = str(memory.get("owner", ""))
        self.state.restore(memory.get("texts") or {})
        self.work.preload()
        self.work.resume(str(memory.get("run", "")), predicted=bool(memory.get("predicted")))
        self.work.calibrate()
        self.work.watch_archive()

    def _resized(self, change: dict[str, Any]) -> None:
        for figure in self.figures:
            figure.resize(tuple(change["new"]))

    def _remember(self, _change: Any) -> None:
        shown = self.state.simulation
        memory = {
            "texts": self.state.texts,
            "run": shown.run_id if shown is not None and shown.mine else "",
            "predicted": self.state.prediction is not None,
        }
        if memory != self.browser.memory:
            self.browser.memory = memory

    async def _end_when_abandoned(self) -> None:
        """A kernel without a page is of no use, and thirty of them fill a computer."""
        opened = time.monotonic()
        while self.browser.silent_for(opened) < SILENCE_SECONDS:
            await asyncio.sleep(SILENCE_SECONDS / 10)
        self.work.close()
        await asyncio.to_thread(ask_voila_to_end_this_kernel)


def show() -> App:
    """Display the page; the notebook's only cell calls it."""
    app = App()
    display(app.widget)
    return app
