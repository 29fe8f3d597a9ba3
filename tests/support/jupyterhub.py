"""A real JupyterHub with its proxy, in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import psutil
import pytest

from tests.support import homes
from tests.support.browser import ROOT
from tests.support.homes import clean_up, until
from tests.support.web import free_port

BIN = ROOT / ".venv-jupyterhub" / "bin"
PATH = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"

TOKEN = "a-token-of-the-administrator"

CONFIGURATION = """\
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/{{username}}"
c.Spawner.environment = {{"NANOCONF_CORES": "1"}}
c.Spawner.args = ["--allow-root"]
c.JupyterHub.services = [{{"name": "test", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers"]}}
]
"""


class JupyterHub:
    """JupyterHub with configurable-http-proxy. Each user has a folder below that of the hub.

    Parameters
    ----------
    folder : Path
        Folder for everything that the hub and its users write.
    """

    def __init__(self, folder: Path):
        for program in ("node", "jupyterhub", "configurable-http-proxy"):
            if not shutil.which(program, path=PATH):
                message = f"NO {program.upper()}: `make test-long` installs it where it can"
                (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        folder.mkdir(parents=True)

    def __enter__(self) -> JupyterHub:
        configuration = self.folder / "jupyterhub_config.py"
        text = CONFIGURATION.format(
            port=self.port,
            hub_port=free_port(),
            proxy_port=free_port(),
            folder=self.folder,
            token=TOKEN,
        )
        configuration.write_text(text, encoding="utf-8")
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment["PATH"] = PATH
        self._log = self.folder / "hub.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(BIN / "jupyterhub"), f"--config={configuration}"],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, "the hub to answer")
        return self

    def __exit__(self, *_: object) -> None:
        """End the hub, which ends its proxy and the servers of its users."""
        self._process.terminate()
        self._process.wait(homes.PATIENCE)
        for each in self.folder.glob("*/.local/share/nanoconf"):
            clean_up(each)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.output
        try:
            urlopen(f"{self.url}hub/health", timeout=5).close()
        except (URLError, OSError):
            return False
        return True

    @property
    def output(self) -> str:
        """Output of the hub, its proxy and its users' servers."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def address(self, user: str) -> str:
        """Return the address of a user's server."""
        return f"{self.url}user/{quote(user, safe='@~')}/"

    def home(self, user: str) -> Path:
        """Return the home folder of a user."""
        return self.folder / user

    def archive(self, user: str) -> Path:
        """Return the archive folder of a user."""
        return self.home(user) / ".local" / "share" / "nanoconf"

    def processes(self, user: str) -> list[psutil.Process]:
        """Return the processes with the home folder of a user."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOME") == str(self.home(user)):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def api(self, path: str, method: str = "GET") -> Any:
        """Send a request to the hub as its administrator."""
        headers = {"Authorization": f"token {TOKEN}"}
        request = Request(f"{self.url}hub/api/{path}", method=method, headers=headers)
        with urlopen(request, timeout=homes.PATIENCE) as answer:
            return json.loads(answer.read() or "null")
