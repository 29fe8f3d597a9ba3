"""What can go wrong with a cluster, by name."""

from __future__ import annotations

PASSING = ("unreachable", "lost", "slurm-silent", "login-needed")
"""Problems that may be gone in a moment: what was to be done is tried again."""


class ClusterProblem(RuntimeError):
    """Something that keeps a cluster from being used.

    Parameters
    ----------
    name : str
        A short word that never changes: one of `PASSING` or of
        `backend.runs.archive.UNUSABLE`, or ``unexpected``.
    line : str
        What happened and what to do, in one line.
    """

    def __init__(self, name: str, line: str):
        super().__init__(line)
        self.name = name

    @property
    def passing(self) -> bool:
        """Whether it is worth trying again."""
        return self.name in PASSING
