"""A stand-in for an SSH server that wants a code besides a key; what it runs is real.

It lets through to other hosts, too, as a jump host.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import paramiko

from tests.support.relay import HOST

CODE = "271828"

HUNG_UP = (paramiko.SSHException, EOFError, OSError)
"""What is raised where who calls hangs up; the next one is taken."""

End = socket.socket | paramiko.Channel


class Door(paramiko.ServerInterface):
    """Wants a key first, then a code."""

    def __init__(self, key: paramiko.PKey, commands: Server):
        self.key, self.server, self.passed_key = key, commands, False
        self.ways: dict[int, tuple[str, int]] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "keyboard-interactive" if self.passed_key else "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if key != self.key:
            return paramiko.AUTH_FAILED
        self.passed_key = True
        return paramiko.AUTH_PARTIALLY_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str) -> object:
        if not self.passed_key:
            return paramiko.AUTH_FAILED
        self.server.asked += 1
        return paramiko.InteractiveQuery("Two factors", "Look at your phone.", ("Code: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        right = responses == [CODE]
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self.ways[chanid] = destination
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self.server.execute, args=(channel, command), daemon=True).start()
        return True


class Server:
    """The server.

    Parameters
    ----------
    key_file : Path
        The private key that is let in.
    known_hosts : Path
        Where its host key is added.
    env : dict
        Environment of the commands.
    folder : Path
        Where they start.
    """

    def __init__(self, key_file: Path, known_hosts: Path, env: dict[str, str], folder: Path):
        self.asked = 0
        self._key = paramiko.PKey.from_path(key_file)
        self._host_key = paramiko.ECDSAKey.generate()
        self._known_hosts = known_hosts
        self._env, self._folder = env, folder
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._transports: list[paramiko.Transport] = []
        self.trust(self.port)
        threading.Thread(target=self._take, daemon=True).start()

    def trust(self, port: int) -> None:
        """Its host key is known at a port, which may be a relay's."""
        key = self._host_key
        with open(self._known_hosts, "a", encoding="ascii") as stream:
            stream.write(f"[{HOST}]:{port} {key.get_name()} {key.get_base64()}\n")

    def _take(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(link)
            transport.add_server_key(self._host_key)
            self._transports.append(transport)
            door = Door(self._key, self)
            with contextlib.suppress(*HUNG_UP):
                transport.start_server(server=door)
                threading.Thread(target=let_through, args=(transport, door), daemon=True).start()

    def execute(self, channel: paramiko.Channel, command: bytes) -> None:
        """Run a command with what comes as its standard input; what it writes goes at once."""
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            ["bash", "-c", command.decode()],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=dict(os.environ) | self._env,
            cwd=self._folder,
        )
        ends = (process.stdin, process.stdout, process.stderr)
        threading.Thread(target=feed, args=(channel, ends[0]), daemon=True).start()
        errors = threading.Thread(target=drain, args=(ends[2], channel.sendall_stderr))
        errors.start()
        drain(ends[1], channel.sendall)
        errors.join()
        with contextlib.suppress(OSError):  # the connection may have been cut
            channel.send_exit_status(process.wait())
            channel.close()

    def cut(self) -> None:
        """End all connections."""
        for transport in self._transports:
            transport.close()

    def close(self) -> None:
        """End all."""
        self._listener.close()
        self.cut()


def let_through(transport: paramiko.Transport, door: Door) -> None:
    """Join the channels of a connection that lead on to where they lead."""
    while transport.is_active():
        channel = transport.accept(1)
        if channel is None or channel.chanid not in door.ways:
            continue
        host = socket.create_connection(door.ways[channel.chanid])
        for ends in ((channel, host), (host, channel)):
            threading.Thread(target=pass_on, args=ends, daemon=True).start()


def feed(channel: paramiko.Channel, sink: IO[bytes]) -> None:
    """Give a command what comes as its standard input, to the end."""
    with contextlib.suppress(OSError), sink:  # it may end without reading
        while data := channel.recv(1 << 15):
            sink.write(data)
            sink.flush()


def drain(source: IO[bytes], send: Callable[[bytes], object]) -> None:
    """Send what a command writes, to the end, as soon as it is written."""
    with source:
        while data := os.read(source.fileno(), 1 << 15):
            with contextlib.suppress(OSError):  # the connection may have been cut
                send(data)


def pass_on(source: End, sink: End) -> None:
    """Pass on what comes, to the end."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 15):
            sink.sendall(data)
    sink.close()
