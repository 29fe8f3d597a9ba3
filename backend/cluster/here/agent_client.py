"""Client of the agent on a cluster's login node (`backend.cluster.node.agent`)."""

from __future__ import annotations

from typing import Any

from backend.cluster import wire
from backend.cluster.config import Cluster
from backend.cluster.here import install, replies
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import hosts
from backend.cluster.ssh.connection import Connection
from backend.cluster.ssh.login import Ask
from backend.cluster.waiting import Say, nobody

AGENT = "backend.cluster.node.agent"


class AgentClient:
    """Sends requests to the agent of a cluster, over one SSH connection.

    Parameters
    ----------
    cluster : Cluster
    say : callable, optional
        Called with a one-line description of the current wait.
    """

    def __init__(self, cluster: Cluster, say: Say = nobody):
        self.cluster = cluster
        self.connection = Connection(hosts.target_of(cluster), say)
        self._say = say
        self._site: install.Site | None = None

    @property
    def site(self) -> install.Site:
        """Location of Python and the worker on the cluster, installed first if necessary."""
        if self._site is None:
            self._site = install.installed(self.connection, self.cluster, self._say)
        return self._site

    def request(self, action: str, **arguments: Any) -> Any:
        """Send a request to the agent; return its reply.

        Raises
        ------
        ClusterProblem
            There is no connection, it was lost, the answer is refused, or the agent reports a
            problem.
        """
        command = self.site.command(self.cluster, AGENT, self.site.work_dir)
        message = wire.pack({"do": action, **arguments})
        task = f"waiting for the cluster's response ({action})"
        answer = self.connection.run(command, message, task=task)
        try:
            reply = wire.unpack(answer.out)
        except wire.Refused as error:
            raise replies.refusal(error) from error
        except wire.Broken as error:
            self._site = None  # the installation may have been removed
            if answer.status == 0:
                line = f"invalid response from the cluster: {error}"
                raise ClusterProblem("lost", line) from error
            line = f"the worker does not start on the cluster ({answer.last_line()})"
            raise ClusterProblem(
                "worker-start", f"{line}: run nanoconf cluster check {self.cluster.name}"
            ) from error
        return replies.reply_to(action, arguments, reply)

    def prepare(self) -> None:
        """Connect, and install the worker if necessary."""
        _ = self.site

    @property
    def is_open(self) -> bool:
        """True while there is a connection."""
        return self.connection.open

    def log_in(self, ask: Ask, say: Say) -> None:
        """Log in, prompting the user and reporting waits."""
        self.connection.log_in(ask, say)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
