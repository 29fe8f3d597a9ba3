"""Getting to a cluster and into it, and what happens on the way; a real Slurm and SSH server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from contextlib import contextmanager

import paramiko
import psutil
import pytest

from backend.cluster import package
from backend.cluster.config import VARIABLE, get
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh import hosts
from backend.cluster.ssh.connection import Connection
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from nanoconf.cli.main import main
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from tests.support.desk import NAME, held_by, write_config
from tests.support.homes import LONG, QUICK, kill, processes, python, until
from tests.support.slurm import PATH, make_key

PLENTY = bytes(8 << 20)
"""More than SSH and the kernel take without an answer."""


@pytest.fixture
def describe(home, cluster, monkeypatch):
    """Describes the tests' Slurm in a file."""
    home.mkdir()
    monkeypatch.setenv(VARIABLE, str(home / "clusters.toml"))
    return lambda **changes: write_config(home / "clusters.toml", cluster, **changes)


@pytest.fixture
def relay(cluster):
    with cluster.relay() as relay:
        yield relay


def address(cluster, port):
    return f"{cluster.user}@{cluster.host}:{port}"


def bare_python(cluster):
    """A Python without packages, and the set-up line of a module that provides them."""
    path = cluster.home / "bare"
    path.write_text(f'#!/bin/sh\nexec {sys._base_executable} -s "$@"\n')
    path.chmod(0o755)
    return {"python": str(path), "setup": [f"export PYTHONPATH={sysconfig.get_path('purelib')}"]}


# --- a link that freezes --------------------------------------------------------------------


def test_a_link_that_freezes_during_login_is_not_reported_as_refused(make_desk, relay, monkeypatch):
    desk = make_desk(port=relay.port)
    log_in = paramiko.Transport.auth_publickey

    def freeze(transport, *words):
        relay.freeze()
        transport.auth_timeout = 0.5
        return log_in(transport, *words)

    run = desk.submit(QUICK)
    with monkeypatch.context() as frozen:
        frozen.setattr(paramiko.Transport, "auth_publickey", freeze)
        desk.step()
    assert not run.finished
    assert "cannot be reached (timed out)" in desk.status(run)["note"]
    assert "trying again" in desk.status(run)["note"]
    relay.thaw()
    assert desk.finish(run) == RunState.DONE
    assert desk.slurm.submissions(desk.status(run)["job"]) == 1


def test_a_connection_lost_after_the_banner_is_retried(make_desk, cluster, monkeypatch):
    desk = make_desk()
    server_key, asked = paramiko.Transport.get_remote_server_key, []

    def break_after_the_first(transport):
        asked.append(transport)
        if len(asked) > 1:
            transport.close()
        return server_key(transport)

    run = desk.submit(QUICK)
    with monkeypatch.context() as broken:
        broken.setattr(paramiko.Transport, "get_remote_server_key", break_after_the_first)
        desk.step()
    assert not run.finished, run.reason
    assert "cannot be reached (No existing session)" in desk.status(run)["note"]
    assert desk.finish(run) == RunState.DONE


@pytest.fixture(params=["", "behind a jump host"])
def connection(request, describe, cluster, relay):
    """A connection whose first link is the relay."""
    if request.param:
        describe(jump_host=address(cluster, relay.port))
    else:
        describe(port=relay.port)
    with Connection(hosts.target_of(get())) as connection:
        assert connection.run("echo there").out == b"there\n"
        yield connection


@pytest.mark.parametrize(
    ("moment", "command", "data", "answer"),
    [
        pytest.param("exec_command", "echo there", b"", "there", id="before it is taken"),
        pytest.param("sendall", "wc -c", PLENTY, str(len(PLENTY)), id="while much is sent"),
    ],
)
def test_a_link_that_freezes_during_a_command_is_abandoned(
    connection, relay, monkeypatch, moment, command, data, answer
):
    go_on = getattr(paramiko.Channel, moment)

    def freeze(*arguments):
        relay.freeze()
        return go_on(*arguments)

    with monkeypatch.context() as frozen:
        frozen.setattr(paramiko.Channel, moment, freeze)
        with pytest.raises(ClusterProblem, match=r"was lost \(timed out\)") as caught:
            connection.run(command, data, silence=1.0)
    assert caught.value.name == "lost"
    relay.thaw()
    assert connection.run(command, data).out.decode().split() == [answer]


# --- host keys ------------------------------------------------------------------------------


