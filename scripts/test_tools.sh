#!/bin/sh
# Installs the programs that the tests need: Chromium, Slurm, an SSH server, proxies and g++. Called by
# `make test`; with the argument "long", also those of the long tests: debootstrap, Buildah,
# slirp4netns, systemd-nspawn and the proxy of JupyterHub.
# If it cannot, it prints a warning and the tests that need them are skipped; with CI set it fails.
set -eu
cd "$(dirname "$0")/.."

# An ordinary user's PATH may lack the folder of the daemons.
PATH=$PATH:/usr/sbin

works() { "$1" --version >/dev/null 2>&1; }

# --- Debian packages ---

can_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

install_packages() {
    if [ -z "${updated:-}" ]; then
        apt-get update -qq || true
        updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 \
        --no-install-recommends "$@" >/dev/null || true
}

# Install packages with services, without starting these. Runs in a subshell to keep its traps local.
install_services() (
    can_install || return 0
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        # Debian starts a service on installation unless this file forbids it.
        trap 'rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    install_packages "$@"
)

# --- Chromium ---

have_playwright_chromium() {
    .venv/bin/python - 2>/dev/null <<'PYTHON'
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not pathlib.Path(playwright.chromium.executable_path).exists())
PYTHON
}

have_shell() { works chromium-headless-shell; }

have_chromium() {
    works .venv/bin/playwright &&
        { have_shell || works chromium || works google-chrome || have_playwright_chromium; }
}

add_chromium() {
    # The headless shell renders pages like Chromium and takes half of its processor time.
    # Playwright's driver needs libatomic1, which a minimal Debian lacks.
    ! can_install || install_packages chromium-headless-shell libatomic1
    have_chromium || ! can_install || install_packages chromium
    # Ubuntu's package is only a stub for a snap and macOS has none: install Playwright's own Chromium.
    have_chromium || .venv/bin/playwright install chromium >&2 || true
}

# --- Slurm ---

have_slurm() {
    for program in sbatch slurmctld slurmd munged sshd ssh-keygen; do
        command -v "$program" >/dev/null || return 1
    done
}

# --- Proxies ---

have_proxies() { command -v nginx >/dev/null && command -v caddy >/dev/null; }

# --- Compiler of the CUDA kernels for the CPU ---

have_compiler() { works g++; }

# --- Images ---

have_builders() {
    for program in debootstrap buildah slirp4netns; do
        command -v "$program" >/dev/null || return 1
    done
}

# --- Containers that systemd boots ---

have_nspawn() { works systemd-nspawn; }

# --- Proxy of JupyterHub ---

HUB_PROXY=configurable-http-proxy
HUB_PROXY_VERSION=5.3.0

have_hub_proxy() {
    [ "$(".venv-jupyterhub/bin/$HUB_PROXY" --version 2>/dev/null)" = "$HUB_PROXY_VERSION" ]
}

# Install it beside JupyterHub, from npm.
add_hub_proxy() {
    works npm || ! can_install || install_packages nodejs npm
    ! works npm || npm install --global --prefix .venv-jupyterhub --ignore-scripts --no-audit --no-fund \
        --loglevel=error "$HUB_PROXY@$HUB_PROXY_VERSION" >&2 || true
}

# --- Install what is missing ---

missing=
{ have_shell && have_chromium; } || add_chromium
if ! have_chromium; then
    echo "!!! NO CHROMIUM: THE PAGE IS NOT TESTED. Install the packages chromium and libatomic1, or run" \
        ".venv/bin/playwright install --with-deps chromium" >&2
    missing=yes
fi
have_slurm || install_services slurm-wlm munge openssh-server
if ! have_slurm; then
    echo "!!! SLURM IS NOT TESTED: install the Debian packages slurm-wlm munge openssh-server" >&2
    missing=yes
fi
have_proxies || install_services nginx-light caddy
if ! have_proxies; then
    echo "!!! PROXIES ARE NOT TESTED: install the Debian packages nginx-light caddy" >&2
    missing=yes
fi
have_compiler || ! can_install || install_packages g++ libc6-dev
if ! have_compiler; then
    echo "!!! THE CUDA KERNELS ARE NOT TESTED: install the Debian package g++" >&2
    missing=yes
fi
if [ "${1:-}" = long ] && ! have_builders; then
    ! can_install || install_packages debootstrap buildah slirp4netns
    if ! have_builders; then
        echo "!!! IMAGES ARE NOT TESTED: install the Debian packages debootstrap buildah slirp4netns" >&2
        missing=yes
    fi
fi
if [ "${1:-}" = long ] && ! have_nspawn; then
    install_services systemd-container
    if ! have_nspawn; then
        echo "!!! THE SERVICE IS NOT TESTED: install the Debian package systemd-container" >&2
        missing=yes
    fi
fi
if [ "${1:-}" = long ] && ! have_hub_proxy; then
    add_hub_proxy
    if ! have_hub_proxy; then
        echo "!!! JUPYTERHUB IS NOT TESTED: install Node.js 20 or later with npm" >&2
        missing=yes
    fi
fi
[ -z "$missing" ] || [ -z "${CI:-}" ] || exit 1
