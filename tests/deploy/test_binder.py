"""The steps of Binder: what repo2docker reads, and ``postBuild`` on the packages of its image."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.support import homes
from tests.support.jupyter import TOKEN, JupyterLab
from tests.support.jupyterhub import BIN

ROOT = Path(__file__).resolve().parents[2]
VIEW = "application/vnd.jupyter.widget-view+json"


IN_IMAGE = "jupyterhub-base|jupyterlab|notebook|jupyter_server|ipywidgets|jupyter-resource-usage"
"""Packages of repo2docker's image that ``postBuild`` may disturb."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the repository."""
    folder = tmp_path_factory.mktemp("binder") / "repository"
    ignored = shutil.ignore_patterns(".git", ".venv*", "test-results", "__pycache__")
    return shutil.copytree(ROOT, folder, ignore=ignored)


@pytest.mark.long
def test_repo2docker_recognises_the_files(copy):
    """It prints the recipe of an image, without building it."""
    command = [repo2docker(), "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=copy, check=True, capture_output=True, text=True)
    recipe = done.stdout + done.stderr
    assert f"Building conda environment for python={python_version()}\n" in recipe
    # One environment: JupyterLab runs where postBuild installs the page.
    assert "ENV KERNEL_PYTHON_PREFIX=${NB_PYTHON_PREFIX}\n" in recipe
    steps = re.findall("^(?:COPY .* src/ |USER |RUN ./)(.*)$", recipe, re.M)
    assert steps[-3:] == ["${REPO_DIR}/", "${NB_USER}", ".binder/postBuild"]


@pytest.mark.long
def test_binder_serves_the_page_in_jupyter_with_the_engine_compiled(copy, tmp_path):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    variables["PATH"] = f"{environment / 'bin'}:{os.environ['PATH']}"
    subprocess.run(["pip", "install", "--quiet", *packages_of_image()], env=variables, check=True)
    start = time.monotonic()
    subprocess.run([".binder/postBuild"], cwd=copy, env=variables, check=True)
    print(f"postBuild: {time.monotonic() - start:.0f} s")
    subprocess.run(["pip", "check"], env=variables, check=True)
    assert list((copy / "backend").rglob("*.nbc")), "the engine is compiled"
    with JupyterLab(tmp_path / "home", environment / "bin" / "jupyter-lab") as jupyter:
        asked = Request(f"{jupyter.url}nanoconf/", headers={"Authorization": f"token {TOKEN}"})
        page = urlopen(asked, timeout=homes.PATIENCE).read().decode()
        assert "Ions in Nanoconfinement" in page and VIEW in page


def repo2docker() -> str:
    """Return the path of the program."""
    program = BIN / "jupyter-repo2docker"
    if not program.exists():
        message = "NO REPO2DOCKER: sh scripts/environment.sh jupyterhub installs it"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return str(program)


def python_version() -> str:
    return (ROOT / ".binder" / "runtime.txt").read_text().strip().removeprefix("python-")


def packages_of_image() -> list[str]:
    """Return some packages of repo2docker's image with their versions."""
    name = f"repo2docker/buildpacks/conda/environment.py-{python_version()}-linux-64.lock"
    (lock,) = Path(repo2docker()).parents[1].glob(f"lib/python*/site-packages/{name}")
    found = re.findall(rf"/({IN_IMAGE})-(\d[^-]*)-[^/]*\.conda", lock.read_text())
    assert len(found) == len(IN_IMAGE.split("|"))
    return [f"{name.removesuffix('-base')}=={version}" for name, version in found]
