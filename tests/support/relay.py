"""A way to a server that can be cut at a chosen byte, or freeze at a chosen moment."""

from __future__ import annotations

import os
import random
import socket
import threading
from contextlib import suppress
from typing import Literal, Self

HOST = "127.0.0.1"

Direction = Literal["up", "down"]
"""To the server, or from it."""

Link = tuple[socket.socket, socket.socket]
"""One connection: its client's end and its server's."""


class Relay:
    """Passes connections on to a server on this computer, until it is told otherwise.

    Attributes
    ----------
    port : int
        Where it listens, on 127.0.0.1.
    passed : dict
        How many bytes went ``"up"`` to the server and ``"down"`` from it.
    """

    def __init__(self, server_port: int) -> None:
        self.port = free_ports(1)[0]
        self.passed: dict[Direction, int] = {"up": 0, "down": 0}
        self._server_port = server_port
        self._left: dict[Direction, int | None] = {"up": None, "down": None}
        self._links: set[Link] = set()
        self._lock = threading.Lock()
        self._thawed = threading.Event()
        self._thawed.set()
        self.accept()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.cut()
        self.thaw()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        with self._lock:
            return len(self._links)

    def cut(self) -> None:
        """All connections end. New ones are taken."""
        with self._lock:
            for link in self._links:
                hang_up(*link)
            self._links.clear()

    def cut_after(self, count: int, direction: Direction) -> None:
        """All connections end as soon as so many more bytes, and no other, have gone that way."""
        with self._lock:
            self._left[direction] = count

    def freeze(self) -> None:
        """All connections stay open, and nothing passes; new ones are like that, too."""
        self._thawed.clear()

    def thaw(self) -> None:
        """Frozen connections go on."""
        self._thawed.set()

    def refuse(self) -> None:
        """New connections are refused. Those that are open stay."""
        hang_up(self._listener)

    def accept(self) -> None:
        """New connections are taken, at the same port as ever."""
        self._listener = socket.create_server((HOST, self.port))
        threading.Thread(target=self._take, args=[self._listener], daemon=True).start()

    def _take(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # it was closed
                return
            try:
                server = socket.create_connection((HOST, self._server_port))
            except OSError:
                hang_up(client)
                continue
            self._join(client, server)

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        link = (client, server)
        with self._lock:
            self._links.add(link)
        for ways in ((link, client, server, "up"), (link, server, client, "down")):
            threading.Thread(target=self._pass, args=ways, daemon=True).start()

    def _pass(
        self, link: Link, source: socket.socket, sink: socket.socket, direction: Direction
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._thawed.wait()
                data, last = self._allowed(data, direction)
                sink.sendall(data)
                if last:
                    self.cut()
        with self._lock:
            hang_up(*link)
            self._links.discard(link)

    def _allowed(self, data: bytes, direction: Direction) -> tuple[bytes, bool]:
        """What of the data may go, and whether the connections are to be cut behind it."""
        with self._lock:
            left = self._left[direction]
            last = left is not None and left <= len(data)
            data = data[:left]
            if left is not None:
                self._left[direction] = None if last else left - len(data)
            self.passed[direction] += len(data)
            return data, last


def hang_up(*ends: socket.socket) -> None:
    """Close sockets, also those on which another thread waits."""
    for end in ends:
        with suppress(OSError):  # it is closed already
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def free_ports(count: int) -> list[int]:
    """Ports that nobody has.

    They lie below those that the kernel gives to outgoing connections, so that a server that stops
    for a while finds its port free again; and each of pytest's workers has a range of its own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 10_000 + worker % 4 * 5_500
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(first, first + 5_500)
        with suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, port))
            ports.add(port)
    return list(ports)
