"""What may go wrong between here and a cluster, one fault after the other."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest

from backend.cluster.here.poll import GRACE_SECONDS, MAXIMUM_TRIES
from backend.cluster.node.task import MAXIMUM_CRASHES
from backend.engines.numba import engine
from backend.files import read_json, write_json
from backend.locks import Lock
from backend.runs.run_state import RunState
from tests.support.desk import ROOT, Desk
from tests.support.disks import small_disk
from tests.support.homes import LONG, QUICK, STEADY, SYSTEM, begun, processes, running, until
from tests.support.slurm import SlurmCluster, make_key, name_of, require_slurm

LONG_ENOUGH = replace(STEADY, duration_ns=12.0)


@pytest.fixture
def desk(make_desk):
    return make_desk()


@pytest.fixture
def two_nodes():
    """A Slurm of two nodes.

    A job that restarts on the node that failed can be ended there by Slurm, which still has the
    lost one to end.
    """
    require_slurm()
    folder = tempfile.TemporaryDirectory(prefix="slurm-")
    with folder as name, SlurmCluster(Path(name), nodes=2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def undisturbed():
    return engine.run(SYSTEM, STEADY).positive.density


def submitted_once(desk, run):
    """Whether Slurm was given exactly one job for a run."""
    return desk.slurm.submissions(desk.status(run)["job"]) == 1


def task_log(desk, run):
    """What the only task of a run's job has written."""
    path = desk.work / "jobs" / desk.status(run)["job"] / "task-0.log"
    return path.read_text() if path.exists() else ""


def refused(desk, error):
    """A run that fails at the first look, by the name of its error."""
    run = desk.submit(QUICK)
    desk.step()
    assert (run.state, run.error) == (RunState.FAILED, error)
    return run


def job_of(desk, run):
    return desk.slurm.job(desk.status(run)["job_id"])


def workers_of(run):
    """The processes that work on a run, wherever."""
    found = running("backend.worker")
    return [each for each in found if any(run.id in word for word in each.info["cmdline"])]


# --- the connection -------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("direction", ["up", "down"])
def test_no_data_are_lost_when_the_connection_drops_repeatedly(
    make_desk, cluster, undisturbed, direction
):
    """From the greeting to the last file: every cut comes half as late again as the one before."""
    with cluster.relay() as relay:
        desk = make_desk(port=relay.port)
        run = desk.submit(STEADY)
        cuts, size = 0, 1000
        relay.cut_after(size, direction)

        def cut_once_more():
            nonlocal cuts, size
            if relay.connections == 0 and not run.finished:
                cuts, size = cuts + 1, size * 3 // 2
                relay.cut_after(size, direction)
            return run.finished

        desk.until(cut_once_more)
    assert run.state == RunState.DONE, run.reason
    assert submitted_once(desk, run)
    assert run.result().positive.density == pytest.approx(undisturbed, rel=1e-6)
    assert cuts > 5
    assert any("trying again" in line or "was lost" in line for line in desk.said)


def test_a_run_waits_for_the_network(make_desk, cluster):
    with cluster.relay() as relay:
        relay.refuse()
        desk = make_desk(port=relay.port)
        run = desk.submit(QUICK)
        desk.step()
        assert "cannot be reached" in desk.status(run)["note"]
        assert "trying again in 1 s" in desk.status(run)["note"]
        desk.step()
        assert "trying again in 2 s" in desk.status(run)["note"]
        relay.accept()
        assert desk.finish(run) == RunState.DONE
        assert submitted_once(desk, run)


def test_a_run_continues_while_the_host_is_unreachable(desk, cluster):
    held = desk.hold()
    run = desk.submit(QUICK)
    desk.job_runs(run)
    cluster.kill_connections()
    cluster.stop_sshd()
    held.unlink()
    desk.step()
    assert not run.finished and "trying again" in desk.status(run)["note"]
    cluster.start_sshd()
    assert desk.finish(run) == RunState.DONE
    assert len(run.attempts()) == 1 and desk.status(run)["note"] == ""


