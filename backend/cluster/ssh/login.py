"""Log in to a host, through its jump hosts, after checking its host key."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko

from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import host_keys
from backend.cluster.ssh.hosts import Target
from backend.cluster.waiting import Say, nobody, waiting

CONNECT_SECONDS = 20.0
ANSWER_SECONDS = 300.0
"""Time allowed for the user's answer (s)."""

KEEP_ALIVE_SECONDS = 30
USUAL_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
INTERACTIVE = "keyboard-interactive"

Ask = Callable[[str, str, list[tuple[str, bool]]], list[str]]
"""Prompts the user, given a title, instructions and (prompt, echo) pairs; echo is True to show the
answer."""


def connected(
    target: Target, ask: Ask | None = None, say: Say = nobody
) -> list[paramiko.Transport]:
    """Connect and log in to a host and the jump hosts before it; return all connections.

    Parameters
    ----------
    target : Target
    ask : callable, optional
        Prompts the user for what a host requires besides a key.
    say : callable, optional
        Called with a one-line description of the current wait.

    Raises
    ------
    ClusterProblem
        ``unreachable``, ``host-key``, ``login``, ``key-file``, or ``login-needed``: the host
        requires more than a key, and `ask` is missing.
    """
    way: list[paramiko.Transport] = []
    for _ in approach(target, way, ask, say):
        pass
    return way


def approach(
    target: Target, way: list[paramiko.Transport], ask: Ask | None = None, say: Say = nobody
) -> Iterator[tuple[Target, paramiko.PKey]]:
    """Connect to a host and its jump hosts; yield the key of each before it is checked.

    Parameters
    ----------
    target : Target
    way : list of Transport
        Receives the connections; emptied if one of them fails.
    ask : callable, optional
        Prompts the user for what a host requires besides a key.
    say : callable, optional
        Called with a one-line description of the current wait.

    Raises
    ------
    ClusterProblem
        See `connected`.
    """
    try:
        for host in target.way:
            with waiting(say, f"waiting for {host} to answer"):
                transport, key = _greeted(host, way[-1] if way else None)
                way.append(transport)
            yield host, key
            _enter(way[-1], host, ask, say)
    except BaseException:
        close(way)
        way.clear()
        raise


def close(way: list[paramiko.Transport]) -> None:
    """Close connections, starting with the first: all others go through it and fail at once."""
    for transport in way:
        with contextlib.suppress(Exception):
            transport.close()


def server_key(target: Target, ask: Ask | None = None, say: Say = nobody) -> paramiko.PKey:
    """Return the key that a host presents, unchecked, after logging in to its jump hosts."""
    way = connected(target.jump, ask, say) if target.jump else []
    try:
        with waiting(say, f"waiting for {target} to answer"):
            transport, key = _greeted(target, way[-1] if way else None)
        transport.close()
        return key
    finally:
        close(way)


def _enter(transport: paramiko.Transport, target: Target, ask: Ask | None, say: Say) -> None:
    """Check a host's key and log in."""
    keys = list(_keys(target))
    try:
        shown = transport.get_remote_server_key()
        host_keys.check(target, shown, host_keys.known_keys(target))
        _log_in(transport, target, keys, ask, say)
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _unreachable(target, error) from error
    transport.set_keepalive(KEEP_ALIVE_SECONDS)


def _greeted(
    target: Target, through: paramiko.Transport | None
) -> tuple[paramiko.Transport, paramiko.PKey]:
    """Connect to a host without logging in; return the connection and the host's key."""
    try:
        transport = paramiko.Transport(_socket(target, through))  # type: ignore[arg-type]
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _unreachable(target, error) from error
    try:
        transport.banner_timeout = transport.auth_timeout = CONNECT_SECONDS
        host_keys.prefer_known(transport, host_keys.known_keys(target))
        transport.start_client(timeout=CONNECT_SECONDS)
        key = transport.get_remote_server_key()  # start_client does not report its timeout
    except (paramiko.SSHException, EOFError, OSError) as error:
        transport.close()
        raise _unreachable(target, error) from error
    return transport, key


def _socket(target: Target, through: paramiko.Transport | None) -> socket.socket | paramiko.Channel:
    """Open a TCP connection, or a channel through the jump host."""
    address = (target.host, target.port)
    if through is None:
        return socket.create_connection(address, CONNECT_SECONDS)
    return through.open_channel("direct-tcpip", address, ("127.0.0.1", 0), timeout=CONNECT_SECONDS)


# --- our keys and answers ---------------------------------------------------------------------


def _keys(target: Target) -> Iterator[paramiko.PKey]:
    """Yield the configured keys, or else the usual ones; then the agent's keys.

    Raises
    ------
    ClusterProblem
        ``key-file``: a configured key cannot be read, and the agent holds no keys.
    """
    agents = paramiko.Agent().get_keys()
    usual = [path for name in USUAL_KEYS if (path := Path(name).expanduser()).exists()]
    for path in target.key_files or usual:
        try:
            yield _key(path)
        except ClusterProblem:
            if target.key_files and not agents:
                raise
    yield from agents


def _key(path: Path) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except Exception as error:
        line = f"the key {path} cannot be read ({reason(error)})"
        if "password" in str(error):  # the type of the error depends on the kind of key
            line = f"the key {path} has a passphrase: add the key to the agent with ssh-add {path}"
        raise ClusterProblem("key-file", line) from error


def _log_in(
    transport: paramiko.Transport,
    target: Target,
    keys: list[paramiko.PKey],
    ask: Ask | None,
    say: Say,
) -> None:
    """Log in with one of the keys, and with the user's answers if the host requires more."""
    said = "there is no key to try"
    for key in keys:
        try:
            with waiting(say, f"waiting for {target} to accept the login"):
                wanted = transport.auth_publickey(target.user, key)
        except paramiko.BadAuthenticationType as error:
            wanted = [kind for kind in error.allowed_types if kind != "publickey"]
            said = str(error)
        except paramiko.AuthenticationException as error:
            if _broke(transport, error):
                raise
            said = str(error)
            continue
        if not wanted:
            return
        if INTERACTIVE in wanted:
            _answer(transport, target, ask)
            return
    raise ClusterProblem(
        "login",
        f"{target} refuses the login ({said.rstrip('.')}): check that the user name is "
        "correct, that the key is in authorized_keys on that host, and that the account is active",
    )


def _answer(transport: paramiko.Transport, target: Target, ask: Ask | None) -> None:
    """Log in with the user's answers to the host's questions."""
    if ask is None:
        line = f"{target} asks for more than a key: run nanoconf cluster login"
        raise ClusterProblem("login-needed", line)
    transport.auth_timeout = ANSWER_SECONDS
    try:
        transport.auth_interactive(target.user, lambda *question: ask(*question))
    except paramiko.AuthenticationException as error:
        if _broke(transport, error):
            raise
        raise ClusterProblem("login", f"{target} rejects the answer ({error})") from error


def _broke(transport: paramiko.Transport, error: BaseException) -> bool:
    """Return True if a login ended without an answer from the host.

    This does not count as a refusal.
    """
    return not transport.is_active() or _late(error)


# --- errors -----------------------------------------------------------------------------------


def _unreachable(target: Target, error: Exception) -> ClusterProblem:
    return ClusterProblem(
        "unreachable",
        f"{target} cannot be reached ({reason(error)}): check the host name and the network",
    )


def reason(error: BaseException) -> str:
    """Describe an error in a few words."""
    if _late(error):
        return "timed out"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _late(error: BaseException) -> bool:
    """Return True for a timeout, for which paramiko has no class."""
    return isinstance(error, TimeoutError) or "timeout" in str(error).lower()
