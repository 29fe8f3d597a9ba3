"""Problems with a cluster, by name."""

from __future__ import annotations

PASSING = ("unreachable", "lost", "slurm-silent", "login-needed")
"""Temporary problems: what failed is tried again."""

UNUSABLE = (
    "cluster-config",
    "ssh-config",
    "host-key",
    "login",
    "key-file",
    "login-shell",
    "python",
    "worker-start",
    "disk-full",
    "work-dir",
    "slurm-missing",
    "slurm-refused",
)
"""Problems that stay until somebody does something about them."""


class ClusterProblem(RuntimeError):
    """A problem that prevents the use of a cluster.

    Parameters
    ----------
    name : str
        A short word that never changes: one of `PASSING` or `UNUSABLE`, or ``unexpected``.
    line : str
        What happened, and what to do, in one line.
    """

    def __init__(self, name: str, line: str):
        super().__init__(line)
        self.name = name

    @property
    def passing(self) -> bool:
        """True for a temporary problem, which is worth another try."""
        return self.name in PASSING
