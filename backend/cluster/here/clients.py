"""Clients of a cluster's agent: all that the dispatcher knows about how a cluster is reached.

An agent answers the requests of `backend.cluster.node.agent`. Another way to reach clusters needs
another client, and one line in `client_of`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from backend.cluster.config import Cluster
from backend.cluster.here import replies
from backend.cluster.here.agent_client import AgentClient
from backend.cluster.node.agent import explained
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh.login import Ask
from backend.cluster.submit import command
from backend.cluster.submit.agent import SubmitAgent
from backend.cluster.waiting import Say

FOLDER = "submit"
"""Folder of the jobs that go through ``submit``, in the home of the archive."""


class Client(Protocol):
    """Sends requests to the agent of a cluster.

    Attributes
    ----------
    cluster : Cluster
    """

    cluster: Cluster

    @property
    def is_open(self) -> bool:
        """True while there is a connection that an interactive login may have opened."""

    def prepare(self) -> None:
        """Make sure that a job can be sent; if this fails, nothing has been requested yet."""

    def request(self, action: str, **arguments: Any) -> Any:
        """Send a request to the agent; return its reply, or raise `ClusterProblem`."""

    def log_in(self, ask: Ask, say: Say) -> None:
        """Log in, prompting the user and reporting waits."""

    def close(self) -> None:
        """Close the connection."""


class SubmitClient:
    """Client of the agent for ``submit``, which is part of this process.

    Parameters
    ----------
    cluster : Cluster
    home : Path
        Home of the archive.
    """

    is_open = False

    def __init__(self, cluster: Cluster, home: Path):
        self.cluster = cluster
        self._folder = home / FOLDER
        self._agent: SubmitAgent | None = None

    def prepare(self) -> None:
        """Check that there is a command ``submit``."""
        command.require()

    def request(self, action: str, **arguments: Any) -> Any:
        """Answer a request; what came from the venue is checked as if it came over SSH."""
        reply: dict[str, Any]
        try:
            self._agent = self._agent or SubmitAgent(self._folder, self.cluster)
            reply = {"reply": self._agent.answer({"do": action, **arguments})}
        except (ClusterProblem, OSError) as error:
            reply = {"problem": explained(error, self._folder)}
        return replies.reply_to(action, arguments, reply)

    def log_in(self, _ask: Ask, _say: Say) -> None:
        """Refuse: the hub knows its user."""
        raise ClusterProblem("login", f"cluster {self.cluster.name} needs no login: it uses submit")

    def close(self) -> None:
        """Forget what was read; commands go on."""
        self._agent = None


def client_of(cluster: Cluster, home: Path, say: Say) -> Client:
    """Return a client for a cluster's agent; `say` is called with lines about waits."""
    return SubmitClient(cluster, home) if cluster.submit else AgentClient(cluster, say)