def test_each_jump_host_needs_its_own_confirmation(
    describe, cluster, relay, tmp_path, monkeypatch, capfd
):
    known = tmp_path / "known"
    describe(known_hosts=str(known), jump_host=address(cluster, relay.port))
    assert main(["cluster", "check"]) == 1
    out, err = capfd.readouterr()
    assert "yes  the jump host" in out and "the login works" not in out
    assert address(cluster, relay.port) in err and "nanoconf cluster trust test" in err
    answers = ["no"]
    monkeypatch.setattr("builtins.input", lambda: answers.pop())
    assert main(["cluster", "trust"]) == 1
    assert not known.exists()
    answers[:] = ["no", "yes"]
    assert main(["cluster", "trust"]) == 1
    assert f":{relay.port} " in known.read_text() and f":{cluster.port} " not in known.read_text()
    answers[:] = ["yes"]
    assert main(["cluster", "trust"]) == 0
    assert f":{cluster.port} " in known.read_text() and len(known.read_text().splitlines()) == 2
    assert main(["cluster", "trust"]) == 0
    assert capfd.readouterr().out.count("is already known") == 1 + 2
    assert main(["cluster", "check"]) == 0


def test_a_changed_key_of_a_jump_host_is_not_trusted(describe, cluster, relay, tmp_path, capfd):
    make_key(tmp_path / "key")
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{relay.port} {(tmp_path / 'key.pub').read_text()}")
    before = known.read_text()
    describe(known_hosts=str(known), jump_host=address(cluster, relay.port))
    assert main(["cluster", "trust"]) == 1
    assert "a different key for" in (said := capfd.readouterr().err) and f":{relay.port}" in said
    assert known.read_text() == before


@pytest.mark.parametrize("hashed", [False, True])
def test_any_of_the_keys_of_a_host_is_accepted(describe, cluster, tmp_path, hashed):
    """A name may stand for several login nodes, whose keys are of one kind."""
    known = tmp_path / "known"
    name = f"[{cluster.host}]:{cluster.port}"
    keys = [tmp_path / "another", tmp_path / "a third"]
    for key in keys:
        make_key(key)
    publics = [key.with_suffix(".pub") for key in keys]
    publics.insert(1, cluster.folder / "host_key.pub")
    lines = [f"{name} {path.read_text()}" for path in publics]
    known.write_text("".join(lines))
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
    no_keys = f"# keys\nno line\n|1|x|y ssh-rsa A\n{name} ssh-ed25519 A\n"
    known.write_text(no_keys + known.read_text())
    describe(known_hosts=str(known))
    with Connection(hosts.target_of(get())) as connection:
        assert connection.run("true").status == 0


# --- accounts -------------------------------------------------------------------------------


@contextmanager
def another_user(cluster):
    """A user of this computer for a while, whom the tests' SSH server lets in; gives the name."""
    if os.geteuid() != 0 or shutil.which("useradd") is None:
        message = "!!! LOCKED ACCOUNTS ARE NOT TESTED: only root can make one, with useradd"
        (pytest.fail if os.environ.get("CI") and os.geteuid() == 0 else pytest.skip)(message)
    name = f"nanoconf-{os.getpid()}"
    conf = cluster.folder / "sshd.conf"
    text, mode = conf.read_text(), cluster.folder.stat().st_mode
    # a password that is none, but does not lock the account as useradd by itself would
    words = ["--no-create-home", "--home", "/tmp", "--shell", "/bin/bash", "--password", "*"]
    subprocess.run(["useradd", *words, name], check=True)
    try:
        cluster.folder.chmod(0o711)  # who may log in by which key is looked up as that user
        conf.write_text(text.replace("AllowUsers ", f"AllowUsers {name} "))
        cluster.stop_sshd()
        cluster.start_sshd()
        yield name
    finally:
        cluster.folder.chmod(mode)
        conf.write_text(text)
        cluster.stop_sshd()
        cluster.start_sshd()
        cluster.kill_connections()
        # who has a process is not removed
        kill([one for one in psutil.process_iter(["username"]) if one.info["username"] == name])
        subprocess.run(["userdel", "--force", name], check=True)


@pytest.mark.parametrize(
    "lock", [["passwd", "--quiet", "--lock"], ["chage", "--expiredate", "0"]], ids=lambda x: x[0]
)
def test_a_locked_account_is_refused(make_desk, cluster, lock):
    with another_user(cluster) as user:
        desk = make_desk(user=user)
        with Connection(hosts.target_of(get())) as connection:
            assert connection.run("whoami").out.decode().strip() == user
        subprocess.run([*lock, user], check=True)
        run = desk.submit(QUICK)
        desk.step()
        assert (run.state, run.error) == (RunState.FAILED, "login")
        assert f"{user}@" in run.reason and "that the account is active" in run.reason


def test_the_message_of_a_nologin_shell_is_reported(make_desk, cluster):
    with another_user(cluster) as user:
        desk = make_desk(user=user)
        shell = shutil.which("nologin", path=PATH)
        subprocess.run(["usermod", "--shell", shell, user], check=True)
        run = desk.submit(QUICK)
        desk.step()
        assert (
            run.state == RunState.FAILED
            and "This account is currently not available." in run.reason
        )


# --- installing the worker -----------------------------------------------------------------


def engine_starts(desk, run):
    """Let the dispatcher look until the engine is imported; compiling it anew takes long."""
    desk.until(lambda: run.finished or any("compiling" in line for line in run.log_tail()))
    assert not run.finished, run.reason


