"""``nanoconf cluster``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paramiko import PKey

    from backend.cluster.ssh.hosts import Target
    from backend.cluster.ssh.login import Ask
    from backend.cluster.waiting import Say

NAME, TEXT = "cluster", "Slurm clusters: describe, list, trust, check, log in"

DESCRIPTION = """\
Slurm clusters that simulations can be sent to, with nanoconf simulate --cluster or the page's
Cluster mode. They are described in one file, NANOCONF_CLUSTER_CONFIG."""

EXAMPLES = """\
examples:
  nanoconf cluster init              # writes an example to fill in
  nanoconf cluster trust NAME        # shows the host's fingerprint, and asks
  nanoconf cluster check NAME        # says step by step what works
  nanoconf simulate --cluster NAME -o my-run"""


def add_options(cluster: ArgumentParser) -> None:
    """Give ``nanoconf cluster`` its verbs."""
    verbs = cluster.add_subparsers(
        title="verbs",
        dest="cluster_verb",
        metavar="VERB",
        required=True,
        parser_class=type(cluster),
    )
    _add(verbs, "init", "write an example of the file, to be filled in")
    _add(verbs, "list", "list the clusters of the file").add_argument(
        "--json", action="store_true", help="for programs"
    )
    for name, text in (
        (
            "check",
            "say step by step what works, and what to do about what does not",
        ),
        ("trust", "show a host's fingerprint, and store its key after a yes"),
        ("login", "answer what a host asks besides a key, once; the connection is held"),
    ):
        verb = _add(verbs, name, text)
        verb.add_argument("name", nargs="?", default="", help="the cluster (the first)")
        if name == "trust":
            verb.add_argument(
                "--fingerprint",
                metavar="SHA256:…",
                action="append",
                help="say yes to this one only; again for each jump host",
            )
    cluster.set_defaults(command=execute)


def _add(verbs: Any, name: str, text: str) -> ArgumentParser:
    return verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def execute(options: Namespace) -> int:
    """Carry out one of the verbs."""
    verbs = {"init": _init, "list": _list, "check": _check, "trust": _trust, "login": _login}
    return verbs[options.cluster_verb](options)


def _init(_options: Namespace) -> int:
    from backend.cluster.config import EXAMPLE, config_path
    from backend.files import write_text
    from backend.system import InvalidInput

    path = config_path()
    if path.exists():
        raise InvalidInput("init", str(path), "is there already: edit it, or remove it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, EXAMPLE)
    print(f"{path}: fill in your cluster's host, then: nanoconf cluster check")
    return 0


def _list(options: Namespace) -> int:
    import json
    from dataclasses import asdict

    from backend.cluster.config import config_path, load

    clusters = load()
    if options.json:
        print(json.dumps([asdict(each) for each in clusters.values()], indent=1))
        return 0
    if not clusters:
        print(f"no cluster is described in {config_path()}: begin with nanoconf cluster init")
    for each in clusters.values():
        print(f"{each.name}  {each.host}  {each.partition or '(default partition)'}")
    return 0


def _check(options: Namespace) -> int:
    from backend.cluster import check, config
    from backend.cluster.problems import ClusterProblem

    cluster = config.get(options.name)
    try:
        for what, found in check.steps(cluster, _somebody(), _speaker()):
            print(f"yes  {what}: {found}", flush=True)
    except ClusterProblem as problem:
        print(f"NO   {problem}", file=sys.stderr)
        return 1
    print(f"{cluster.name} is ready: nanoconf simulate --cluster {cluster.name} -o my-run")
    return 0


def _trust(options: Namespace) -> int:
    from backend.cluster import config
    from backend.cluster.ssh import hosts, login

    say = _speaker()
    for host in hosts.target_of(config.get(options.name)).way:
        if not _trusted(host, login.server_key(host, _somebody(), say), options.fingerprint):
            print(f"the host key of {host} is not stored", file=sys.stderr)
            return 1
    return 0


def _trusted(host: Target, key: PKey, fingerprints: list[str] | None) -> bool:
    """Whether a host's key is known, or is now."""
    from backend.cluster.problems import ClusterProblem
    from backend.cluster.ssh import host_keys

    known = host_keys.known_keys(host)
    if key in known:
        print(f"{host} is known already: {key.fingerprint}")
        return True
    print(f"{host} shows the host key\n  {key.get_name()} {key.fingerprint}")
    if known:
        raise ClusterProblem(
            "host-key",
            f"another key of {host.key_name} is known, and nothing is stored. If it is right "
            f"that it has changed, remove the old one: {host_keys.removal(host)}",
        )
    if not _agreed(fingerprints, str(key.fingerprint)):
        return False
    host_keys.trust(host, key)
    print(f"stored in {host.known_hosts}")
    return True


def _login(options: Namespace) -> int:
    from backend.cluster import config
    from backend.cluster.ssh import reception
    from backend.runs.archive import Archive
    from backend.runs.keeper import ensure_keeper

    cluster = config.get(options.name)
    home = Archive().home
    ensure_keeper(home)
    reception.visit(home, cluster.name, config.config_path(), _ask, _speaker())
    print(f"logged in to {cluster.name}; the connection is held for runs")
    return 0


def _speaker() -> Say:
    """A function that says what is being waited for, with or without a terminal, once in a row."""
    last = ""

    def say(line: str) -> None:
        nonlocal last
        if line != last:
            print(f"...  {line}", file=sys.stderr, flush=True)
        last = line

    return say


def _somebody() -> Ask | None:
    """Whom to ask what a host wants besides a key: the person at the terminal, if there is one."""
    return _ask if sys.stdin.isatty() else None


def _ask(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
    """Ask on the terminal; secrets are not shown."""
    from getpass import getpass

    for line in (title, instructions):
        if line.strip():
            print(line.strip())
    return [input(prompt) if seen else getpass(prompt) for prompt, seen in prompts]


def _agreed(wanted: list[str] | None, found: str) -> bool:
    """Whether a person, or one of the fingerprints that were typed, says yes."""
    if wanted is not None:
        return found in wanted
    print("Compare it with what the cluster's administrators publish. Store it? [yes/no] ", end="")
    try:
        return input().strip().lower() == "yes"
    except EOFError:
        return False
