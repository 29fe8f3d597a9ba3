"""Test a cluster step by step, up to the first problem."""

from __future__ import annotations

from collections.abc import Iterator

from backend.cluster.config import Cluster
from backend.cluster.here.agent_client import AgentClient
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import host_keys
from backend.cluster.ssh.login import Ask
from backend.cluster.waiting import Say, nobody

SLOW_SHELL_SECONDS = 5.0
"""A login shell that takes longer to start is reported: it delays every command."""


def steps(cluster: Cluster, ask: Ask | None = None, say: Say = nobody) -> Iterator[tuple[str, str]]:
    """Test a cluster; yields each step that works and what was found.

    Parameters
    ----------
    cluster : Cluster
    ask : callable, optional
        Asks a person for what the host wants besides a key.
    say : callable, optional
        Reports, in one line, what is being waited for.

    Raises
    ------
    ClusterProblem
        A step failed; the problem says what to do.
    """
    agent = AgentClient(cluster, say)
    target = agent.connection.target
    yield "the entry is understood", f"{target}, jobs in {cluster.work_dir}"
    try:
        for host, key in agent.connection.approach(ask):
            who = "the host" if host is target else f"the jump host {host}"
            yield f"{who} answers", str(key.fingerprint)
            if key not in host_keys.known_keys(host):
                line = f"the host key of {host} is not the one in {host.known_hosts}, or not there"
                advice = f"compare the fingerprint, then nanoconf cluster trust {cluster.name}"
                raise ClusterProblem("host-key", f"{line}: {advice}")
            yield "its host key is known", str(host.known_hosts)
        yield "the login works", target.user
        yield _start_the_shell(agent)
        site = agent.site
        yield "Python and the worker are there", site.python
        found = agent.request("hello")
        yield "the work folder can be written", str(found["work_dir"])
        yield "Slurm answers", str(found["slurm"])
        if cluster.partition and cluster.partition not in found["partitions"]:
            allowed = ", ".join(found["partitions"]) or "none"
            line = f"there is no partition {cluster.partition}: set partition to one of {allowed}"
            raise ClusterProblem("slurm-refused", line)
        yield "the partition exists", cluster.partition or "the cluster's default"
        _start_the_engine(agent)
        yield "the worker starts", f"nanoconf {found['version']}, Python {found['python']}"
    finally:
        agent.close()


def _start_the_shell(agent: AgentClient) -> tuple[str, str]:
    """Start the user's login shell; returns the step and how long it took."""
    answer = agent.connection.run("true")
    seconds, host = agent.connection.shell_seconds, agent.connection.target.host
    if answer.status:
        line = f"the login shell runs no command ({answer.last_line()})"
        raise ClusterProblem("login-shell", f"{line}: look at ~/.bashrc on {host}")
    if seconds < SLOW_SHELL_SECONDS:
        return "the login shell starts", f"in {seconds:.1f} s"
    return f"the login shell takes {seconds:.0f} s to start", f"look at ~/.bashrc on {host}"


def _start_the_engine(agent: AgentClient) -> None:
    """Load the engines on the login node."""
    command = agent.site.command(agent.cluster, "backend.cluster.node.load_engines")
    answer = agent.connection.run(command, task="waiting for the engine to load")
    if answer.status:
        line = f"the engine cannot be loaded on the cluster ({answer.last_line()})"
        raise ClusterProblem("worker-start", f"{line}: see python and setup in its entry")