def test_a_frozen_connection_is_abandoned(desk, cluster, monkeypatch):
    run = desk.submit(LONG)
    desk.running(run)
    cluster.freeze_connections()
    with monkeypatch.context() as impatient:
        impatient.setattr("backend.cluster.ssh.connection.Connection.run.__defaults__", (b"", 1.0))
        desk.step()
    assert "timed out" in desk.status(run)["note"]
    desk.until(lambda: desk.status(run)["note"] == "")
    assert run.state == RunState.RUNNING


# --- Slurm does not answer ------------------------------------------------------------------


@pytest.mark.long
def test_a_job_is_submitted_only_once_to_a_hung_controller(desk, cluster):
    cluster.hang_controller()
    run = desk.submit(QUICK)
    desk.step()
    assert not run.finished and "trying again" in desk.status(run)["note"]
    cluster.wake_controller()
    assert desk.finish(run) == RunState.DONE
    assert submitted_once(desk, run)


def lose_the_answer(desk, cluster):
    """A run whose job Slurm takes from a connection that is gone before it answers."""
    cluster.hang_controller()
    run = desk.submit(QUICK)
    agents = []

    def submitting():
        own = processes(desk.work, "backend.cluster.node.agent")  # another test's may be about
        return [each for each in own if "sbatch" in map(name_of, each.children())]

    def cut():
        until(lambda: agents.extend(submitting()) or agents, "sbatch to be run")
        cluster.kill_connections()
        for agent in agents:
            agent.kill()
        cluster.wake_controller()

    thread = threading.Thread(target=cut)
    thread.start()
    desk.step()
    thread.join()
    assert agents
    return run


def test_a_lost_response_does_not_cause_a_second_submission(desk, cluster):
    run = lose_the_answer(desk, cluster)
    assert desk.finish(run) == RunState.DONE
    assert submitted_once(desk, run)


@pytest.mark.long
def test_a_stopped_controller_is_polled_again(desk, cluster):
    cluster.stop_controller()
    run = desk.submit(QUICK)
    desk.step()
    assert not run.finished
    cluster.start_controller()
    assert desk.finish(run) == RunState.DONE
    assert submitted_once(desk, run)


@pytest.mark.long
def test_a_restarted_controller_still_knows_the_job(desk, cluster):
    held = desk.hold()
    run = desk.submit(QUICK)
    desk.job_runs(run)
    cluster.stop_controller()
    held.unlink()
    desk.step()
    assert "trying again" in desk.status(run)["note"]
    cluster.start_controller()
    assert desk.finish(run) == RunState.DONE
    assert submitted_once(desk, run) and len(run.attempts()) == 1


def test_an_unconfirmed_submission_waits_while_the_host_key_is_wrong(desk, cluster):
    """The answer is lost though Slurm has the job; then the host shows another key."""
    run = lose_the_answer(desk, cluster)
    cluster.new_host_key()
    desk.step()
    assert not run.finished and "presents a host key" in desk.status(run)["note"]
    cluster.mend_sshd()
    assert desk.finish(run) == RunState.DONE
    assert submitted_once(desk, run) and len(run.attempts()) == 1


@pytest.mark.long
def test_of_two_jobs_with_the_same_name_the_one_that_claimed_the_run_is_followed(desk, cluster):
    """As after a controller that had the job, but twice did not know it."""
    run = desk.submit(LONG)
    desk.running(run)
    name, first = desk.status(run)["job"], desk.status(run)["job_id"]
    folder, record = desk.work / "jobs" / name, desk.archive.home / "jobs" / f"{name}.json"
    words = ("--parsable", f"--job-name={name}", "--output=/dev/null", f"--chdir={folder}")
    second = int(cluster.slurm("sbatch", *words, str(folder / "job.sh")))
    until(lambda: cluster.job(second)["JobState"] == "COMPLETED")
    write_json(folder / "submitted.json", {"job_id": second})
    write_json(record, {**read_json(record), "job_id": second})
    desk.restart()
    desk.until(lambda: run.finished or read_json(record)["job_id"] == first)
    assert not run.finished, run.reason
    run.cancel()
    assert desk.finish(run) == RunState.CANCELLED
    # Slurm ends the job, unless its run has ended first.
    until(lambda: cluster.job(first)["JobState"] in ("CANCELLED", "COMPLETED"))


