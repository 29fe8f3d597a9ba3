"""Problems with a cluster, by name."""

from __future__ import annotations

PASSING = ("unreachable", "lost", "slurm-silent", "login-needed")
"""Temporary problems, after which the operation is retried."""


class ClusterProblem(RuntimeError):
    """A problem that prevents the use of a cluster.

    Parameters
    ----------
    name : str
        Short, stable name: one of `PASSING` or of
        `backend.runs.archive.NOT_ACCEPTED`, or ``unexpected``.
    line : str
        One line: the problem and its remedy.
    """

    def __init__(self, name: str, line: str):
        super().__init__(line)
        self.name = name

    @property
    def passing(self) -> bool:
        """True for a temporary problem, which is worth retrying."""
        return self.name in PASSING
