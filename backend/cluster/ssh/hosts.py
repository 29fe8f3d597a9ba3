"""Address of a cluster's login node, from its entry and from ``~/.ssh/config``."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass
from pathlib import Path

import paramiko

from backend.cluster.config import Cluster
from backend.cluster.problems import ClusterProblem

MOST_JUMPS = 4
DEFAULT_KNOWN_HOSTS = "~/.ssh/known_hosts"

ADDRESS = re.compile(r"(?:(?P<user>[^@]+)@)?(?P<host>\[[^]]+\]|[^:]+)(?::(?P<port>\d+))?")


@dataclass(frozen=True)
class Target:
    """A host to log in to.

    Attributes
    ----------
    host, port, user
        As SSH needs them.
    key_files : tuple of Path
        Private keys to try; if empty, the agent's keys and the usual files.
    known_hosts : Path
        File of host keys.
    key_name : str
        Name of the host in that file.
    jump : Target or None
        Jump host.
    """

    host: str
    port: int
    user: str
    key_files: tuple[Path, ...]
    known_hosts: Path
    key_name: str
    jump: Target | None

    @property
    def way(self) -> list[Target]:
        """Jump hosts in order, and this host last."""
        return [*(self.jump.way if self.jump else []), self]

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" + (f":{self.port}" if self.port != 22 else "")


def target_of(cluster: Cluster, config_file: Path | None = None) -> Target:
    """Return the login node of a cluster.

    Parameters
    ----------
    cluster : Cluster
    config_file : Path, optional
        SSH's configuration; by default ``~/.ssh/config``.

    Raises
    ------
    ClusterProblem
        ``ssh-config``: SSH's configuration is invalid.
    """
    path = config_file or Path("~/.ssh/config").expanduser()
    try:
        config = paramiko.SSHConfig.from_path(str(path)) if path.is_file() else None
        return _resolved(cluster, cluster.host, config or paramiko.SSHConfig(), 0)
    except (paramiko.SSHException, OSError, ValueError) as error:
        raise ClusterProblem("ssh-config", f"{path} cannot be used: {error}") from error


def _resolved(cluster: Cluster, address: str, config: paramiko.SSHConfig, depth: int) -> Target:
    if depth > MOST_JUMPS:
        raise ClusterProblem("ssh-config", f"more than {MOST_JUMPS} jump hosts, or a loop")
    found = ADDRESS.fullmatch(address)
    if found is None:
        line = f"{address!r} is not a valid address: use user@host:port"
        raise ClusterProblem("ssh-config", line)
    alias = found["host"].strip("[]")
    said = config.lookup(alias)
    last = depth == 0  # the entry describes the login node only; SSH's files describe jump hosts
    port = (cluster.port if last else 0) or int(found["port"] or said.get("port", 22))
    host = said.get("hostname", alias)
    jump = (cluster.jump_host if last else "") or said.get("proxyjump", "none")
    keys = [cluster.key_file] if cluster.key_file else said.get("identityfile", [])
    known = cluster.known_hosts or said.get("userknownhostsfile", DEFAULT_KNOWN_HOSTS).split()[0]
    name = said.get("hostkeyalias", host)
    return Target(
        host=host,
        port=port,
        user=(cluster.user if last else "") or found["user"] or said.get("user") or _me(),
        key_files=tuple(Path(key).expanduser() for key in keys),
        known_hosts=Path(known).expanduser(),
        key_name=name if port == 22 else f"[{name}]:{port}",
        jump=_through(cluster, jump, config, depth),
    )


def _through(cluster: Cluster, jump: str, config: paramiko.SSHConfig, depth: int) -> Target | None:
    """Return the last of the hosts in ``a,b,c``, each reached through the one before."""
    if jump.lower() == "none":
        return None
    target = None
    for address in jump.split(","):
        each = _resolved(cluster, address.strip(), config, depth + 1)
        target = Target(**{**vars(each), "jump": target or each.jump})
    return target


def _me() -> str:
    return getpass.getuser()
