"""Configuration of clusters: one TOML file, ``NANOCONF_CLUSTER_CONFIG``.

A cluster is reached over SSH and has Slurm, or it is behind ``submit``, the command of a HUBzero
hub such as nanoHUB. Where there is such a command and no file, the hub is a cluster named
``nanohub``.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from backend.engines import registry
from backend.environment import default_folder, user_path
from backend.inputs import check_text
from backend.system import InvalidInput
from backend.untrusted import read_bytes

VARIABLE = "NANOCONF_CLUSTER_CONFIG"

MAXIMUM_BYTES = 1_000_000
"""Size of the largest configuration file that is read."""

LARGEST = 1_000_000
"""Largest number of cores, minutes or runs in an entry."""

LINES = str.maketrans("\n\t", "  ")
"""Characters that a setup command may contain."""

SSH_ONLY = (
    *("host", "port", "user", "key_file", "known_hosts", "jump_host", "work_dir"),
    *("partition", "account", "qos", "gres", "max_running"),
)
"""Keys of an entry that do not apply to a cluster behind ``submit``."""

HUB, SUBMIT = "nanohub", "submit"
"""Name of the hub's entry where there is no file, and the command that it needs."""

LIMITS = ("max_runs", "max_cores", "max_minutes")
"""Limits that an entry must set before all users of a server may use the cluster."""


@dataclass(frozen=True)
class Cluster:
    """One cluster, as described by its entry ``[clusters.NAME]``.

    Parameters
    ----------
    name : str
        Name of the entry.
    host : str
        Its login node: a host name, or an alias from ``~/.ssh/config``; empty with `submit`.
    port : int
        SSH port; 0 means the port in ``~/.ssh/config``, or 22.
    user, key_file, known_hosts, jump_host : str
        As in SSH; empty means the value in ``~/.ssh/config``, or SSH's own default.
    work_dir : str
        Folder on the cluster, relative to the home folder unless it begins with a slash.
    partition, account, qos : str
        As in Slurm; empty means the cluster's default.
    gres : str
        As in Slurm, for every task of a job: ``"gpu:1"`` for the CUDA engine; empty for none.
    cores : int
        Maximum number of cores for one run.
    max_walltime_minutes : int
        Maximum time that a job may request.
    max_tasks : int
        Maximum number of tasks of a job array, or of jobs of ``submit``, that a sweep is divided
        into.
    max_running : int
        Maximum number of tasks of a sweep that run at the same time.
    engine : str
        Default engine of a run.
    mpi : str
        Command that starts LAMMPS's MPI ranks in a job; empty means its own mpiexec.
    python : str
        Python on the cluster (3.11 or later, with NumPy, SciPy and Numba); if empty, an
        environment is created in `work_dir`.
    setup : tuple of str
        Shell commands to run first, such as ``module load python/3.12``.
    shared : bool
        True if all users of a shared server may use it, within these limits:
    max_runs, max_cores, max_minutes : int
        Maximum number of simultaneous runs, and of cores and minutes per run; 0 means no limit.
    submit : bool
        True if it is reached through a hub's command ``submit`` instead of SSH.
    venue : str
        Destination of jobs of ``submit``; empty to let it choose.
    """

    name: str
    host: str = ""
    port: int = 0
    user: str = ""
    key_file: str = ""
    known_hosts: str = ""
    jump_host: str = ""
    work_dir: str = "nanoconf-runs"
    partition: str = ""
    account: str = ""
    qos: str = ""
    gres: str = ""
    cores: int = 2
    max_walltime_minutes: int = 24 * 60
    max_tasks: int = 20
    max_running: int = 10
    engine: str = registry.DEFAULT
    mpi: str = ""
    python: str = ""
    setup: tuple[str, ...] = ()
    shared: bool = False
    max_runs: int = 0
    max_cores: int = 0
    max_minutes: int = 0
    submit: bool = False
    venue: str = ""

    @classmethod
    def from_dict(cls, name: str, values: dict[str, Any]) -> Cluster:
        """Return the cluster of an entry; raise `InvalidInput` with the name of an invalid key."""
        known = {each.name: each.type for each in fields(cls) if each.name != "name"}
        for key, value in values.items():
            parameter = f"clusters.{name}.{key}"
            if key not in known:
                raise InvalidInput(parameter, value, f"is unknown; known keys: {', '.join(known)}")
            _check(parameter, value, str(known[key]))
        _check_way(name, values)
        chosen: dict[str, Any] = {**values, "setup": tuple(values.get("setup", ()))}
        cluster = cls(name, **chosen)
        cluster._check_values()
        return cluster

    @property
    def scheduler(self) -> str:
        """Name of the scheduler in messages."""
        return SUBMIT if self.submit else "Slurm"

    @property
    def arrays(self) -> bool:
        """True if one job has several tasks."""
        return not self.submit

    def _check_values(self) -> None:
        def refuse(key: str, allowed: str) -> None:
            raise InvalidInput(f"clusters.{self.name}.{key}", getattr(self, key), allowed)

        if self.engine not in registry.names():
            refuse("engine", f"must be one of {', '.join(registry.names())}")
        if not 0 <= self.port <= 65535:
            refuse("port", "must be a port, 1 to 65535")
        if not self.work_dir.strip():
            refuse("work_dir", "must name a folder on the cluster")
        if ":" in self.work_dir:
            refuse("work_dir", "must not contain a colon, which Python treats as a path separator")
        for key in ("cores", "max_walltime_minutes", "max_tasks", "max_running"):
            if not 1 <= getattr(self, key) <= LARGEST:
                refuse(key, f"must be 1 or more, up to {LARGEST}")
        for key in LIMITS:
            if not int(self.shared) <= getattr(self, key) <= LARGEST:
                refuse(key, f"must be 1 or more if shared = true, up to {LARGEST}")


