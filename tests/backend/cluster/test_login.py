"""Clusters that want a code besides a key."""

from __future__ import annotations

import re

import pytest

from backend.cluster.config import VARIABLE
from backend.cluster.destination import destination
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import login
from backend.keeper import logins
from backend.keeper.election import ensure_keeper
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from nanoconf.cli.main import main
from tests.support.desk import NAME, Desk, write_config
from tests.support.homes import PATIENCE, QUICK, SYSTEM, until
from tests.support.relay import Relay
from tests.support.two_factor import CODE, Server


@pytest.fixture
def server(cluster):
    server = Server(cluster.key_file, cluster.known_hosts, cluster.env, cluster.home)
    yield server
    server.close()


def test_a_run_waits_for_a_login(home, cluster, server, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, port=server.port)
    run = desk.submit(QUICK)
    desk.step()
    assert not run.finished
    assert "nanoconf cluster login" in desk.status(run)["note"] and server.asked == 0
    desk.dispatcher.log_in(lambda title, instructions, prompts: [CODE])
    assert desk.finish(run) == RunState.DONE
    assert server.asked == 1  # all over the connection that is held
    assert desk.dispatcher.busy
    server.cut()
    until(lambda: not desk.dispatcher.busy, "the connection to be missed")


def test_a_wrong_code_is_refused(home, cluster, server, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, port=server.port)
    with pytest.raises(ClusterProblem, match="rejects the answer"):
        desk.dispatcher.log_in(lambda *question: ["000000"])


def test_a_code_lost_on_a_frozen_link_is_not_reported_as_refused(
    home, cluster, server, monkeypatch
):
    with Relay(server.port) as relay:
        server.trust(relay.port)
        desk = Desk(home, cluster, monkeypatch, port=relay.port)
        monkeypatch.setattr(login, "ANSWER_SECONDS", 3.0)

        def answer(*question):
            relay.freeze()
            return [CODE]

        with pytest.raises(ClusterProblem, match="timed out") as caught:
            desk.dispatcher.log_in(answer)
        assert caught.value.passing and server.asked == 1


def test_trust_and_check_ask_for_the_code_of_a_jump_host(home, cluster, server, monkeypatch, capfd):
    home.mkdir()
    gate = f"{cluster.user}@{cluster.host}:{server.port}"
    path = write_config(home / "clusters.toml", cluster, jump_host=gate)
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.setattr("getpass.getpass", lambda prompt: CODE)
    assert main(["cluster", "trust"]) == main(["cluster", "check"]) == 1  # there is nobody
    assert capfd.readouterr().err.count("asks for more than a key") == 2 and not server.asked
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert main(["cluster", "trust"]) == 0
    assert capfd.readouterr().out.count("is already known") == 2 and server.asked == 1
    assert main(["cluster", "check"]) == 0
    assert "the login works" in capfd.readouterr().out
    assert server.asked == 2  # a code may be good for one time only


def test_trust_needs_a_fingerprint_for_each_host(
    home, cluster, server, monkeypatch, tmp_path, capfd
):
    home.mkdir()
    gate = f"{cluster.user}@{cluster.host}:{server.port}"
    known = str(tmp_path / "known")
    path = write_config(home / "clusters.toml", cluster, jump_host=gate, known_hosts=known)
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.setattr("getpass.getpass", lambda prompt: CODE)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    def trust(*fingerprints):
        words = [word for each in fingerprints for word in ("--fingerprint", each)]
        status = main(["cluster", "trust", *words])
        return status, re.findall(r"SHA256:\S+", capfd.readouterr().out)

    status, (of_gate,) = trust("SHA256:another")
    assert status == 1
    status, shown = trust(of_gate)
    assert status == 1 and shown[0] == of_gate
    assert trust(of_gate, shown[1])[0] == trust()[0] == 0


def test_login_goes_through_the_keeper_which_holds_the_connection(
    home, cluster, server, monkeypatch, capfd
):
    home.mkdir()
    path = write_config(home / "clusters.toml", cluster, port=server.port)
    monkeypatch.setenv(VARIABLE, str(path))
    shown = []

    def type_code(prompt):
        shown.append(prompt)
        return CODE

    monkeypatch.setattr("getpass.getpass", type_code)
    assert main(["cluster", "login"]) == 0
    assert shown == ["Code: "]
    out = capfd.readouterr().out
    assert "Look at your phone." in out and "the connection stays open" in out
    run = Archive(home).submit(SYSTEM, QUICK, **destination(NAME, SYSTEM, QUICK))
    run.wait(PATIENCE)
    assert run.state == RunState.DONE and server.asked == 1
    everything = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert CODE.encode() not in everything


def test_login_needs_the_password_of_the_keeper(home, monkeypatch):
    ensure_keeper(home)
    until(lambda: (home / logins.FILE).exists(), "the keeper to receive people")
    assert (home / logins.FILE).stat().st_mode & 0o077 == 0
    text = (home / logins.FILE).read_text()
    (home / logins.FILE).write_text(text.replace('"password": "', '"password": "00'))
    monkeypatch.setattr(logins, "START_SECONDS", 0.5)
    with pytest.raises(ClusterProblem, match="cannot be reached"):
        logins.log_in(home, NAME, home, lambda *question: [])