# --- how jobs end ---------------------------------------------------------------------------


@pytest.mark.long
def test_the_next_run_resumes_from_the_checkpoint_left_at_a_time_limit(desk, cluster):
    run = desk.submit(LONG_ENOUGH)
    desk.running(run)
    desk.until(lambda: run.progress().fraction > 0.1)
    # what Slurm does some time before the limit
    cluster.slurm("scancel", "--signal=USR1", "--batch", desk.status(run)["job_id"])
    assert desk.finish(run) == RunState.FAILED
    assert run.error == "time-limit"
    assert "resume from its checkpoint" in run.reason and "--walltime" in run.reason
    again = desk.submit(LONG_ENOUGH)
    assert again.id != run.id and again.request["continues"] == run.id
    assert desk.finish(again) == RunState.DONE
    assert any("resumes from step" in line for line in again.log_tail(100))
    expected = engine.run(SYSTEM, LONG_ENOUGH).positive.density
    assert again.result().positive.density == pytest.approx(expected, rel=1e-6)


def test_a_refused_job_keeps_its_checkpoint_for_the_next_run(desk, cluster):
    first = desk.submit(LONG)
    desk.until(lambda: begun(first))
    cluster.slurm("scancel", "--signal=USR1", "--batch", desk.status(first)["job_id"])
    assert desk.finish(first) == RunState.FAILED and first.error == "time-limit"
    desk.change(partition="nowhere")
    second = desk.submit(LONG)
    desk.step()
    assert second.error == "slurm-refused" and second.request["continues"] == first.id
    assert not (desk.work / "runs" / second.id).exists()
    desk.change()
    third = desk.submit(LONG)
    resumed = "resumes from step"
    desk.until(lambda: third.finished or any(resumed in line for line in third.log_tail(100)))
    assert not third.finished, third.reason


def test_a_run_resumes_on_another_node_after_a_failure(home, two_nodes, monkeypatch):
    desk = Desk(home, two_nodes, monkeypatch)
    run = desk.submit(LONG)
    desk.running(run)
    job_id = desk.status(run)["job_id"]
    failed = two_nodes.job(job_id)["NodeList"]
    two_nodes.node_down(node=failed)
    desk.until(lambda: desk.status(run)["slurm"] == "PENDING")
    assert not run.finished
    # Slurm waits for two minutes by itself
    two_nodes.slurm("scontrol", "update", f"JobId={job_id}", "StartTime=now")
    attempts = desk.work / "runs" / run.id / "attempts.json"
    desk.until(lambda: run.finished or len(read_json(attempts)) == 2)
    assert not run.finished, run.reason
    assert two_nodes.job(job_id)["NodeList"] != failed
    assert submitted_once(desk, run)
    run.cancel()
    assert desk.finish(run) == RunState.CANCELLED
    desk.close()


@pytest.mark.long
def test_a_task_waits_for_a_worker_left_on_a_failed_node(desk):
    run = desk.submit(QUICK)
    folder = desk.work / "runs" / run.id
    folder.mkdir(parents=True)
    left = Lock(folder / "worker.lock")
    assert left.acquire()
    desk.until(lambda: task_log(desk, run).count("is still running it") > MAXIMUM_CRASHES)
    assert not run.finished
    left.release()
    assert desk.finish(run) == RunState.DONE


def test_a_permanent_node_failure_ends_the_run_with_the_reason_from_slurm(desk, cluster):
    run = desk.submit(LONG)
    desk.running(run)
    cluster.slurm("scontrol", "update", f"JobId={desk.status(run)['job_id']}", "Requeue=0")
    cluster.node_down()
    assert desk.finish(run) == RunState.FAILED
    assert run.error == "node-failed" and "NODE_FAIL, NodeDown" in run.reason


def test_scancel_ends_the_run_as_cancelled(desk, cluster):
    run = desk.submit(LONG)
    desk.running(run)
    cluster.slurm("scancel", desk.status(run)["job_id"])
    assert desk.finish(run) == RunState.CANCELLED
    assert "not by nanoconf" in run.reason


