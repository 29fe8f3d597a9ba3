"""A cluster at the other end of a connection: questions to the agent there."""

from __future__ import annotations

from typing import Any

from backend.cluster import wire
from backend.cluster.config import Cluster
from backend.cluster.here import install
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import hosts
from backend.cluster.ssh.connection import Connection
from backend.cluster.waiting import Say, nobody

AGENT = "backend.cluster.node.agent"


class Remote:
    """A cluster that can be asked.

    Parameters
    ----------
    cluster : Cluster
    say : callable
        Told, in a line, what takes long.
    """

    def __init__(self, cluster: Cluster, say: Say = nobody):
        self.cluster = cluster
        self.connection = Connection(hosts.target_of(cluster), say)
        self._say = say
        self._site: install.Site | None = None

    @property
    def site(self) -> install.Site:
        """Where Python and the worker are; they are brought there first, if need be."""
        if self._site is None:
            self._site = install.installed(self.connection, self.cluster, self._say)
        return self._site

    def ask(self, action: str, **words: Any) -> Any:
        """Let the agent do something; returns its reply.

        Raises
        ------
        ClusterProblem
            There is no connection, or it broke; or the agent says what is wrong.
        """
        command = self.site.command(self.cluster, AGENT, self.site.work_dir)
        task = f"waiting for the cluster's answer ({action})"
        answer = self.connection.run(command, wire.pack({"do": action, **words}), task=task)
        try:
            reply = wire.unpack(answer.out)
        except wire.Broken as error:
            self._site = None  # somebody may have removed it
            said = answer.last_line()
            if answer.status == 0:
                raise ClusterProblem("lost", f"the cluster's answer is {error}") from error
            line = f"the worker does not start on the cluster ({said})"
            raise ClusterProblem(
                "worker-start", f"{line}: see nanoconf cluster check {self.cluster.name}"
            ) from error
        if "problem" in reply:
            raise ClusterProblem(reply["problem"]["name"], reply["problem"]["line"])
        return reply["reply"]

    def close(self) -> None:
        """End the connection."""
        self.connection.close()
