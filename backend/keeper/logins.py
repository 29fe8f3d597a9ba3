"""Logins that need more than a key: ``nanoconf cluster login`` shows the cluster's prompts.

The keeper listens on a local socket. Its address and password are in ``login.json`` in the archive
folder, which only this user can read. Prompts and answers pass through the socket; the keeper then
holds the connection. No answer is ever written to disk.
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
MAXIMUM_BYTES = 1 << 16
START_SECONDS = 20.0
"""Time that a command waits for a keeper that has just been started (s)."""

LogIn = Callable[[str, Path, Ask, Say], None]


def accept_logins(home: Path, log_in: LogIn) -> None:
    """Accept logins from now on, in a separate thread.

    Parameters
    ----------
    home : Path
        Home of this keeper.
    log_in : callable
        Logs in to a cluster, given its name, its configuration file, a function that prompts
        the user, and one that reports waits.
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
    threading.Thread(target=_accept, args=(listener, log_in), daemon=True).start()


def _accept(listener: Listener, log_in: LogIn) -> None:
    while True:
        try:
            client = listener.accept()
        except (OSError, EOFError, AuthenticationError):
            continue
        threading.Thread(target=_serve, args=(client, log_in), daemon=True).start()


def _serve(client: Connection, log_in: LogIn) -> None:
    def ask(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        _send(client, {"title": title, "instructions": instructions, "prompts": prompts})
        return [str(answer) for answer in _receive(client)["answers"]]

    def say(line: str) -> None:
        with contextlib.suppress(OSError):  # the command has ended
            _send(client, {"waiting": line})

    with client, contextlib.suppress(OSError, EOFError):
        request = _receive(client)
        try:
            log_in(request["cluster"], Path(request["config"]), ask, say)
        except ClusterProblem as problem:
            _send(client, {"problem": [problem.name, str(problem)]})
        except Exception as error:
            _send(client, {"problem": ["unexpected", repr(error)]})
        else:
            _send(client, {"done": True})


def log_in(home: Path, cluster: str, config: Path, ask: Ask, say: Say = nobody) -> None:
    """Log in to a cluster through the keeper of a home.

    Parameters
    ----------
    home : Path
    cluster : str
        The cluster's name.
    config : Path
        The file that describes it.
    ask : callable
        Prompts the user for the answers that the cluster requires.
    say : callable, optional
        Called with a one-line description of the current wait.

    Raises
    ------
    ClusterProblem
        The login failed.
    """
    with _connect_to_keeper(home) as keeper:
        _send(keeper, {"cluster": cluster, "config": str(config)})
        while True:
            try:
                message = _receive(keeper)
            except (EOFError, OSError) as error:
                raise ClusterProblem("lost", "the keeper has exited: try again") from error
            if "problem" in message:
                raise ClusterProblem(*message["problem"])
            if "done" in message:
                return
            if "waiting" in message:
                say(str(message["waiting"]))
                continue
            prompts = [(str(text), bool(echo)) for text, echo in message["prompts"]]
            answers = ask(message["title"], message["instructions"], prompts)
            _send(keeper, {"answers": answers})


def _connect_to_keeper(home: Path) -> Connection:
    """Connect to the keeper of a home, which may still be starting."""
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


def _receive(connection: Connection) -> Any:
    return json.loads(connection.recv_bytes(MAXIMUM_BYTES))
