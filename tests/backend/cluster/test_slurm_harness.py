"""The Slurm and the SSH server that other tests disturb: what they are told to do, they do."""

import os
import re
import socket
import tempfile
from contextlib import closing
from pathlib import Path

import paramiko
import psutil
import pytest

from tests.support.homes import PATIENCE, until
from tests.support.relay import HOST, Relay
from tests.support.slurm import ClusterError, SlurmCluster


def submit(cluster, command="sleep 3600", *options):
    """Submit a job and give its id."""
    words = ("--parsable", f"--chdir={cluster.folder}", *options, f"--wrap={command}")
    return cluster.slurm("sbatch", *words).strip()


def until_state(cluster, job_id, state):
    """Wait for a job to be in a state."""
    until(lambda: cluster.job(job_id)["JobState"] == state, f"job {job_id} to be {state}")


def running(words):
    """Processes that have these words on their command line, or are in this folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or ())
        if words in line or words == process.info["cwd"]:
            found.append(process)
    return found


@pytest.fixture
def connect(cluster):
    """Log in as a careful client does: by key, and only to a host that is known."""
    clients = []

    def connect(port=cluster.port):
        client = paramiko.SSHClient()
        clients.append(client)
        client.load_host_keys(str(cluster.known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            cluster.host,
            port,
            cluster.user,
            key_filename=str(cluster.key_file),
            allow_agent=False,
            look_for_keys=False,
            timeout=PATIENCE,
        )
        return client

    yield connect
    for client in clients:
        client.close()


# --- Slurm --------------------------------------------------------------------------------------


def test_a_job_runs_over_ssh(cluster, connect):
    words = f"sbatch --parsable --job-name='a b=c' --chdir={cluster.folder} --output=answer"
    _, answer, _ = connect().exec_command(f"{words} --wrap='echo hello'", timeout=PATIENCE)
    job_id = answer.read().decode().strip()
    until_state(cluster, job_id, "COMPLETED")
    assert cluster.job(job_id)["ExitCode"] == "0:0"
    assert cluster.submissions("a b=c") == 1
    assert (cluster.folder / "answer").read_text() == "hello\n"


def test_a_job_array_is_submitted_with_one_command(cluster):
    submit(cluster, "true", "--job-name=twice", "--array=1-3")
    submit(cluster, "true", "--job-name=twice", "--array=1-3")

    def ended():
        states = {job["JobState"] for job in cluster.jobs() if job["JobName"] == "twice"}
        return states == {"COMPLETED"}

    until(ended)
    assert cluster.submissions("twice") == 2
    assert cluster.submissions("never") == 0


@pytest.mark.long
def test_a_hung_controller_carries_out_requests_later(cluster):
    cluster.hang_controller()
    with pytest.raises(ClusterError, match="timed out"):
        submit(cluster, "true", "--job-name=late")
    cluster.wake_controller()
    until(lambda: cluster.submissions("late") == 1)


def test_a_job_outlives_a_stopped_controller(cluster):
    job_id = submit(cluster)
    until_state(cluster, job_id, "RUNNING")
    cluster.stop_controller()
    with pytest.raises(ClusterError, match="DOWN"):
        cluster.slurm("scontrol", "ping")
    cluster.start_controller()
    assert cluster.job(job_id)["JobState"] == "RUNNING"
    until_state(cluster, submit(cluster, "true"), "COMPLETED")


def test_a_job_fails_when_its_node_fails(cluster):
    job_id = submit(cluster, "sleep 3600", "--no-requeue")
    until_state(cluster, job_id, "RUNNING")
    cluster.node_down("no power")
    until_state(cluster, job_id, "NODE_FAIL")
    cluster.node_up()
    until_state(cluster, submit(cluster, "true"), "COMPLETED")


# --- SSH ----------------------------------------------------------------------------------------


def test_commands_and_file_transfers_start_in_the_home_directory_on_the_cluster(cluster, connect):
    client = connect()
    _, answer, _ = client.exec_command("cd; pwd; echo $HOME", timeout=PATIENCE)
    with client.open_sftp() as sftp:
        homes = {*answer.read().decode().split(), sftp.normalize(".")}
    assert homes == {str(cluster.home)}


def test_a_job_outlives_its_connection(cluster, connect):
    job_id = submit(cluster)
    until_state(cluster, job_id, "RUNNING")
    _, answer, _ = connect().exec_command("echo begun; sleep 3600", timeout=PATIENCE)
    assert answer.readline() == "begun\n"
    cluster.kill_connections()
    assert answer.read() == b""
    assert answer.channel.recv_exit_status() == -1
    assert cluster.job(job_id)["JobState"] == "RUNNING"
    connect()


def test_a_frozen_connection_is_silent(cluster, connect):
    request, answer, _ = connect().exec_command("echo begun; cat", timeout=PATIENCE)
    assert answer.readline() == "begun\n"
    cluster.freeze_connections()
    request.write("over\n")
    answer.channel.settimeout(0.5)
    with pytest.raises(TimeoutError):
        answer.read()
    connect()
    cluster.thaw_connections()
    answer.channel.settimeout(PATIENCE)
    assert answer.readline() == "over\n"


def test_connections_outlive_the_server(cluster, connect):
    client = connect()
    cluster.stop_sshd()
    with pytest.raises(OSError):
        connect()
    assert client.exec_command("echo here", timeout=PATIENCE)[1].read() == b"here\n"
    cluster.start_sshd()
    connect()
    cluster.kill_connections()
    until(lambda: not client.get_transport().is_active())


def test_a_changed_host_key_is_detected(cluster, connect):
    cluster.new_host_key()
    with pytest.raises(paramiko.BadHostKeyException):
        connect()
    cluster.mend()
    connect()


# --- the relay ----------------------------------------------------------------------------------


def test_an_upload_can_be_interrupted_midway(cluster, connect, tmp_path):
    (tmp_path / "large").write_bytes(bytes(1_000_000))
    with cluster.relay() as relay, connect(relay.port).open_sftp() as sftp:
        relay.cut_after(500_000, "up")
        with pytest.raises((OSError, EOFError, paramiko.SSHException)):
            sftp.put(tmp_path / "large", "large")
        assert (cluster.home / "large").stat().st_size < 500_000
        connect(relay.port)


def test_a_relay_drops_and_refuses_connections():
    with socket.create_server((HOST, 0)) as server, Relay(server.getsockname()[1]) as relay:

        def join():
            return closing(socket.create_connection((HOST, relay.port), timeout=PATIENCE))

        with join() as client, closing(server.accept()[0]) as end:
            client.sendall(b"question")
            assert end.recv(100) == b"question"
            relay.cut_after(3, "down")
            end.sendall(b"answer")
            assert [client.recv(100), client.recv(100)] == [b"ans", b""]
            assert end.recv(100) == b""
            assert relay.passed == {"up": 8, "down": 3}
        with join() as client, closing(server.accept()[0]) as end:
            relay.refuse()
            with pytest.raises(ConnectionRefusedError):
                join()
            end.sendall(b"still here")
            assert client.recv(100) == b"still here"
            relay.accept()
            with join():
                until(lambda: relay.connections == 2)
                relay.cut()
                assert client.recv(100) == b""
                assert relay.connections == 0


# --- start and end ------------------------------------------------------------------------------


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        yield Path(name)


def test_nothing_is_left_behind(folder):
    command = f"sleep 1{os.getpid()}"  # no other process has it
    with SlurmCluster(folder, nodes=2, MinJobAge=7) as cluster:
        job_id = submit(cluster, f"env -i {command}", "--nodes=2")
        until_state(cluster, job_id, "RUNNING")
        until(lambda: running(command))
        assert running(str(cluster.folder))
        assert re.search(r"MinJobAge *= 7 ", cluster.slurm("scontrol", "show", "config"))
        cluster.hang_controller()
    assert not running(command)
    assert not running(str(cluster.folder))


def test_a_cluster_that_does_not_start_gives_a_reason(folder):
    with pytest.raises(ClusterError, match=r"ended: (.|\n)*no_such_type"):
        SlurmCluster(folder, SelectType="select/no_such_type").__enter__()
    assert not running(str(folder))


@pytest.mark.long
def test_a_job_ends_at_its_time_limit(cluster):
    job_id = submit(cluster)
    until_state(cluster, job_id, "RUNNING")
    cluster.force_time_limit(job_id)
    until_state(cluster, job_id, "TIMEOUT")