def test_packages_provided_by_a_module_are_used(make_desk, cluster):
    desk = make_desk(work_dir="with a module", **bare_python(cluster))
    run = desk.submit(QUICK)
    engine_starts(desk, run)
    work = cluster.home / "with a module"
    assert {path.name for path in work.iterdir()} == {"jobs", "runs", package.folder_name()}
    (worker,) = processes(work / "runs" / run.id, "backend.worker")
    assert worker.environ()["NUMBA_CACHE_DIR"] == str(work / package.folder_name() / "compiled")
    run.cancel()
    assert desk.finish(run) == RunState.CANCELLED


@pytest.mark.long
def test_an_interrupted_installation_leaves_nothing_incomplete(make_desk, cluster, relay):
    desk = make_desk(work_dir="new", port=relay.port, **bare_python(cluster))
    folder = cluster.home / "new" / package.folder_name()
    half = len(package.parcel()) // 2
    relay.cut_after(half, "up")
    run = desk.submit(QUICK)
    desk.step()
    assert relay.passed["up"] == half and relay.connections == 0
    assert any("installing the worker" in line for line in desk.said)
    assert "was lost" in desk.status(run)["note"] and not run.finished
    assert not folder.exists()
    engine_starts(desk, run)
    assert desk.slurm.submissions(desk.status(run)["job"]) == 1
    sources = package.PACKAGE.rglob("*.py")
    expected = {path.relative_to(package.PACKAGE): path.read_bytes() for path in sources}
    there = (folder / "backend").rglob("*.py")
    assert {path.relative_to(folder / "backend"): path.read_bytes() for path in there} == expected
    assert not list(folder.parent.glob("*.part-*"))
    run.cancel()
    assert desk.finish(run) == RunState.CANCELLED


# --- Slurm's own time limit -----------------------------------------------------------------


@pytest.fixture
def limited(make_desk):
    """A desk with a run that has left a checkpoint, and a long time limit."""
    desk = make_desk()
    run = desk.submit(LONG, minutes=60)
    desk.running(run)
    checkpoint = desk.work / "runs" / run.id / run.checkpoint_folder.name
    desk.until(checkpoint.exists, "a checkpoint")
    return desk, run


def goes_on(desk, run):
    """Ask for the same once more: it goes on from where the run ended."""
    again = desk.submit(LONG)
    assert again.id != run.id and again.request["continues"] == run.id
    desk.until(lambda: any("resumes from step" in line for line in again.log_tail(100)))
    again.cancel()
    assert desk.finish(again) == RunState.CANCELLED


@pytest.mark.long
def test_the_slurm_warning_before_the_time_limit_ends_a_run_cleanly(limited, cluster):
    """Slurm looks every 30 s, and gives two minutes' notice."""
    desk, run = limited
    job = f"JobId={desk.status(run)['job_id']}"
    cluster.slurm("scontrol", "update", job, "EndTime=now+2minutes")
    assert desk.finish(run) == RunState.FAILED
    assert run.error == "time-limit" and "time limit of 60 minutes was reached" in run.reason
    assert "NonZeroExitCode, exit code 75:0" in run.reason  # Slurm did not have to end it
    goes_on(desk, run)


@pytest.mark.long
def test_a_job_killed_at_its_time_limit_resumes_from_its_checkpoint(limited, cluster):
    desk, run = limited
    cluster.force_time_limit(desk.status(run)["job_id"])
    assert desk.finish(run) == RunState.FAILED
    assert run.error == "time-limit" and "TIMEOUT, TimeLimit" in run.reason
    goes_on(desk, run)


# --- the page -------------------------------------------------------------------------------

KERNEL = """
import sys, threading
from nanoconf.gui.state import AppState
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.services.work import Work
from tests.support.homes import QUICK, SYSTEM
AppState.system, AppState.settings = SYSTEM, QUICK
state = AppState()
work = Work(state)
work.identity = Identity.of_browser({"key": "me"})
work.cluster_mode(True)
work.run()
threading.Event().wait()
"""


def test_a_run_on_the_cluster_outlives_its_kernel(describe, home, cluster):
    held = cluster.home / "held"
    describe(setup=held_by(held))
    archive = Archive(home)
    with python(KERNEL, start_new_session=True) as kernel:
        try:
            until(lambda: any(run.cluster_status().get("job_id") for run in archive.runs()))
            (run,) = archive.runs()
        finally:
            os.killpg(kernel.pid, signal.SIGKILL)
    assert kernel.returncode == -signal.SIGKILL and not run.finished
    held.unlink()
    state = AppState()
    work = Work(state, archive)
    work.identity = Identity.of_browser({"key": "me"})
    work.resume("")
    until(lambda: state.simulation and state.simulation.state == RunState.DONE, state.status)
    work.close()
    assert state.simulation.run_id == run.id and state.simulation.mine
    assert run.where == NAME and run.result().positive.mean_density == pytest.approx(0.5 / 3)
    assert cluster.submissions(run.cluster_status()["job"]) == 1
