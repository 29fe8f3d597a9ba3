"""Host keys: the known ones, and a check of the key that a host presents."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry

from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh.hosts import Target

EVERYBODYS = Path("/etc/ssh/ssh_known_hosts")
RSA = "ssh-rsa"


def known_keys(target: Target) -> list[paramiko.PKey]:
    """Return the known keys of a host."""
    keys: list[paramiko.PKey] = []
    for path in (target.known_hosts, EVERYBODYS):
        with contextlib.suppress(OSError):
            keys += _keys_in(path, target.key_name)
    return keys


def _keys_in(path: Path, name: str) -> Iterator[paramiko.PKey]:
    """Yield all keys in a file for a host name; paramiko's table keeps only one of each type."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(Exception):  # malformed lines raise many kinds of errors
            entry = HostKeyEntry.from_line(line.strip())
            if entry and any(_stands_for(word, name) for word in entry.hostnames):
                yield entry.key


def _stands_for(word: str, name: str) -> bool:
    """Return True if a host field, which may be hashed, matches a host name."""
    return word == (paramiko.HostKeys.hash_host(name, word) if word.startswith("|1|") else name)


def prefer_known(transport: paramiko.Transport, known: list[paramiko.PKey]) -> None:
    """Ask a host with several keys for one of a known type."""
    kinds = {key.get_name() for key in known}
    options = transport.get_security_options()

    def unknown(kind: str) -> bool:
        return kind not in kinds and not (kind.startswith("rsa-") and RSA in kinds)

    options.key_types = tuple(sorted(options.key_types, key=unknown))


def check(target: Target, shown: paramiko.PKey, known: list[paramiko.PKey]) -> None:
    """Reject a host whose key is not known.

    Raises
    ------
    ClusterProblem
        ``host-key``
    """
    if shown in known:
        return
    if not known:
        raise ClusterProblem(
            "host-key",
            f"the host key of {target} is not known yet: verify its fingerprint with "
            "nanoconf cluster trust",
        )
    raise ClusterProblem(
        "host-key",
        f"{target} presents a host key ({shown.fingerprint}) that differs from the one in "
        f"{target.known_hosts}: this may be an attack. If the cluster's administrators confirm "
        f"that it has changed, remove the old one: {removal(target)}",
    )


def removal(target: Target) -> str:
    """Return the command that removes the known keys of a host."""
    return shlex.join(["ssh-keygen", "-R", target.key_name, "-f", str(target.known_hosts)])


def trust(target: Target, key: paramiko.PKey) -> None:
    """Add a host's key to the known keys."""
    target.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(target.known_hosts, "a", encoding="ascii") as stream:
        stream.write(f"{target.key_name} {key.get_name()} {key.get_base64()}\n")
