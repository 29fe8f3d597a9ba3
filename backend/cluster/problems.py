"""Problems with a cluster, by name."""

from __future__ import annotations

PASSING = ("unreachable", "lost", "slurm-silent", "login-needed")
"""Temporary problems: what failed is tried again."""


class ClusterProblem(RuntimeError):
    """A problem that prevents the use of a cluster.

    Parameters
    ----------
    name : str
        A short word that never changes: one of `PASSING` or of
        `backend.runs.archive.NOT_ACCEPTED`, or ``unexpected``.
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
