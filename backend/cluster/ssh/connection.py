"""Connections to clusters: strict about host keys, and never waiting for ever."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import paramiko

from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import login
from backend.cluster.ssh.hosts import Target
from backend.cluster.waiting import Say, nobody, waiting

SILENCE_SECONDS = 120.0
"""How long a command may say nothing; a frozen link is noticed by nothing else."""

SHELL_SECONDS = 300.0
"""How long the user's shell there may take to start, on a link that is alive."""

LOOK_SECONDS = 2.0
"""How long that shell may take before the link is tested, and it is named."""

PROBE_SECONDS = 1.0
"""How long the answer to that test may take before the host is named instead."""

PROBE = "keepalive@openssh.com"
"""A request that an SSH server answers by itself; that it does not know it is an answer, too."""

BEGUN = b"nanoconf: the shell has started\n"
"""What a command writes first; before it, the user's shell may have written a greeting."""

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
    say : callable, optional
        Told, in a line, what is being waited for.

    Attributes
    ----------
    shell_seconds : float
        How long the user's shell there took to start, at the last command.
    """

    def __init__(self, target: Target, say: Say = nobody):
        self.target = target
        self.shell_seconds = 0.0
        self._say = say
        self._way: list[paramiko.Transport] = []

    @property
    def open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return bool(self._way) and all(transport.is_active() for transport in self._way)

    def run(
        self, command: str, data: bytes = b"", silence: float = SILENCE_SECONDS, *, task: str = ""
    ) -> Answer:
        """Run a command, with data on its standard input.

        Parameters
        ----------
        command : str
            For bash, which the user's shell there starts.
        data : bytes
            Standard input.
        silence : float
            Seconds that may pass without a sign of it, once the shell has started.
        task : str
            What the command does, for people, where that may take long.

        Raises
        ------
        ClusterProblem
            There is no connection (see `login.connected`); ``login-shell``: the user's shell there
            does not start, and the command was not run; ``lost``: the connection broke, and the
            command may or may not have done its work.
        """
        if not self.open:
            self.close()
            self._way = login.connected(self.target, say=self._say)
        try:
            return self._run(command, data, silence, task)
        except BaseException as error:
            self.close()
            if isinstance(error, (paramiko.SSHException, EOFError, OSError)):
                line = f"the connection to {self.target} broke ({login.reason(error)})"
                raise ClusterProblem("lost", line) from error
            raise

    def _run(self, command: str, data: bytes, silence: float, task: str) -> Answer:
        channel = self._begin(command, silence)
        written = self._await_shell(channel, silence)
        with waiting(self._say, task):
            with contextlib.suppress(BrokenPipeError):  # it ended without reading, and says why
                for first in range(0, len(data), CHUNK):  # sendall copies what is left each time
                    with _within(silence, self._way):
                        _send(channel, data[first : first + CHUNK])
                with _within(silence, self._way):
                    channel.shutdown_write()
            out = b"".join([written, *_chunks(channel.recv)])
            err = b"".join(_chunks(channel.recv_stderr))
            if not channel.status_event.wait(silence):
                raise TimeoutError
        if channel.exit_status < 0:
            raise EOFError("it ended without a status")
        channel.close()  # before, the whole connection would be closed
        return Answer(channel.exit_status, out, err)

    def _begin(self, command: str, silence: float) -> paramiko.Channel:
        """Let the user's shell there start bash with a command.

        The shell has read the user's files; bash would read ``.bashrc`` once more, as it does
        wherever it believes that SSH has started it.
        """
        mark = f"echo {shlex.quote(BEGUN.decode().strip())}"
        words = ["bash", "--norc", "-c", f"{mark}\n{command}"]
        with waiting(self._say, f"waiting for {self.target} to answer"):
            channel = self._way[-1].open_session(timeout=silence)
            channel.settimeout(silence)
            with _within(silence, self._way):
                channel.exec_command(shlex.join(words))
        return channel

    def _await_shell(self, channel: paramiko.Channel, silence: float) -> bytes:
        """Wait until a command begins; returns what it has written so far.

        Until then the user's shell starts, and nothing is sent that it might read.
        """
        line = f"waiting for the login shell of {self.target} to start (a slow ~/.bashrc?)"
        began = time.monotonic()
        written = b""
        channel.settimeout(min(LOOK_SECONDS, silence / 2))
        while BEGUN not in written:
            if time.monotonic() - began > SHELL_SECONDS:
                raise self._no_shell()
            try:
                chunk = channel.recv(CHUNK)
            except TimeoutError:
                self._test_link(silence / 2)
                self._say(line)
                continue
            if not chunk:  # it has ended, and what it has written says why
                break
            written += chunk
        self.shell_seconds = time.monotonic() - began
        channel.settimeout(silence)
        return written.rpartition(BEGUN)[2]

    def _test_link(self, silence: float) -> None:
        """See that the SSH server is heard; it answers whatever the user's shell does."""
        line = f"waiting for {self.target} to answer"
        with waiting(self._say, line, PROBE_SECONDS), _within(silence, self._way):
            self._way[-1].global_request(PROBE)
            if not self._way[-1].is_active():
                raise EOFError("it has ended")

    def _no_shell(self) -> ClusterProblem:
        return ClusterProblem(
            "login-shell",
            f"the login shell has not started after {SHELL_SECONDS:.0f} s, though {self.target} "
            f"answers: look at ~/.bashrc on {self.target.host}",
        )

    def close(self) -> None:
        """End the connection."""
        login.close(self._way)
        self._way = []

    def log_in(self, ask: login.Ask | None, say: Say = nobody) -> None:
        """Open the connection now; a person answers what the host asks besides a key."""
        self.close()
        self._way = login.connected(self.target, ask, say)

    def approach(self, ask: login.Ask | None) -> Iterator[tuple[Target, paramiko.PKey]]:
        """Open the connection now; tells the key of each host on the way before it is believed."""
        self.close()
        return login.approach(self.target, self._way, ask, self._say)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


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
