#!/bin/sh
# Brings what the tests need besides Python: a Chromium. Called by `make test`.
# Where it cannot, it says so and the tests of the page are skipped; with CI set that is a failure.
set -eu
cd "$(dirname "$0")/.."

works() { "$1" --version >/dev/null 2>&1; }

have_chromium() {
    works chromium || works google-chrome || .venv/bin/python - <<'PYTHON'
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not pathlib.Path(playwright.chromium.executable_path).exists())
PYTHON
}

add_chromium() {
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends chromium >/dev/null || true
    fi
    # Ubuntu's package is a stub for a snap, macOS has none: Playwright brings its own.
    works chromium || .venv/bin/playwright install chromium >&2 || true
}

have_chromium || add_chromium
if ! have_chromium; then
    echo "!!! NO CHROMIUM: the page is NOT tested. Install chromium, or run .venv/bin/playwright install chromium" >&2
    [ -z "${CI:-}" ] || exit 1
fi
