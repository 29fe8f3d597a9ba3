"""Start of the page."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from backend.system import SlitSystem
from nanoconf.gui.app import App
from nanoconf.gui.tabs.lessons.content import TASKS
from nanoconf.gui.tabs.registry import LESSONS, PREDICTION
from tests.support.event_loop import on_a_page, soon

HEAVY = ("tensorflow", "numba", "pandas", "ai_edge_litert", "matplotlib")


def test_the_page_is_shown_before_heavy_imports():
    code = (
        "import sys, nanoconf.gui.app\n"
        "from nanoconf.gui.state import AppState\n"
        "from nanoconf.gui.services.work import Work\n"
        "Work(AppState()).close()\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stdout + answer.stderr


def test_a_new_page_predicts_profiles_for_its_inputs_and_reports_nothing(home):
    async def page() -> None:
        app = App()
        try:
            app.browser._receive(app.browser, {"type": "opened", "memory": {"owner": "me"}}, [])
            while app.state.prediction is None:
                await asyncio.sleep(0.01)
            assert app.state.prediction.system == SlitSystem()
            assert app.state.status == "Ready." and app.state.log == ()
        finally:
            app.work.close()

    on_a_page(page)


def test_the_address_opens_a_lesson_and_changes_with_the_lesson(home):
    async def page() -> None:
        app = App()
        browser = app.browser
        try:
            memory = {"owner": "me", "tab": PREDICTION, "fragment": "#lesson-2"}
            browser._receive(browser, {"type": "opened", "memory": memory}, [])
            assert app.state.tab == LESSONS and browser.fragment == "#lesson-2"
            browser._receive(browser, {"type": "navigated", "fragment": "#lesson-5"}, [])
            assert app.lessons.number == 5 and browser.fragment == "#lesson-5"
            app.lessons.write(TASKS[4], answer="They are larger.")
            await soon(lambda: browser.memory.get("lessons") == app.state.lessons)
            app.lessons.close()
            assert browser.fragment == ""
        finally:
            app.work.close()

    on_a_page(page)