def test_an_unknown_partition_is_refused_with_the_message_from_slurm(make_desk):
    desk = make_desk(partition="nowhere")
    run = refused(desk, "slurm-refused")
    assert "invalid partition name specified" in run.reason.lower()
    assert not list((desk.archive.home / "jobs").iterdir())


def test_a_failed_job_script_is_reported_with_its_exit_code(make_desk):
    desk = make_desk(setup=['test -z "$SLURM_JOB_ID" || { echo no such module; exit 3; }'])
    run = desk.submit(QUICK)
    assert desk.finish(run) == RunState.FAILED
    assert run.error == "job-failed"
    assert "FAILED, NonZeroExitCode, exit code 3:0" in run.reason
    assert run.log_tail()[-1] == "no such module"


@pytest.mark.parametrize(
    ("status", "error", "most"), [(3, "job-failed", MAXIMUM_TRIES), (75, "interrupted", 4)]
)
def test_a_sweep_is_abandoned_if_its_jobs_end_before_any_run_starts(
    make_desk, monkeypatch, status, error, most
):
    """Three times if they fail, and some more if they are ended from outside."""
    monkeypatch.setattr("backend.cluster.here.poll.MAXIMUM_JOBS", 4)
    monkeypatch.setattr("backend.cluster.here.poll.GRACE_SECONDS", 0.2)
    monkeypatch.setattr("backend.cluster.here.gather.GATHER_SECONDS", 0.2)
    desk = make_desk(setup=[f'test -z "$SLURM_JOB_ID" || exit {status}'], max_tasks=2)
    runs = [desk.submit(replace(QUICK, seed=seed), queue="sweep") for seed in (1, 2, 3)]

    def jobs():
        return {line.split(":")[0] for line in desk.said if line.startswith("nanoconf-")}

    # the tasks of a job may be seen to end one by one, and their runs part
    desk.until(lambda: all(run.finished for run in runs) or len(jobs()) > most * len(runs))
    assert [desk.status(run)["sent"] for run in runs] == [most - 1] * len(runs)  # again, that is
    assert most <= len(jobs()) <= most * len(runs)
    assert {(run.state, run.error) for run in runs} == {(RunState.FAILED, error)}
    assert f"exit code {status}:0" in runs[0].reason


def test_a_worker_reports_a_memory_limit(make_desk):
    desk = make_desk(setup=['test -z "$SLURM_JOB_ID" || ulimit -v 350000'])
    run = desk.submit(QUICK)
    assert desk.finish(run) == RunState.FAILED
    assert run.error == "memory" and "ulimit -v allows 0.4 GB here" in run.reason


# --- who is who -----------------------------------------------------------------------------


def test_a_changed_host_key_is_refused(desk, cluster):
    cluster.new_host_key()
    run = refused(desk, "host-key")
    assert "presents a host key" in run.reason and "ssh-keygen -R" in run.reason


def test_an_unknown_host_is_refused(make_desk, tmp_path):
    desk = make_desk(known_hosts=str(tmp_path / "empty"))
    run = refused(desk, "host-key")
    assert "nanoconf cluster trust" in run.reason
    assert not (tmp_path / "empty").exists()


def test_a_changed_host_key_during_a_run_loses_nothing(desk, cluster):
    held = desk.hold()
    run = desk.submit(QUICK)
    desk.job_runs(run)
    cluster.kill_connections()
    cluster.new_host_key()
    held.unlink()
    desk.step()
    desk.step()
    assert not run.finished and "presents a host key" in desk.status(run)["note"]
    cluster.mend_sshd()
    assert desk.finish(run) == RunState.DONE


def test_the_wrong_key_is_refused(make_desk, tmp_path):
    make_key(tmp_path / "key")
    desk = make_desk(key_file=str(tmp_path / "key"))
    run = refused(desk, "login")
    assert "authorized_keys" in run.reason


@pytest.mark.parametrize("content", [None, b"no key at all"])
def test_the_error_names_an_unreadable_key(make_desk, tmp_path, monkeypatch, content):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    path = tmp_path / "key"
    if content:
        path.write_bytes(content)
    desk = make_desk(key_file=str(path))
    run = refused(desk, "key-file")
    assert str(path) in run.reason


