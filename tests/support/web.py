"""The page's server over plain HTTP and websockets, without a browser."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import websocket

from tests.support import homes
from tests.support.browser import ROOT, cmdline, processes_of
from tests.support.homes import until

PROTOCOL = "v1.kernel.websocket.jupyter.org"
ASSET = "/voila/static/voila.js"
"""A file that every page loads; asking for it starts no kernel."""


@dataclass(frozen=True)
class Answer:
    """An answer of the server."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def kernel(self) -> str:
        """Id of the kernel of a page."""
        found = re.search(r'"kernelId": "([\w-]+)"', self.body)
        assert found, self.body[:2000]
        return found[1]

    @property
    def cookie(self) -> str:
        """Return the cookies that were set, as a browser sends them back."""
        return self.headers.get("Set-Cookie", "").partition(";")[0]


def free_port() -> int:
    """Return a free port below those that the system gives to the connections of kernels."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class WebServer:
    """A server of the page in its own process.

    Attributes
    ----------
    home : Path
        Its ``NANOCONF_HOME``.
    options : list of str
        Options of ``nanoconf app``, or of ``voila`` if `plain`.
    environment : dict of str
        Its additional environment variables.
    plain : bool
        Start ``voila app.ipynb`` instead of ``nanoconf app``.
    folder : Path
        Its working directory.
    """

    home: Path
    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    plain: bool = False
    folder: Path = ROOT

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}/"
        self.home.mkdir(parents=True, exist_ok=True)
        self.log = self.home / "server.log"

    def __enter__(self) -> WebServer:
        self.start()
        return self

    def start(self) -> None:
        """Start the server, or start it again after it was killed."""
        app = ["nanoconf", "app", "--no-browser"]
        command = ["voila", str(ROOT / "app.ipynb"), "--no-browser"] if self.plain else app
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command, f"--port={self.port}", *self.options],
                cwd=self.folder,
                env={**os.environ, "NANOCONF_HOME": str(self.home), **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self.answers, "the server to answer")

    def stop(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.wait(homes.PATIENCE)

    def __exit__(self, *_: object) -> None:
        self.stop()
        homes.clean_up(self.home)
        until(lambda: not processes_of(self.home), f"the processes of {self.home} to end")

    def answers(self) -> bool:
        assert self.process.poll() is None, self.output
        try:
            return self.get(ASSET).status == 200
        except (OSError, http.client.HTTPException):
            return False

    @property
    def output(self) -> str:
        """What the server has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def kernels(self) -> list[psutil.Process]:
        return [each for each in processes_of(self.home) if "ipykernel_launcher" in cmdline(each)]

    def environment_of(self, kernel: str) -> dict[str, str]:
        """Return the environment with which a kernel was started."""
        (process,) = [each for each in self.kernels if kernel in cmdline(each)]
        return process.environ()

    # --- requests ---------------------------------------------------------------------------

    @contextmanager
    def asking(
        self,
        path: str,
        method: str = "GET",
        body: str | None = None,
        source: str = "",
        **headers: str,
    ):
        """Send a request from an address; header names have underscores for hyphens."""
        connection = http.client.HTTPConnection(
            "127.0.0.1",
            self.port,
            timeout=homes.PATIENCE,
            source_address=(source, 0) if source else None,
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            yield connection
        finally:
            connection.close()

    def get(self, path: str = "/", method: str = "GET", body: str | None = None, **options: str):
        with self.asking(path, method, body, **options) as connection:
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            return Answer(answer.status, dict(answer.getheaders()), text)

    def end(self, kernel: str, **headers: str) -> Answer:
        """End a kernel as a closing page does."""
        return self.get(
            f"/voila/api/shutdown/{kernel}",
            "POST",
            "_xsrf=abc",
            **{
                "Cookie": "_xsrf=abc",
                "Content_Type": "application/x-www-form-urlencoded",
                **headers,
            },
        )

    def connect(
        self, kernel: str, *, prefix: str = "", protocol: str | None = PROTOCOL, **options: Any
    ) -> websocket.WebSocket:
        """Open the websocket of a page."""
        return websocket.create_connection(
            f"ws://127.0.0.1:{self.port}{prefix}/api/kernels/{kernel}/channels",
            timeout=homes.PATIENCE,
            subprotocols=[protocol] if protocol else None,
            **options,
        )


def frame(
    kind: str,
    content: dict[str, Any] | None = None,
    channel: str = "shell",
    *,
    id: str = "",
    metadata: dict[str, Any] | None = None,
) -> bytes:
    """Return a kernel message in the binary format of jupyter_server."""
    header = {
        "msg_id": id or os.urandom(8).hex(),
        "msg_type": kind,
        "session": "test",
        "username": "test",
        "version": "5.3",
        "date": "2025-01-01T00:00:00Z",
    }
    parts = [json.dumps(part).encode() for part in (header, {}, metadata or {}, content or {})]
    return assemble([channel.encode(), *parts])


def assemble(parts: list[bytes]) -> bytes:
    """Return a frame of these parts, with their number and their offsets before them."""
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return b"".join([*(number.to_bytes(8, "little") for number in numbers), *parts])


def received(socket: websocket.WebSocket, kind: str) -> bool:
    """Wait for a message of a kind; False if the server closes the connection first."""
    while True:
        try:
            message = socket.recv()
        except websocket.WebSocketException:
            return False
        if not message:
            return False
        if f'"msg_type": "{kind}"'.encode() in message:
            return True


def closed_with(socket: websocket.WebSocket) -> int:
    """Return the code with which the server closes a connection."""
    while True:
        opcode, data = socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2], "big")


def query_of(location: str) -> str:
    """Return the query of an address."""
    return urlsplit(location).query
