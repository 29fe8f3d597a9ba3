"""Assembly of the page: one state, its services, and the panels that display it."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from IPython import get_ipython
from IPython.display import display
from traitlets import dlink

from nanoconf.gui import links, words
from nanoconf.gui.links import Link
from nanoconf.gui.server.notice import print_if_unprotected
from nanoconf.gui.services import clusters
from nanoconf.gui.services.debounce import Debounced
from nanoconf.gui.services.visitor import Role, Visitor
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import EVERYONE, MINE, AppState
from nanoconf.gui.tabs.bar import TabsPanel
from nanoconf.gui.tabs.lessons.model import Lessons
from nanoconf.gui.tabs.lessons.strip import LessonStrip
from nanoconf.gui.tabs.registry import CLASS, TABS, Tab, with_class
from nanoconf.gui.widgets.actions import ActionsPanel
from nanoconf.gui.widgets.browser import Browser
from nanoconf.gui.widgets.computing import ComputingPanel
from nanoconf.gui.widgets.header import HeaderPanel
from nanoconf.gui.widgets.offers_panel import OffersPanel
from nanoconf.gui.widgets.status_panel import StatusPanel
from nanoconf.gui.widgets.system_panel import SystemPanel

REMEMBERED = ("texts", "tab", "figures", "dark", "mean_field_wanted", "whose_runs", "lessons")
"""Traits of the state that the browser stores, besides the id of its run."""

FREQUENT, REMEMBER_SECONDS = ("texts", "lessons"), 0.3
"""Traits that change at every step of a slider or with every letter, and the delay (s) before they
are stored."""


class App:
    """The page.

    Attributes
    ----------
    state : AppState
        Inputs, results and messages.
    work : Work
        Services that run in the background.
    widget : Widget
        The widget to display.
    """

    def __init__(self, tabs: Iterable[Tab] = TABS) -> None:
        visitor = Visitor.of_process()
        self.state = AppState(with_class(tabs) if visitor.role is Role.TEACHER else tabs)
        self._loop = asyncio.get_running_loop()
        self.work = Work(self.state, post=self._post, visitor=visitor)
        self.lessons = Lessons(self.state)
        self.browser = Browser(self._opened, self.lessons.follow)
        self.widget = self._layout()
        self._linked = False
        self._connect()

    def _layout(self) -> widgets.Widget:
        style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
        inputs = widgets.VBox([SystemPanel(self.state), ComputingPanel(self.state, self.work)])
        actions = ActionsPanel(self.state, self.work)
        left = widgets.VBox([inputs.add_class("nc-inputs"), actions])
        right = widgets.VBox(
            [
                OffersPanel(self.state, self.work),
                LessonStrip(self.state),
                TabsPanel(self.state, self.work),
            ]
        )
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
        dlink((self.browser, "stage"), (self.state, "stage"))
        self._memory = Debounced(self._remember, REMEMBER_SECONDS)
        self.state.observe(self._changed, ["simulation", *REMEMBERED])
        self.state.observe(self._paint, "dark")
        self.state.deliver = self.browser.deliver
        self.state.observe(self._show_address, "lessons")

    def _post(self, action: Any) -> None:
        self._loop.call_soon_threadsafe(action)

    # --- messages from the browser ----------------------------------------------------------

    def _opened(self, memory: dict[str, Any]) -> None:
        """Restore what this browser stored, once the page has loaded, and follow the address."""
        self.work.identify(memory)
        self.state.restore(memory.get("texts"))
        self.state.whose_runs = MINE if clusters.shared() else EVERYONE
        self.state.restore_view(memory)
        self.lessons.follow(str(memory.get("fragment", "")))
        link = self._follow_link(memory)
        self.work.answers.preload()
        self.work.answers.refresh()  # predicts as soon as the model is loaded
        self.work.resume(str(memory.get("run", "")) if not link.given else "", link.run)
        self.work.calibrate()
        self.work.find_engines()
        if self.work.identity.teacher:
            self.state.tab = CLASS  # it lists what others would be offered to watch
        else:
            self.work.watch_archive()

    def _follow_link(self, memory: dict[str, Any]) -> Link:
        """Follow the query of the address; only once, so that what it fixes stays fixed."""
        if self._linked:
            return Link()
        self._linked = True
        link = links.parse(memory.get("search"), self.state.tabs.values())
        if link.given:
            self.state.open_link(link, keep="fragment" not in memory)
        else:
            self.state.report_link(*link.problems)
        return link

    def _paint(self, _change: Any) -> None:
        (self.widget.add_class if self.state.dark else self.widget.remove_class)("nc-dark")

    def _show_address(self, _change: Any) -> None:
        self.browser.fragment = self.lessons.address

    def _changed(self, change: Any) -> None:
        self._memory.request(immediately=change["name"] not in FREQUENT)

    def _remember(self) -> None:
        shown = self.state.simulation
        memory = {
            **{name: getattr(self.state, name) for name in REMEMBERED},
            "run": shown.run_id if shown is not None and shown.mine else "",
        }
        if memory != self.browser.memory:
            self.browser.memory = memory


def show() -> App:
    """Display the page; called by the notebook's only cell."""
    print_if_unprotected()
    app = App()
    display(app.widget)
    _report_errors(app.state)
    return app


def _report_errors(state: AppState) -> None:
    """Report errors in the handling of messages in one line on the page, instead of a traceback.

    A widget refuses a value of the wrong type with an error, and other errors are bugs. The server
    logs both in full.
    """
    shell = get_ipython()
    if shell is None:
        return

    def report(*_arguments: Any, **_options: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None:
            traceback.print_exception(error, file=sys.__stderr__)
            state.report_problem(f"A request was refused: {words.one_line(error)}")

    shell.showtraceback = report
