"""Start of the page."""

from __future__ import annotations

import subprocess
import sys

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