def test_a_key_with_a_passphrase_needs_the_agent(make_desk, tmp_path, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    path = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(path)]
    subprocess.run(command, check=True)
    desk = make_desk(key_file=str(path))
    run = refused(desk, "key-file")
    assert f"ssh-add {path}" in run.reason


def test_an_account_without_access_is_refused(make_desk):
    desk = make_desk(user="nobody")
    run = refused(desk, "login")
    assert "nobody@" in run.reason


# --- values that are no words ---------------------------------------------------------------


HOSTILE = """it's "a" name; touch pwned $(touch pwned) `touch pwned` \\ %j & """
HOSTILE += "JobId=99999 JobState=COMPLETED Reason=None"


def test_hostile_values_are_passed_as_data_and_never_executed(make_desk, cluster):
    desk = make_desk(
        work_dir=HOSTILE,
        account=HOSTILE,
        setup=[
            f"export PYTHONPATH={shlex.quote(str(ROOT))}",
            f"export XDG_CACHE_HOME='{Path.home()}/.cache' NOTE=\"it's;\n fine\"",
        ],
    )
    run = desk.submit(QUICK)
    assert desk.finish(run) == RunState.DONE, run.reason
    assert job_of(desk, run)["Account"].startswith("it's")
    assert not list(cluster.home.rglob("pwned")) and not Path("pwned").exists()
    assert (cluster.home / HOSTILE / "runs").is_dir()


@pytest.mark.long
def test_a_name_that_looks_like_a_job_state_is_not_parsed(make_desk, cluster):
    """For longer than it takes to believe in an end."""
    desk = make_desk(work_dir=HOSTILE, account=HOSTILE, max_tasks=2)
    runs = [desk.submit(replace(LONG, seed=seed), queue="sweep") for seed in (1, 2, 3)]
    for run in runs[:2]:
        desk.running(run)
    believed = time.monotonic() + 2 * GRACE_SECONDS
    desk.until(lambda: time.monotonic() > believed)
    assert [run.state for run in runs] == [RunState.RUNNING, RunState.RUNNING, RunState.QUEUED]
    assert {desk.status(run)["slurm"] for run in runs} == {"RUNNING"}
    assert len({desk.status(run)["job"] for run in runs}) == 1
    for run in runs:
        run.cancel()
    assert {desk.finish(run) for run in runs} == {RunState.CANCELLED}


# --- the cluster's disk ---------------------------------------------------------------------


def test_an_unusable_work_folder_is_reported_before_submission(make_desk, cluster):
    (cluster.home / "file").write_text("no folder")
    desk = make_desk(work_dir="file/below")
    run = refused(desk, "work-dir")
    assert "work_dir" in run.reason


def test_a_full_disk_is_reported_at_submission(make_desk, cluster):
    with small_disk(cluster.home / "small", "64k") as folder:
        desk = make_desk(work_dir="small/work")
        (folder / "other files").write_bytes(bytes(shutil.disk_usage(folder).free - 4096))
        run = refused(desk, "disk-full")
        assert "free some space" in run.reason


@pytest.mark.long
def test_a_disk_that_fills_after_submission_loses_nothing(make_desk, cluster):
    """A stand-in for sbatch lets other files come just then, and lets the job wait for room."""
    with small_disk(cluster.home / "filled", "32m") as folder:
        other = folder / "other files"
        fill = f"head -c 64m /dev/zero >{shlex.quote(str(other))}"
        submit = f'{shutil.which("sbatch")} --hold "$@" || exit 1'
        setup = stand_in(cluster, "sbatch", f"{submit}; {fill} 2>/dev/null; exit 0")
        try:
            desk = make_desk(setup=setup, work_dir="filled/work")
            run = desk.submit(QUICK)
            desk.until(lambda: run.finished or desk.status(run).get("job_id"))
            assert not run.finished, run.reason
            assert shutil.disk_usage(folder).free == 0
            other.unlink()
            cluster.slurm("scontrol", "release", desk.status(run)["job_id"])
            assert desk.finish(run) == RunState.DONE
            assert submitted_once(desk, run)
        finally:
            shutil.rmtree(cluster.home / "stand-in for sbatch")


