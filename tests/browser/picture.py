"""Screenshot of the page for the README: ``python -m tests.browser.picture``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.browser import FLAGS, ROOT, Server, Window, chromium
from tests.support.homes import clean_up

TARGET = ROOT / "docs" / "page.png"


def main() -> None:
    """Predict, simulate, and save a screenshot."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        os.environ["NANOCONF_HOME"] = home
        server = Server(Path(home))
        server.start()
        program = chromium(playwright)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            window = Window(browser, server).open()
            window.paste("Positive ion valency z₊", "2")
            window.paste("Simulation length (ns)", "2")
            window.button("Predict using ML").click()
            window.wait_for_curves("ML", "ML")
            window.button("Run").click()
            window.wait_for_status("Done")
            window.wait_for_curves("MD", "ML")
            window.settle()
            window.page.screenshot(path=TARGET)
        finally:
            browser.close()
            server.stop()
            clean_up(Path(home))
    print(TARGET)


if __name__ == "__main__":
    main()
