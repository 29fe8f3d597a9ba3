#!/bin/sh
# Brings what the tests need besides Python: a Chromium. Called by `make test`.
# Where it cannot, it says so and the tests of the page are skipped; with CI set that is a failure.
set -eu
cd "$(dirname "$0")/.."

works() { "$1" --version >/dev/null 2>&1; }

playwrights_own() {
    .venv/bin/python - 2>/dev/null <<'PYTHON'
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not pathlib.Path(playwright.chromium.executable_path).exists())
PYTHON
}

have_chromium() {
    works .venv/bin/playwright && { works chromium || works google-chrome || playwrights_own; }
}

add_chromium() {
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        # libatomic1: Playwright's driver needs it, and a small Debian is without.
        apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 \
            --no-install-recommends chromium libatomic1 >/dev/null || true
    fi
    # Ubuntu's package is a stub for a snap, macOS has none: Playwright brings its own.
    works chromium || works google-chrome || .venv/bin/playwright install chromium >&2 || true
}

have_chromium || add_chromium
if ! have_chromium; then
    echo "!!! NO CHROMIUM: THE PAGE IS NOT TESTED. Install the packages chromium and libatomic1, or run" \
        ".venv/bin/playwright install --with-deps chromium" >&2
    [ -z "${CI:-}" ] || exit 1
fi
