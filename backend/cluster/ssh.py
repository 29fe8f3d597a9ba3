"""Connections to clusters: strict about host keys, and never waiting for ever."""

from __future__ import annotations

import contextlib
import shlex
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko

from backend.cluster.hosts import Target
from backend.cluster.problems import ClusterProblem

CONNECT_SECONDS = 20.0
SILENCE_SECONDS = 120.0
"""How long a command may say nothing; a frozen link is noticed by nothing else."""

KEEP_ALIVE_SECONDS = 30
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
        """The last line of its errors, for people."""
        lines = self.err.decode("utf-8", "replace").strip().splitlines()
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
        self._clients: list[paramiko.SSHClient] = []

    @property
    def open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        transport = self._clients[-1].get_transport() if self._clients else None
        return transport is not None and transport.is_active()

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
            ``unreachable``, ``host-key``, ``login``, ``key-file``: there is no connection;
            ``lost``: it broke, and the command may or may not have done its work.
        """
        if not self.open:
            self.close()
            self._clients = _connected(self.target)
        try:
            return _run(self._clients[-1], command, data, silence)
        except (paramiko.SSHException, EOFError, OSError) as error:
            self.close()
            line = f"the connection to {self.target} broke ({_reason(error)})"
            raise ClusterProblem("lost", line) from error

    def close(self) -> None:
        """End the connection."""
        for client in reversed(self._clients):
            with contextlib.suppress(Exception):
                client.close()
        self._clients = []

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _run(client: paramiko.SSHClient, command: str, data: bytes, silence: float) -> Answer:
    transport = client.get_transport()
    if transport is None:
        raise EOFError("no connection")
    with contextlib.closing(transport.open_session(timeout=silence)) as channel:
        channel.settimeout(silence)
        channel.exec_command(command)
        with contextlib.suppress(BrokenPipeError):  # it ended without reading, and says why
            _send(channel, data)
            channel.shutdown_write()
        out = b"".join(_chunks(channel.recv))
        err = b"".join(_chunks(channel.recv_stderr))
        if not channel.status_event.wait(silence):
            raise TimeoutError
        if channel.exit_status < 0:
            raise EOFError("it ended without a status")
        return Answer(channel.exit_status, out, err)


def _send(channel: paramiko.Channel, data: bytes) -> None:
    try:
        for first in range(0, len(data), CHUNK):  # sendall copies all that is left for each packet
            channel.sendall(data[first : first + CHUNK])
    except TimeoutError:
        raise
    except OSError as error:  # "Socket is closed"
        raise BrokenPipeError(str(error)) from error


def _chunks(receive: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := receive(CHUNK):
        yield chunk


# --- getting there --------------------------------------------------------------------------


def _connected(target: Target) -> list[paramiko.SSHClient]:
    """Connections to a host, and before it to those on the way."""
    clients: list[paramiko.SSHClient] = []
    try:
        for each in _way(target):
            clients.append(_connect(each, clients[-1] if clients else None))
    except BaseException:
        for client in reversed(clients):
            client.close()
        raise
    return clients


def _way(target: Target) -> list[Target]:
    return [*(_way(target.jump) if target.jump else []), target]


def _connect(target: Target, through: paramiko.SSHClient | None) -> paramiko.SSHClient:
    keys = _usable_keys(target)
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    _load_host_keys(client, target)
    try:
        client.connect(
            target.host,
            port=target.port,
            username=target.user,
            key_filename=keys or None,
            look_for_keys=not keys,
            sock=_socket(target, through),  # type: ignore[arg-type]  # a channel will do
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=CONNECT_SECONDS,
            channel_timeout=CONNECT_SECONDS,
        )
    except Exception as error:
        client.close()
        raise _explained(error, target) from error
    transport = client.get_transport()
    assert transport is not None
    transport.set_keepalive(KEEP_ALIVE_SECONDS)
    return client


def _usable_keys(target: Target) -> list[str]:
    """The key files that can be read; the agent may hold keys that cannot.

    Raises
    ------
    ClusterProblem
        ``key-file``: there is no other key, either.
    """
    usable, problems = [], []
    for path in target.key_files:
        try:
            _read_key(path)
            usable.append(str(path))
        except ClusterProblem as problem:
            problems.append(problem)
    if problems and not usable and not paramiko.Agent().get_keys():
        raise problems[0]
    return usable


def _socket(target: Target, through: paramiko.SSHClient | None) -> socket.socket | paramiko.Channel:
    """A way to the host: TCP, or a channel of the host before it."""
    address = (target.host, target.port)
    if through is None:
        return socket.create_connection(address, CONNECT_SECONDS)
    transport = through.get_transport()
    if transport is None:
        raise EOFError("no connection")
    return transport.open_channel("direct-tcpip", address, ("127.0.0.1", 0), CONNECT_SECONDS)


def _load_host_keys(client: paramiko.SSHClient, target: Target) -> None:
    """The host keys that are trusted, those of the target under the name that connect looks for."""
    keys = known_keys(target)
    plain = target.host if target.port == 22 else f"[{target.host}]:{target.port}"
    for key in keys:
        client.get_host_keys().add(plain, key.get_name(), key)


def known_keys(target: Target) -> list[paramiko.PKey]:
    """The host keys that are known of a host."""
    keys = []
    for path in (target.known_hosts, Path("/etc/ssh/ssh_known_hosts")):
        try:
            found = paramiko.HostKeys(str(path)).lookup(target.key_name)
        except OSError:
            continue
        keys += list(found.values()) if found else []
    return keys


def server_key(target: Target) -> paramiko.PKey:
    """The key that a host shows, believed or not."""
    clients = _connected(target.jump) if target.jump else []
    try:
        sock = _socket(target, clients[-1] if clients else None)
        with contextlib.closing(paramiko.Transport(sock)) as transport:  # type: ignore[arg-type]
            transport.start_client(timeout=CONNECT_SECONDS)
            return transport.get_remote_server_key()
    except ClusterProblem:
        raise
    except Exception as error:
        raise _explained(error, target) from error
    finally:
        for client in reversed(clients):
            client.close()


def removal(target: Target) -> str:
    """The command that removes what is known of a host."""
    return shlex.join(["ssh-keygen", "-R", target.key_name, "-f", str(target.known_hosts)])


def trust(target: Target, key: paramiko.PKey) -> None:
    """Believe a host's key from now on."""
    target.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(target.known_hosts, "a", encoding="ascii") as stream:
        stream.write(f"{target.key_name} {key.get_name()} {key.get_base64()}\n")