def _check_way(name: str, values: dict[str, Any]) -> None:
    """Reject an entry with keys of another way to reach a cluster, or without a host."""
    if values.get("submit"):
        for key in SSH_ONLY:
            if key in values:
                allowed = "does not apply with submit = true: remove it"
                raise InvalidInput(f"clusters.{name}.{key}", values[key], allowed)
    elif values.get("venue"):
        parameter = f"clusters.{name}.venue"
        raise InvalidInput(parameter, values["venue"], "applies only with submit = true: add it")
    elif not values.get("host"):
        allowed = "must name the login node (or set submit = true on nanoHUB)"
        raise InvalidInput(f"clusters.{name}.host", "", allowed)


def _check(parameter: str, value: Any, kind: str) -> None:
    """Reject a value of the wrong type, or one that no command line can contain."""
    texts = value if isinstance(value, list) else [value]
    if kind == "int":
        right, words = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif kind == "bool":
        right, words = isinstance(value, bool), "true or false"
    elif kind == "str":
        right, words = isinstance(value, str), "a string"
    else:
        right, words = isinstance(value, list) and all(isinstance(t, str) for t in texts), "a list"
    if not right:
        raise InvalidInput(parameter, value, f"must be {words}")
    for text in texts:
        if isinstance(text, str):
            check_text(parameter, text.translate(LINES) if isinstance(value, list) else text)


def config_path() -> Path:
    """Return ``NANOCONF_CLUSTER_CONFIG``, or clusters.toml in the user's settings folder."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return user_path(VARIABLE, chosen).absolute()
    return default_folder("config", VARIABLE) / "clusters.toml"


def load(path: Path | None = None) -> dict[str, Cluster]:
    """Return all clusters by name, in the order of the file.

    Without a file, that is the hub if there is a command ``submit``, or else none.

    Raises
    ------
    InvalidInput
        The file cannot be read, or an entry is invalid.
    """
    path = path or config_path()
    try:
        content = tomllib.loads(read_bytes(path, MAXIMUM_BYTES).decode("utf-8"))
    except FileNotFoundError:
        if os.environ.get(VARIABLE):
            raise InvalidInput(VARIABLE, str(path), "there is no such file") from None
        return {HUB: Cluster(HUB, submit=True)} if shutil.which(SUBMIT) else {}
    except (OSError, ValueError, RecursionError) as error:  # a number can have too many digits
        problem = getattr(error, "strerror", None) or error
        raise InvalidInput(VARIABLE, str(path), f"cannot be read: {problem}") from error
    for key in content:
        if key != "clusters":
            raise InvalidInput(key, str(path), "is unknown; entries are named [clusters.NAME]")
    entries = content.get("clusters", {})
    if not isinstance(entries, dict) or not all(isinstance(e, dict) for e in entries.values()):
        raise InvalidInput("clusters", str(path), "entries must be tables named [clusters.NAME]")
    return {name: Cluster.from_dict(name, entry) for name, entry in entries.items()}


def get(name: str = "", path: Path | None = None) -> Cluster:
    """Return a cluster by its name; the first cluster if the name is empty.

    Raises
    ------
    InvalidInput
        There is no such cluster, or none at all.
    """
    path = path or config_path()
    clusters = load(path)
    if not clusters:
        advice = f"no cluster is configured in {path}: start with nanoconf cluster init"
        raise InvalidInput("cluster", name or "(the first)", advice)
    if name and name not in clusters:
        raise InvalidInput("cluster", name, f"must be one of {', '.join(clusters)} ({path})")
    return clusters[name] if name else next(iter(clusters.values()))


EXAMPLE = """\
# Clusters that nanoconf may use. Only host is required; commented-out lines show the defaults.

[clusters.example]
host = "login.example.org"      # a host name, or an alias from ~/.ssh/config
# port = 22
# user = ""                     # your user name on the cluster; default: same as here
# key_file = ""                 # default: from ~/.ssh/config, or the agent's keys
# known_hosts = ""              # default: ~/.ssh/known_hosts; see nanoconf cluster trust
# jump_host = ""                # a host to connect through: user@host:port
# work_dir = "nanoconf-runs"    # on the cluster, in the home folder; created if missing

# partition = ""                # as in Slurm; empty means the cluster's default
# account = ""
# qos = ""
# gres = ""                     # "gpu:1" for engine = "cuda"
# cores = 2                     # maximum for one run
# max_walltime_minutes = 1440
# max_tasks = 20                # maximum number of tasks in the array of a sweep
# max_running = 10              # maximum number of these tasks running at once

# python = ""                   # 3.11 or later; empty: an environment is created in work_dir
# setup = []                    # shell commands to run first: ["module load python/3.12"]
# engine = "numba"              # or "lammps", the cluster's own LAMMPS; or "cuda", on its GPUs
# mpi = ""                      # MPI launcher: "srun --mpi=pmix"; default: LAMMPS's own mpiexec

# shared = false                # true: all users of the page may use it, within limits:
# max_runs = 4                  # runs at the same time,
# max_cores = 4                 # cores per run,
# max_minutes = 60              # minutes per run

# On nanoHUB or another HUBzero hub, its command submit takes the place of a host:
# [clusters.nanohub]
# submit = true
# venue = ""                    # as in submit --venue; empty: submit chooses
# cores = 2
# max_walltime_minutes = 1440
"""
