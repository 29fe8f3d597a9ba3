"""``nanoconf cluster``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from nanoconf.cli.options import add_json, print_json
from nanoconf.cli.parser import add_command, add_commands

if TYPE_CHECKING:
    from paramiko import PKey

    from backend.cluster.config import Cluster
    from backend.cluster.ssh.hosts import Target
    from backend.cluster.ssh.login import Ask
    from backend.cluster.waiting import Say

NAME, HELP = "cluster", "set up and check clusters"

DESCRIPTION = """\
Set up and check the clusters that `nanoconf simulate --cluster` and the page's Cluster mode
use: Slurm clusters, and those of a hub that has the submit command. They are described in the
configuration file; NANOCONF_CLUSTER_CONFIG overrides its default path."""

EXAMPLES = """\
examples:
  nanoconf cluster init              # write a template configuration file
  nanoconf cluster trust NAME        # show the host's fingerprint and ask whether to trust it
  nanoconf cluster check NAME        # check each step of a run
  nanoconf simulate --cluster NAME -o my-run"""


NAMED = {
    "check": "check each step of a run, and print what to do if one fails",
    "trust": "show a host's fingerprint, and store its key if you confirm it",
    "login": "log in to a host that asks for more than a key; the connection stays open for runs",
}
"""Commands for one cluster."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the cluster commands."""
    commands = add_commands(parser, "cluster_verb")
    add_command(commands, "init", "write a template configuration file")
    add_json(add_command(commands, "list", "list the clusters in the configuration file"))
    for name, summary in NAMED.items():
        command = add_command(commands, name, summary)
        command.add_argument(
            "name",
            nargs="?",
            help="the cluster (default: the first one in the configuration)",
        )
        if name == "trust":
            command.add_argument(
                "--fingerprint",
                metavar="SHA256:…",
                action="append",
                help="store a key without asking if it has this fingerprint (repeat the option "
                "for jump hosts)",
            )


def execute(options: Namespace) -> int:
    """Carry out one of the commands."""
    commands = {"init": _init, "list": _list, "check": _check, "trust": _trust, "login": _login}
    return commands[options.cluster_verb](options)


def _init(_options: Namespace) -> int:
    from backend.cluster.config import EXAMPLE, VARIABLE, config_path
    from backend.files import write_text
    from backend.system import InvalidInput

    path = config_path()
    if path.exists():
        raise InvalidInput("init", str(path), "already exists: edit it, or remove it first")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, EXAMPLE)
    except OSError as error:
        allowed = f"cannot be written ({error.strerror}): set {VARIABLE} to another file"
        raise InvalidInput(VARIABLE, str(path), allowed) from error
    print(f"wrote {path}; fill in your cluster's host, then type: nanoconf cluster check")
    return 0


def _list(options: Namespace) -> int:
    from dataclasses import asdict

    from backend.cluster.config import config_path, load
    from nanoconf.tables import aligned

    clusters = load()
    if options.json:
        print_json([asdict(each) for each in clusters.values()])
    elif clusters:
        rows = [
            (c.name, c.host or c.scheduler, c.partition or c.venue or "(default)")
            for c in clusters.values()
        ]
        print(aligned([("NAME", "HOST", "PARTITION OR VENUE"), *rows], left=3))
    else:
        print(f"no clusters in {config_path()}: start with nanoconf cluster init")
    return 0


def _check(options: Namespace) -> int:
    from backend.cluster import check, config
    from backend.cluster.problems import ClusterProblem

    cluster = config.get(options.name or "")
    try:
        for what, found in check.steps(cluster, _somebody(), _speaker()):
            print(f"yes  {what}: {found}", flush=True)
    except ClusterProblem as problem:
        print(f"NO   {problem}", file=sys.stderr)
        return 1
    print(f"{cluster.name} is ready; type: nanoconf simulate --cluster {cluster.name} -o my-run")
    return 0


def _trust(options: Namespace) -> int:
    from backend.cluster.ssh import hosts, login

    say = _speaker()
    for host in hosts.target_of(_over_ssh(options)).way:
        if not _trusted(host, login.server_key(host, _somebody(), say), options.fingerprint):
            print(f"host key of {host} not stored", file=sys.stderr)
            return 1
    return 0


def _over_ssh(options: Namespace) -> Cluster:
    """Return the cluster; refuse one that has no host."""
    from backend.cluster import config
    from backend.system import InvalidInput

    cluster = config.get(options.name or "")
    if cluster.submit:
        allowed = "must be a cluster with a host; this one uses submit and needs no login"
        raise InvalidInput("cluster", cluster.name, allowed)
    return cluster


def _trusted(host: Target, key: PKey, fingerprints: list[str] | None) -> bool:
    """Store a host's key if the user confirms it; return True if it is known afterwards."""
    from backend.cluster.problems import ClusterProblem
    from backend.cluster.ssh import host_keys

    known = host_keys.known_keys(host)
    if key in known:
        print(f"{host} is already known: {key.fingerprint}")
        return True
    print(f"{host} presents this host key:\n  {key.get_name()} {key.fingerprint}")
    if known:
        raise ClusterProblem(
            "host-key",
            f"a different key for {host.key_name} is known, so this one is not stored. If the key "
            f"was replaced intentionally, remove the old one: {host_keys.removal(host)}",
        )
    if not _agreed(fingerprints, str(key.fingerprint)):
        return False
    host_keys.trust(host, key)
    print(f"stored in {host.known_hosts}")
    return True


def _login(options: Namespace) -> int:
    from backend.cluster import config
    from backend.keeper import logins
    from backend.keeper.election import ensure_keeper
    from backend.runs.archive import Archive

    cluster = _over_ssh(options)
    home = Archive().home
    ensure_keeper(home)
    logins.log_in(home, cluster.name, config.config_path(), _ask, _speaker())
    print(f"logged in to {cluster.name}; the connection stays open for runs")
    return 0


def _speaker() -> Say:
    """Return a function that prints what the command is waiting for, each line once."""
    last = ""

    def say(line: str) -> None:
        nonlocal last
        if line != last:
            print(f"...  {line}", file=sys.stderr, flush=True)
        last = line

    return say


def _somebody() -> Ask | None:
    """Return a function that asks the user at the terminal; None without a terminal."""
    return _ask if sys.stdin.isatty() else None


def _ask(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
    """Ask on the terminal; secrets are not echoed."""
    from getpass import getpass

    for line in (title, instructions):
        if line.strip():
            print(line.strip())
    return [input(prompt) if seen else getpass(prompt) for prompt, seen in prompts]


def _agreed(wanted: list[str] | None, found: str) -> bool:
    """Return True if the user confirms the key or a given fingerprint matches it."""
    if wanted is not None:
        return found in wanted
    print(
        "Compare it with the fingerprint that the cluster publishes. Store the key? [yes/no] ",
        end="",
    )
    try:
        return input().strip().lower() == "yes"
    except EOFError:
        return False
