"""Where a person answers what a cluster asks besides a key: ``nanoconf cluster login``.

The keeper listens on a socket that only this user can reach, and whose name and password lie in
``login.json`` in the home. Questions and answers pass through it; the keeper then holds the
connection. No answer is ever written down.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh.login import Ask
from backend.cluster.waiting import Say, nobody
from backend.files import read_json, write_json

FILE = "login.json"
MOST_BYTES = 1 << 16
START_SECONDS = 20.0

LogIn = Callable[[str, Path, Ask, Say], None]


def receive_people(home: Path, log_in: LogIn) -> None:
    """Let people log in, from now on, in a thread of its own.

    Parameters
    ----------
    home : Path
        The home whose keeper this is.
    log_in : callable
        Logs in to a cluster (its name, and the file that describes it), asking as it is told, and
        saying what is being waited for.
    """
    password = secrets.token_bytes(32)
    listener = Listener(family="AF_UNIX", authkey=password)
    path = home / FILE
    old = os.umask(0o077)
    try:
        path.unlink(missing_ok=True)
        write_json(path, {"address": listener.address, "password": password.hex()})
    finally:
        os.umask(old)
    threading.Thread(target=_receive, args=(listener, log_in), daemon=True).start()


def _receive(listener: Listener, log_in: LogIn) -> None:
    while True:
        try:
            visitor = listener.accept()
        except (OSError, EOFError, AuthenticationError):
            continue
        threading.Thread(target=_serve, args=(visitor, log_in), daemon=True).start()


def _serve(visitor: Connection, log_in: LogIn) -> None:
    def ask(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        _send(visitor, {"title": title, "instructions": instructions, "prompts": prompts})
        return [str(answer) for answer in _receive_value(visitor)["answers"]]

    def say(line: str) -> None:
        with contextlib.suppress(OSError):  # whoever asked has gone
            _send(visitor, {"waiting": line})

    with visitor, contextlib.suppress(OSError, EOFError):
        wanted = _receive_value(visitor)
        try:
            log_in(wanted["cluster"], Path(wanted["config"]), ask, say)
        except ClusterProblem as problem:
            _send(visitor, {"problem": [problem.name, str(problem)]})
        except Exception as error:
            _send(visitor, {"problem": ["unexpected", repr(error)]})
        else:
            _send(visitor, {"done": True})


def visit(home: Path, cluster: str, config: Path, ask: Ask, say: Say = nobody) -> None:
    """Log in to a cluster through the keeper of a home, answering what it asks.

    What is being waited for meanwhile is said.

    Raises
    ------
    ClusterProblem
        It did not work.
    """
    with _keeper_of(home) as keeper:
        _send(keeper, {"cluster": cluster, "config": str(config)})
        while True:
            try:
                said = _receive_value(keeper)
            except (EOFError, OSError) as error:
                raise ClusterProblem("lost", "the keeper has ended: try again") from error
            if "problem" in said:
                raise ClusterProblem(*said["problem"])
            if "done" in said:
                return
            if "waiting" in said:
                say(str(said["waiting"]))
                continue
            prompts = [(str(text), bool(seen)) for text, seen in said["prompts"]]
            _send(keeper, {"answers": ask(said["title"], said["instructions"], prompts)})


def _keeper_of(home: Path) -> Connection:
    """A connection to the keeper of a home, which may just be starting."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            about = read_json(home / FILE)
            return Client(about["address"], authkey=bytes.fromhex(about["password"]))
        except (OSError, ValueError, KeyError, EOFError, AuthenticationError) as error:
            if time.monotonic() > deadline:
                line = f"the keeper cannot be reached ({error!r}): see keeper.log in {home}"
                raise ClusterProblem("unreachable", line) from error
        time.sleep(0.1)


def _send(connection: Connection, value: Any) -> None:
    connection.send_bytes(json.dumps(value).encode())


def _receive_value(connection: Connection) -> Any:
    return json.loads(connection.recv_bytes(MOST_BYTES))
