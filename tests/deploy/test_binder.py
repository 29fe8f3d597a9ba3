"""The steps of Binder, in a fresh environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.support import homes
from tests.support.jupyter import TOKEN, JupyterLab

ROOT = Path(__file__).resolve().parents[2]
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.mark.long
def test_binder_serves_the_page_in_jupyter_with_the_engine_compiled(tmp_path):
    copy, environment = tmp_path / "repository", tmp_path / "environment"
    ignored = shutil.ignore_patterns(".git", ".venv*", "test-results", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    variables["PATH"] = f"{environment / 'bin'}:{os.environ['PATH']}"
    subprocess.run([".binder/postBuild"], cwd=copy, env=variables, check=True)
    assert list((copy / "backend").rglob("*.nbc")), "the engine is compiled"
    with JupyterLab(tmp_path / "home", environment / "bin" / "jupyter-lab") as jupyter:
        asked = Request(f"{jupyter.url}nanoconf/", headers={"Authorization": f"token {TOKEN}"})
        page = urlopen(asked, timeout=homes.PATIENCE).read().decode()
        assert "Ions in Nanoconfinement" in page and VIEW in page
