"""Test a cluster step by step, up to the first problem."""

from __future__ import annotations

from collections.abc import Iterator

from backend.cluster.config import Cluster
from backend.cluster.here.agent_client import AgentClient
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import host_keys
from backend.cluster.ssh.login import Ask
from backend.cluster.submit import command
from backend.cluster.waiting import Say, nobody

SLOW_SHELL_SECONDS = 5.0
"""Start-up time above which a login shell is reported, because it delays every command (s)."""


def steps(cluster: Cluster, ask: Ask | None = None, say: Say = nobody) -> Iterator[tuple[str, str]]:
    """Test a cluster; yield each step that succeeds and its result.

    Parameters
    ----------
    cluster : Cluster
    ask : callable, optional
        Prompts the user for what the host requires besides a key.
    say : callable, optional
        Called with a one-line description of the current wait.

    Raises
    ------
    ClusterProblem
        A step failed; the message says what to do.
    """
    if cluster.submit:
        yield from _steps_of_submit(cluster)
        return
    agent = AgentClient(cluster, say)
    target = agent.connection.target
    yield "the entry is valid", f"{target}, jobs in {cluster.work_dir}"
    try:
        for host, key in agent.connection.approach(ask):
            who = "the host" if host is target else f"the jump host {host}"
            yield f"{who} answers", str(key.fingerprint)
            if key not in host_keys.known_keys(host):
                line = f"{host.known_hosts} does not contain this host key for {host}"
                advice = f"verify the fingerprint, then run nanoconf cluster trust {cluster.name}"
                raise ClusterProblem("host-key", f"{line}: {advice}")
            yield "its host key is known", str(host.known_hosts)
        yield "the login works", target.user
        yield _start_the_shell(agent)
        site = agent.site
        yield "Python and the worker are installed", site.python
        found = agent.request("hello")
        yield "the work folder is writable", str(found["work_dir"])
        yield "Slurm responds", str(found["slurm"])
        if cluster.partition and cluster.partition not in found["partitions"]:
            allowed = ", ".join(found["partitions"]) or "none"
            line = f"there is no partition {cluster.partition}: set partition to one of {allowed}"
            raise ClusterProblem("slurm-refused", line)
        yield "the partition exists", cluster.partition or "the cluster's default"
        _start_the_engine(agent)
        yield "the worker starts", f"nanoconf {found['version']}, Python {found['python']}"
    finally:
        agent.close()


def _steps_of_submit(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Test a hub; only a job can tell whether a venue has Python and its packages."""
    yield "the entry is valid", f"through submit, {cluster.venue or 'which chooses the venue'}"
    yield "the command submit is installed", command.require()
    under_way = [row for row in command.table(command.ask("--status")) if not row.over]
    yield "the hub responds", f"{len(under_way)} of your runs under way"
    venues = command.venues()
    if cluster.venue and venues and cluster.venue not in venues:
        line = f"there is no venue {cluster.venue}: set venue to one of {', '.join(venues)}"
        raise ClusterProblem("submit-refused", line)
    yield "venues", ", ".join(venues) or "submit lists none"


def _start_the_shell(agent: AgentClient) -> tuple[str, str]:
    """Start the user's login shell; return the step and its duration."""
    answer = agent.connection.run("true")
    seconds, host = agent.connection.shell_seconds, agent.connection.target.host
    if answer.status:
        line = f"the login shell cannot run commands ({answer.last_line()})"
        raise ClusterProblem("login-shell", f"{line}: check ~/.bashrc on {host}")
    if seconds < SLOW_SHELL_SECONDS:
        return "the login shell starts", f"in {seconds:.1f} s"
    return f"the login shell takes {seconds:.0f} s to start", f"check ~/.bashrc on {host}"


def _start_the_engine(agent: AgentClient) -> None:
    """Load the engines on the login node."""
    command = agent.site.command(agent.cluster, "backend.cluster.node.load_engines")
    answer = agent.connection.run(command, task="waiting for the engine to load")
    if answer.status:
        line = f"the engine cannot be loaded on the cluster ({answer.last_line()})"
        raise ClusterProblem("worker-start", f"{line}: check python and setup in its entry")