def _read_key(path: Path) -> None:
    try:
        paramiko.PKey.from_path(path)
    except Exception as error:
        line = f"the key {path} cannot be read ({_reason(error)})"
        if "password" in str(error):  # whose type depends on the kind of the key
            line = f"the key {path} has a passphrase: give it to the agent with ssh-add {path}"
        raise ClusterProblem("key-file", line) from error


def _explained(error: Exception, target: Target) -> ClusterProblem:
    """What keeps a connection from being made, and what to do."""
    if isinstance(error, ClusterProblem):
        return error
    if isinstance(error, paramiko.BadHostKeyException):
        return ClusterProblem(
            "host-key",
            f"{target} shows another host key ({error.key.fingerprint}) than the one in "
            f"{target.known_hosts}: somebody may be in between. If the cluster's administrators "
            f"say that it has changed, remove the old one: {removal(target)}",
        )
    refused = isinstance(error, paramiko.AuthenticationException)
    if refused and not any(words in str(error) for words in ("EOF", "timeout")):
        return ClusterProblem(
            "login",
            f"{target} does not let us in ({error}): is the user right, is the key in its "
            "authorized_keys, is the account active?",
        )
    if isinstance(error, paramiko.SSHException) and "known_hosts" in str(error):
        return ClusterProblem(
            "host-key",
            f"the host key of {target} is not known yet: compare its fingerprint with "
            "nanoconf cluster trust",
        )
    return ClusterProblem(
        "unreachable",
        f"{target} cannot be reached ({_reason(error)}): is the host right, is the network there?",
    )


def _reason(error: Exception) -> str:
    """An error in a few words."""
    if isinstance(error, TimeoutError) or "timeout" in str(error).lower():
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
