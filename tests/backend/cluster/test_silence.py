"""A login node whose shell is slow to start: it is named, waited for, and no broken connection."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from backend.cluster.config import VARIABLE, config_path, get
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import connection as ssh
from backend.cluster.ssh import hosts
from backend.cluster.ssh.connection import Connection
from backend.keeper import logins
from backend.keeper.election import ensure_keeper
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from nanoconf.cli.main import main
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from tests.support.desk import NAME, write_config
from tests.support.homes import QUICK, SYSTEM, until
from tests.support.relay import Relay
from tests.support.two_factor import CODE, Server

SLOW_SECONDS = 3

NAMED = re.compile(r"waiting for the login shell of \S+ to start \(a slow ~/\.bashrc\?\)")

HANGS = "while [ -e hangs ]; do sleep 0.05; done\n"
"""Does not end as long as there is a file; the rest of the time it is quick."""


def slow_once(folder):
    """Lines that are slow the first time."""
    return f"if mkdir {folder / 'begun'} 2>/dev/null; then sleep {SLOW_SECONDS}; fi\n"


@pytest.fixture
def bashrc(cluster):
    """Lets the user's shell on the login node read more lines when it starts."""
    path = cluster.home / ".bashrc"
    before = path.read_text()
    yield lambda lines: path.write_text(before + lines)
    path.write_text(before)
    (cluster.home / "hangs").unlink(missing_ok=True)


@pytest.fixture
def hangs(bashrc, cluster, monkeypatch):
    """A file; as long as it is there, no shell of the user starts."""
    monkeypatch.setattr(ssh, "LOOK_SECONDS", 0.5)
    bashrc(HANGS)
    (cluster.home / "hangs").touch()
    return cluster.home / "hangs"


@pytest.fixture
def describe(home, cluster, monkeypatch):
    """Describes the tests' Slurm in a file; its keeper is a process, as everywhere."""
    home.mkdir()
    monkeypatch.setenv(VARIABLE, str(home / "clusters.toml"))

    def describe(**changes):
        write_config(home / "clusters.toml", cluster, **changes)

    describe()
    return describe


# --- what the user reads --------------------------------------------------------------------

COMMANDS = {
    "simulate": ("--duration-ns", "0.001"),
    "sweep": ("--random", "1", "--duration-ns", "0.001"),
}


