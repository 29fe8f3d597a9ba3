"""Connections to clusters: strict about host keys, and never waiting for ever."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import paramiko

from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import login
from backend.cluster.ssh.hosts import Target

SILENCE_SECONDS = 120.0
"""How long a command may say nothing; a frozen link is noticed by nothing else."""

CHUNK = 1 << 15


@dataclass(frozen=True)
class Answer:
    """What a command ended with.

    Attributes
    ----------
    status : int
        Exit status.
    out, err : bytes
        What it wrote.
    """

    status: int
    out: bytes
    err: bytes

    def last_line(self) -> str:
        """The last line of its errors, for people; a shell that lets nobody in has only output."""
        said = self.err.strip() or self.out.strip()[-200:]
        lines = said.decode("utf-8", "replace").splitlines()
        return lines[-1].strip() if lines else f"it ended with status {self.status}"


class Connection:
    """A connection to a host, opened by the first command and again after it was lost.

    Parameters
    ----------
    target : Target
        The host.
    """

    def __init__(self, target: Target):
        self.target = target
        self._way: list[paramiko.Transport] = []

    @property
    def open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return bool(self._way) and all(transport.is_active() for transport in self._way)

    def run(self, command: str, data: bytes = b"", silence: float = SILENCE_SECONDS) -> Answer:
        """Run a command, with data on its standard input.

        Parameters
        ----------
        command : str
            For the user's shell there.
        data : bytes
            Standard input.
        silence : float
            Seconds that may pass without a sign of it.

        Raises
        ------
        ClusterProblem
            There is no connection (see `login.connected`); ``lost``: it broke, and the command may
            or may not have done its work.
        """
        if not self.open:
            self.close()
            self._way = login.connected(self.target)
        try:
            return _run(self._way, command, data, silence)
        except BaseException as error:
            self.close()
            if isinstance(error, (paramiko.SSHException, EOFError, OSError)):
                line = f"the connection to {self.target} broke ({login.reason(error)})"
                raise ClusterProblem("lost", line) from error
            raise

    def close(self) -> None:
        """End the connection."""
        login.close(self._way)
        self._way = []

    def log_in(self, ask: login.Ask | None) -> None:
        """Open the connection now; a person answers what the host asks besides a key."""
        for _ in self.approach(ask):
            pass

    def approach(self, ask: login.Ask | None) -> Iterator[tuple[Target, paramiko.PKey]]:
        """Open the connection now; tells the key of each host on the way before it is believed."""
        self.close()
        return login.approach(self.target, self._way, ask)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _run(way: list[paramiko.Transport], command: str, data: bytes, silence: float) -> Answer:
    channel = way[-1].open_session(timeout=silence)
    channel.settimeout(silence)
    with _within(silence, way):
        channel.exec_command(command)
    with contextlib.suppress(BrokenPipeError):  # it ended without reading, and says why
        for first in range(0, len(data), CHUNK):  # sendall copies all that is left for each packet
            with _within(silence, way):
                _send(channel, data[first : first + CHUNK])
        with _within(silence, way):
            channel.shutdown_write()
    out = b"".join(_chunks(channel.recv))
    err = b"".join(_chunks(channel.recv_stderr))
    if not channel.status_event.wait(silence):
        raise TimeoutError
    if channel.exit_status < 0:
        raise EOFError("it ended without a status")
    channel.close()  # before, the whole connection would be closed
    return Answer(channel.exit_status, out, err)


@contextlib.contextmanager
def _within(seconds: float, way: list[paramiko.Transport]) -> Iterator[None]:
    """Give up what paramiko would wait for without end, where a link is frozen.

    The connection to the first host is closed; all others go through it.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        way[0].close()

    clock = threading.Timer(seconds, give_up)
    clock.start()
    try:
        yield
    except (paramiko.SSHException, EOFError, OSError) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        clock.cancel()


def _send(channel: paramiko.Channel, data: bytes) -> None:
    try:
        channel.sendall(data)
    except TimeoutError:
        raise
    except OSError as error:  # "Socket is closed"
        raise BrokenPipeError(str(error)) from error


def _chunks(receive: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := receive(CHUNK):
        yield chunk
