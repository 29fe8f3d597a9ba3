#!/bin/sh
# Builds .venv from requirements.lock. Called by `make setup`; PYTHON= chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

# "3.12" for an interpreter that runs and suits us; nothing otherwise (a pyenv shim may exist and not run).
version_of() {
    "$1" -c 'import sys
if (3, 11) <= sys.version_info < (3, 14):
    print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

has_ensurepip() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The first suitable Python that can make an environment, else the first suitable one.
find_python() {
    first=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        [ -n "$(version_of "$candidate")" ] || continue
        if has_ensurepip "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
        first=${first:-$candidate}
    done
    printf '%s' "$first"
}

# Debian and Ubuntu put ensurepip into a package of its own.
add_ensurepip() {
    command -v apt-get >/dev/null || stop "$1 has no ensurepip: choose another with make setup PYTHON=/path/to/python"
    version=$(version_of "$1")
    package=python3-venv
    [ "$(version_of /usr/bin/python3)" = "$version" ] || package=python$version-venv
    if [ "$(id -u)" -ne 0 ]; then
        say "$1 cannot make an environment yet. Type this, then the make command again:"
        stop "    sudo apt-get install -y $package"
    fi
    say "Installing $package ..."
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$package" >/dev/null
}

python=$(find_python)
if [ -z "$python" ]; then
    stop "nanoconf needs Python 3.11, 3.12 or 3.13${PYTHON:+, and PYTHON=$PYTHON is none of them}." \
        "Install one, or name one: make setup PYTHON=/path/to/python"
fi
has_ensurepip "$python" || add_ensurepip "$python"

# An environment that still works is brought up to date; a broken or foreign one is replaced.
if [ "$(version_of .venv/bin/python)" != "$(version_of "$python")" ] ||
    ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --clear .venv
fi

say "Installing $(grep -c '==' requirements.lock) packages into .venv with $(.venv/bin/python --version): some minutes the first time ..."
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }
# Bytecode is compiled afterwards, on all cores and without the packages' own tests: twice as fast.
pip install --require-hashes --only-binary :all: --no-compile -r requirements.lock
.venv/bin/python -W ignore -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true
pip install --quiet --no-deps --no-build-isolation --editable .
.venv/bin/python -m backend.engines.numba.warm_up || say "The engine could not be compiled beforehand; the first run will try again."
say "Ready."