@pytest.mark.parametrize("verb", ["simulate", pytest.param("sweep", marks=pytest.mark.long)])
def test_a_slow_shell_is_reported_even_without_a_terminal(describe, hangs, tmp_path, verb):
    words = [verb, "--cluster", NAME, *COMMANDS[verb], "-o", str(tmp_path / "out")]
    with subprocess.Popen(
        [sys.executable, "-m", "nanoconf", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        line = next(filter(NAMED.search, process.stderr), "")
        hangs.unlink()
        rest = process.stderr.read()
    assert process.returncode == 0, line + rest
    assert line.startswith(f"{NAME}: ")
    assert not NAMED.search(rest) and "was lost" not in rest


def test_a_slow_shell_is_reported_in_the_status_and_on_the_page(describe, home, hangs, monkeypatch):
    monkeypatch.setattr(AppState, "system", SYSTEM)
    monkeypatch.setattr(AppState, "settings", QUICK)
    state = AppState()
    work = Work(state, Archive(home))
    work.identity = Identity.of_browser({"key": "me"})
    try:
        work.cluster_mode(True)
        work.run()
        until(lambda: NAMED.search(state.status), "the page to name the login shell")
        (run,) = Archive(home).runs()
        assert NAMED.search(run.cluster_status()["note"]) and not run.finished
        hangs.unlink()
        until(lambda: state.simulation.state == RunState.DONE, "the run to end")
    finally:
        work.close()


def test_check_reports_a_slow_shell(describe, bashrc, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("backend.cluster.check.SLOW_SHELL_SECONDS", 2.0)
    bashrc(slow_once(tmp_path))
    assert main(["cluster", "check"]) == 0
    out, err = capfd.readouterr()
    found = re.search(r"yes  the login shell takes (\d+) s to start: check ~/\.bashrc on \S+", out)
    assert found and int(found[1]) >= SLOW_SECONDS
    assert len(NAMED.findall(err)) == 1  # not each time that it is looked at


def test_check_reports_a_fast_shell(describe, capfd, monkeypatch):
    monkeypatch.setattr("backend.cluster.check.SLOW_SHELL_SECONDS", 60.0)
    assert main(["cluster", "check"]) == 0
    assert re.search(r"yes  the login shell starts: in \d+\.\d s", capfd.readouterr().out)


def test_an_unresponsive_host_is_reported(describe, cluster):
    with cluster.relay() as relay:
        describe(port=relay.port)
        relay.freeze()
        said = []

        def say(line):
            said.append(line)
            relay.thaw()

        with Connection(hosts.target_of(get()), say) as connection:
            assert connection.run("echo there").out == b"there\n"
    assert said[0] == f"waiting for {cluster.user}@{cluster.host}:{relay.port} to answer"


def test_a_long_running_command_is_reported(describe, cluster):
    said = []

    def say(line):
        said.append(line)
        (cluster.home / "go on").touch()

    with Connection(hosts.target_of(get()), say) as connection:
        command = "until [ -e 'go on' ]; do sleep 0.05; done"
        assert connection.run(command, task="waiting for a file").status == 0
    assert said == ["waiting for a file"]


def test_login_reports_that_it_waits_for_the_host(describe, home, cluster):
    server = Server(cluster.key_file, cluster.known_hosts, cluster.env, cluster.home)
    said = []
    with Relay(server.port) as relay:
        server.trust(relay.port)
        describe(port=relay.port)
        relay.freeze()

        def say(line):
            said.append(line)
            relay.thaw()

        ensure_keeper(home)
        logins.log_in(home, NAME, config_path(), lambda *question: [CODE], say)
    server.close()
    assert said[0] == f"waiting for {cluster.user}@{cluster.host}:{relay.port} to answer"
    assert server.asked == 1


# --- a shell, or a link -----------------------------------------------------------------------


def test_a_slow_shell_is_not_mistaken_for_an_unresponsive_link(describe, hangs):
    said = []

    def say(line):
        said.append(line)
        if len(said) == 4:
            hangs.unlink()

    with Connection(hosts.target_of(get()), say) as connection:
        answer = connection.run("cat", b"data", silence=2.0)
    assert answer.out == b"data" and answer.status == 0
    assert all(map(NAMED.fullmatch, said)) and len(said) >= 4


def test_a_link_that_freezes_while_the_shell_starts_is_abandoned(describe, cluster, hangs):
    with cluster.relay() as relay:
        describe(port=relay.port)
        said = []

        def say(line):
            said.append(line)
            relay.freeze()

        gave_up = pytest.raises(ClusterProblem, match=r"was lost \(timed out\)")
        with Connection(hosts.target_of(get()), say) as connection, gave_up as caught:
            connection.run("echo there", silence=4.0)
    assert caught.value.name == "lost"
    assert NAMED.fullmatch(said[0])
    assert said[-1] == f"waiting for {cluster.user}@{cluster.host}:{relay.port} to answer"


def test_a_shell_that_never_starts_fails_the_run(make_desk, cluster, hangs, monkeypatch):
    desk = make_desk()
    run = desk.submit(QUICK)
    before = cluster.answered("REQUEST_SUBMIT_BATCH_JOB")
    with monkeypatch.context() as impatient:
        impatient.setattr(ssh, "SHELL_SECONDS", 1.0)
        desk.step()
    assert (run.state, run.error) == (RunState.FAILED, "login-shell")
    assert "the login shell has not started after 1 s" in run.reason
    assert f"check ~/.bashrc on {cluster.host}" in run.reason and "was lost" not in run.reason
    assert cluster.answered("REQUEST_SUBMIT_BATCH_JOB") == before


def test_a_submitted_run_waits_for_a_shell_that_does_not_start(
    make_desk, cluster, bashrc, monkeypatch
):
    desk = make_desk()
    run = desk.submit(QUICK)
    desk.until(lambda: desk.status(run).get("job_id"))
    bashrc(HANGS)
    (cluster.home / "hangs").touch()
    with monkeypatch.context() as impatient:
        impatient.setattr(ssh, "SHELL_SECONDS", 1.0)
        desk.step()
    assert not run.finished
    assert "login shell has not started" in desk.status(run)["note"]
    assert "trying again" in desk.status(run)["note"]
    (cluster.home / "hangs").unlink()
    assert desk.finish(run) == RunState.DONE
    assert cluster.submissions(desk.status(run)["job"]) == 1


def test_check_reports_a_shell_that_does_not_start(describe, cluster, hangs, monkeypatch, capfd):
    monkeypatch.setattr(ssh, "SHELL_SECONDS", 1.0)
    assert main(["cluster", "check"]) == 1
    out, err = capfd.readouterr()
    assert "yes  the login works" in out
    assert err.splitlines()[-1].startswith("NO   the login shell has not started after 1 s")


def test_check_reports_a_shell_that_exits_immediately(describe, bashrc, capfd):
    bashrc("echo no room for you >&2; exit 3\n")
    assert main(["cluster", "check"]) == 1
    said = capfd.readouterr().err
    assert "NO   the login shell cannot run commands (no room for you): check ~/.bashrc" in said


# --- what the shell reads ---------------------------------------------------------------------


def test_a_command_reads_bashrc_once(describe, cluster, bashrc):
    bashrc("echo read >>reads\necho a greeting\n")
    with Connection(hosts.target_of(get())) as connection:
        assert connection.run("cat reads").out == b"read\n"