# --- signals --------------------------------------------------------------------------------


def test_a_terminated_job_is_reported_as_interrupted(desk, cluster):
    run = desk.submit(LONG)
    desk.running(run)
    (worker,) = workers_of(run)
    os.kill(worker.parent().pid, signal.SIGTERM)
    assert desk.finish(run) == RunState.FAILED
    assert run.error == "interrupted" and "exit code 75:0" in run.reason


# --- what this Slurm cannot do, in words that others have recorded -----------------------------


def stand_in(cluster, name, script):
    """A command that takes the place of one of Slurm's; returns the set-up line for it."""
    folder = cluster.home / f"stand-in for {name}"
    folder.mkdir()
    (folder / name).write_text(f"#!/bin/bash\n{script}\n")
    (folder / name).chmod(0o755)
    cache = f"export XDG_CACHE_HOME={shlex.quote(platformdirs.user_cache_dir())}"
    package = f"export PYTHONPATH={shlex.quote(str(ROOT))}"
    return [cache, package, f"export PATH={shlex.quote(str(folder))}:$PATH"]


@pytest.mark.parametrize(
    "words",
    [
        "Invalid account or account/partition combination specified",
        "Invalid qos specification",
        "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
)
def test_refused_accounts_and_limits_are_reported_with_the_message_from_slurm(
    make_desk, cluster, words
):
    said = f"sbatch: error: Batch job submission failed: {words}"
    setup = stand_in(cluster, "sbatch", f"echo {shlex.quote(said)} >&2; exit 1")
    try:
        desk = make_desk(setup=setup, account="nobody's")
        run = refused(desk, "slurm-refused")
        assert words in run.reason
    finally:
        shutil.rmtree(cluster.home / "stand-in for sbatch")


@pytest.mark.parametrize(
    "end", [pytest.param("echo Welcome", marks=pytest.mark.long), "kill -9 $$"]
)
def test_a_job_whose_id_sbatch_does_not_print_is_submitted_only_once(make_desk, cluster, end):
    setup = stand_in(cluster, "sbatch", f'{shutil.which("sbatch")} "$@" >/dev/null; {end}')
    try:
        desk = make_desk(setup=setup)
        run = desk.submit(QUICK)
        assert desk.finish(run) == RunState.DONE
        assert submitted_once(desk, run)
    finally:
        shutil.rmtree(cluster.home / "stand-in for sbatch")


def test_a_job_killed_for_its_memory_use_is_reported_as_such(make_desk, cluster):
    real = shutil.which("scontrol")
    recorded = "s/JobState=CANCELLED Reason=None/JobState=OUT_OF_MEMORY Reason=OutOfMemory/"
    setup = stand_in(cluster, "scontrol", f'{real} "$@" | sed "{recorded}"')
    try:
        desk = make_desk(setup=setup)
        run = desk.submit(LONG)
        desk.running(run)
        cluster.slurm("scancel", desk.status(run)["job_id"])
        assert desk.finish(run) == RunState.FAILED
        assert run.error == "memory" and "OUT_OF_MEMORY, OutOfMemory" in run.reason
    finally:
        shutil.rmtree(cluster.home / "stand-in for scontrol")


# --- versions -------------------------------------------------------------------------------


def test_a_run_from_another_version_is_refused_before_submission(desk, cluster):
    before = cluster.answered("REQUEST_SUBMIT_BATCH_JOB")
    run = desk.submit(QUICK)
    write_json(run.folder / "run.json", {**run.request, "version": "0.0.1"})
    desk.restart()
    desk.step()
    assert (run.state, run.error) == (RunState.FAILED, "other-version")
    assert "requested by nanoconf 0.0.1" in run.reason and "repeat the run" in run.reason
    assert cluster.answered("REQUEST_SUBMIT_BATCH_JOB") == before
    assert not desk.status(run)


def test_a_job_submitted_before_an_update_is_fetched(desk, monkeypatch):
    run = desk.submit(QUICK)
    desk.until(lambda: desk.status(run).get("job_id"))
    monkeypatch.setattr("backend.cluster.here.submit.__version__", "99.0")
    desk.restart()
    assert desk.finish(run) == RunState.DONE
