"""Problems with a cluster, by name."""

from __future__ import annotations

from backend.runs.archive import NOT_ACCEPTED

PASSING = ("unreachable", "lost", "slurm-silent", "submit-silent", "login-needed")
"""Temporary problems, after which the operation is retried."""

REFUSED = "answer-refused"
"""Name of the problem with an answer of the cluster that is not acceptable."""

UNEXPECTED = "unexpected"


NAMES = (*PASSING, *NOT_ACCEPTED, UNEXPECTED)


class ClusterProblem(RuntimeError):
    """A problem that prevents the use of a cluster.

    Parameters
    ----------
    name : str
        Short, stable name: one of `NAMES`.
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
