"""Code on the cluster needs Python's standard library alone."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import backend
from backend.cluster import node

MODULES = [f"{node.__name__}.{found.name}" for found in pkgutil.iter_modules(node.__path__)]


@pytest.mark.parametrize("module", [*MODULES, "backend.cluster.package"])
def test_modules_load_without_any_installed_package(module):
    folder = str(Path(backend.__file__).parents[1])
    load = f"import sys; sys.path.insert(0, {folder!r}); import {module}"
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", load], capture_output=True)
    assert loaded.returncode == 0, loaded.stderr.decode()


def test_a_package_is_not_found_where_none_is_installed():
    missed = subprocess.run([sys.executable, "-I", "-S", "-c", "import numpy"], capture_output=True)
    assert b"No module named 'numpy'" in missed.stderr
