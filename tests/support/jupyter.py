"""A real JupyterLab with the page in its launcher, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.support import homes
from tests.support.browser import ROOT, processes_of
from tests.support.homes import until
from tests.support.web import free_port

PROGRAM = ROOT / ".venv-jupyter" / "bin" / "jupyter-lab"

PREFIX, TOKEN = "/user/jo%40example.org/", "a-token-of-jupyter"
"""Path, as on a JupyterHub, and token of Jupyter."""

FOR_LAB = ("@jupyterhub/", "@jupyter-notebook/")
"""Scripts of jupyter-server-proxy and Notebook, which need JupyterLab."""


def voila_trouble(trouble: list[str]) -> list[str]:
    """Return the trouble of a notebook in Voila, which, as an extension, loads `FOR_LAB`, too."""
    return [line for line in trouble if not any(each in line for each in FOR_LAB)]


class JupyterLab:
    """JupyterLab in its own process.

    Parameters
    ----------
    home : Path
        ``NANOCONF_HOME`` of the page, and Jupyter's own folder.
    program : Path
        ``jupyter-lab`` of its environment.
    """

    def __init__(self, home: Path, program: Path = PROGRAM):
        if not program.exists():
            message = "NO JUPYTERLAB: sh scripts/environment.sh jupyter installs it"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
        self._program = program
        self.home, self.port = home, free_port()
        self.url = f"http://localhost:{self.port}{PREFIX}"
        home.mkdir(parents=True)

    def __enter__(self) -> JupyterLab:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment |= {
            "NANOCONF_HOME": str(self.home),
            "NANOCONF_CORES": "1",
            "JUPYTER_TOKEN": TOKEN,
            "JUPYTER_CONFIG_DIR": str(self.home / "config"),
            "JUPYTER_DATA_DIR": str(self.home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "runtime"),
        }
        self._log = self.home / "jupyter.log"
        options = ["--no-browser", "--allow-root", f"--port={self.port}", "--port-retries=0"]
        options += [f"--ServerApp.base_url={PREFIX}", f"--ServerApp.root_dir={ROOT}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(self._program), *options],
                cwd=self.home,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, "JupyterLab to answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(homes.PATIENCE)
        homes.clean_up(self.home)
        until(lambda: not processes_of(self.home), f"the processes of {self.home} to end")

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
        try:
            urlopen(f"{self.url}api/status?token={TOKEN}", timeout=5).close()
        except (URLError, OSError):
            return False
        return True
