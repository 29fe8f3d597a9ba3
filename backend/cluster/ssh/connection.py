"""Connections that run commands, check host keys strictly and never wait indefinitely."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import paramiko

from backend.cluster.problems import REFUSED, ClusterProblem
from backend.cluster.ssh import login
from backend.cluster.ssh.hosts import Target
from backend.cluster.waiting import Say, nobody, waiting
from backend.untrusted import one_line

SILENCE_SECONDS = 120.0
"""Maximum time without output from a command (s); nothing else reveals a frozen link."""

SHELL_SECONDS = 300.0
"""Maximum start-up time of the user's shell while the host answers (s)."""

LOOK_SECONDS = 2.0
"""Start-up time after which the link is tested and the shell is reported (s)."""

PROBE_SECONDS = 1.0
"""Response time of that test above which the host is reported instead (s)."""

PROBE = "keepalive@openssh.com"
"""Request that the SSH server itself answers; "unknown request" is an answer, too."""

BEGUN = b"nanoconf: the shell has started\n"
"""First output of a command; a greeting from the user's shell may precede it."""

CHUNK = 1 << 15

MAXIMUM_OUTPUT = 110_000_000
"""Maximum size of the output of a command (bytes): the largest message of the agent fits."""

LINE_CHARACTERS = 500

MAXIMUM_WORDS = 1_000_000
"""Maximum size of its error output, and of what the user's shell writes before it (bytes)."""


@dataclass(frozen=True)
class Answer:
    """Result of a command.

    Attributes
    ----------
    status : int
        Exit status.
    out, err : bytes
        Standard output and standard error.
    """

    status: int
    out: bytes
    err: bytes

    def last_line(self) -> str:
        """Return the last line of its error output, or of its output if the login was refused."""
        said = self.err.strip() or self.out.strip()[-200:]
        lines = said.decode("utf-8", "replace").splitlines()
        return (
            one_line(lines[-1])[:LINE_CHARACTERS]
            if lines
            else f"it exited with status {self.status}"
        )


class Connection:
    """Connection to a host, opened by the first command and reopened if it is lost.

    Parameters
    ----------
    target : Target
        The host.
    say : callable, optional
        Called with a one-line description of the current wait.

    Attributes
    ----------
    shell_seconds : float
        Start-up time of the user's shell for the last command.
    """

    def __init__(self, target: Target, say: Say = nobody):
        self.target = target
        self.shell_seconds = 0.0
        self._say = say
        self._way: list[paramiko.Transport] = []

    @property
    def open(self) -> bool:
        """True if the connection is open, as far as is known."""
        return bool(self._way) and all(transport.is_active() for transport in self._way)

    def run(
        self, command: str, data: bytes = b"", silence: float = SILENCE_SECONDS, *, task: str = ""
    ) -> Answer:
        """Run a command with data on its standard input.

        Parameters
        ----------
        command : str
            Lines for bash, which the user's shell starts.
        data : bytes
            Standard input.
        silence : float
            Seconds that may pass without output, once the shell has started.
        task : str
            Description of the command, reported if it takes long.

        Raises
        ------
        ClusterProblem
            There is no connection (see `login.connected`); ``login-shell``: the user's shell does
            not start, and the command was not run; ``lost``: the connection was lost, and the
            command may or may not have been carried out.
        """
        if not self.open:
            self.close()
            self._way = login.connected(self.target, say=self._say)
        try:
            return self._run(command, data, silence, task)
        except BaseException as error:
            self.close()
            if isinstance(error, (paramiko.SSHException, EOFError, OSError)):
                line = f"the connection to {self.target} was lost ({login.reason(error)})"
                raise ClusterProblem("lost", line) from error
            raise

    def _run(self, command: str, data: bytes, silence: float, task: str) -> Answer:
        channel = self._begin(command, silence)
        written = self._await_shell(channel, silence)
        with waiting(self._say, task):
            with contextlib.suppress(BrokenPipeError):  # it ended early; its output says why
                for first in range(0, len(data), CHUNK):  # sendall copies what is left each time
                    with _within(silence, self._way):
                        _send(channel, data[first : first + CHUNK])
                with _within(silence, self._way):
                    channel.shutdown_write()
            out = _received([written], _chunks(channel.recv), MAXIMUM_OUTPUT)
            err = _received([], _chunks(channel.recv_stderr), MAXIMUM_WORDS)
            if not channel.status_event.wait(silence):
                raise TimeoutError
        if channel.exit_status < 0:
            raise EOFError("the command returned no exit status")
        channel.close()  # any earlier, this would close the whole connection
        return Answer(channel.exit_status, out, err)

    def _begin(self, command: str, silence: float) -> paramiko.Channel:
        """Start a command in bash, through the user's shell.

        The shell has already read the user's start-up files. Without ``--norc``, bash would read
        ``.bashrc`` again, as it does whenever it appears to be started by SSH.
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
        """Wait until the user's shell has started the command; return the output so far.

        Nothing is sent until then, because the shell might read it.
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
            if not chunk:  # it has ended; its output says why
                break
            written += chunk
            if len(written) > MAXIMUM_WORDS + CHUNK:
                raise _too_much(MAXIMUM_WORDS)
        self.shell_seconds = time.monotonic() - began
        channel.settimeout(silence)
        return written.rpartition(BEGUN)[2]

    def _test_link(self, silence: float) -> None:
        """Check that the SSH server answers; it does so independently of the user's shell."""
        line = f"waiting for {self.target} to answer"
        with waiting(self._say, line, PROBE_SECONDS), _within(silence, self._way):
            self._way[-1].global_request(PROBE)
            if not self._way[-1].is_active():
                raise EOFError("the server closed it")

    def _no_shell(self) -> ClusterProblem:
        return ClusterProblem(
            "login-shell",
            f"the login shell has not started after {SHELL_SECONDS:.0f} s, though {self.target} "
            f"answers: check ~/.bashrc on {self.target.host}",
        )

    def close(self) -> None:
        """Close the connection."""
        login.close(self._way)
        self._way = []

    def log_in(self, ask: login.Ask | None, say: Say = nobody) -> None:
        """Open the connection now; `ask` supplies what the host requires besides a key."""
        self.close()
        self._way = login.connected(self.target, ask, say)

    def approach(self, ask: login.Ask | None) -> Iterator[tuple[Target, paramiko.PKey]]:
        """Open the connection now; yield the key of each host before it is checked."""
        self.close()
        return login.approach(self.target, self._way, ask, self._say)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@contextlib.contextmanager
def _within(seconds: float, way: list[paramiko.Transport]) -> Iterator[None]:
    """Limit the time of a call in which paramiko would wait indefinitely on a frozen link.

    When the time is up, the connection to the first host is closed; all others go through it.
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


def _received(begun: list[bytes], chunks: Iterator[bytes], most: int) -> bytes:
    """Return all that is received; refuse more than a command could write."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise _too_much(most)
        begun.append(chunk)
    return b"".join(begun)


def _too_much(most: int) -> ClusterProblem:
    return ClusterProblem(
        REFUSED,
        f"the cluster's response was refused (it is longer than {most} bytes): check ~/.bashrc "
        "there, or ask the cluster's administrators",
    )
