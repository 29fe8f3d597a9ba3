"""Runs on a cluster, against a real Slurm and a real SSH server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backend.archive import Archive
from backend.cluster.config import VARIABLE, get
from backend.cluster.jobs import Job
from backend.md import engine
from backend.run import CANCELLED, DONE, FAILED, QUEUED
from backend.system import SlitSystem
from nanoconf.cli import main
from nanoconf.clusters import status_in_words
from nanoconf.surrogate.data import Simulations
from tests.desk import Desk, write_config
from tests.homes import LONG, PATIENCE, QUICK, STEADY, SYSTEM, UNSTABLE, keepers, running, until


@pytest.fixture
def desk(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch)
    yield desk
    desk.close()


# --- the same as here -----------------------------------------------------------------------


def test_a_run_on_a_cluster_gives_what_it_gives_here(desk):
    run = desk.submit(QUICK)
    assert run.state == QUEUED
    assert desk.finish(run) == DONE
    here = engine.run(SYSTEM, QUICK)
    assert run.result().positive.density == pytest.approx(here.positive.density, rel=1e-6)
    assert run.attempts()[0]["ended"] == "done"
    assert "done" in run.log_tail()[-1]
    # and nothing is left there
    desk.until(lambda: not desk.dispatcher._jobs)
    assert not list((desk.work / "runs").iterdir()) and not list((desk.work / "jobs").iterdir())
    assert not list((desk.archive.home / "jobs").iterdir())


def test_a_run_that_fails_says_why_as_here(desk):
    run = desk.submit(UNSTABLE)
    assert desk.finish(run) == FAILED
    assert run.error in ("ion-through-wall", "not-finite", "too-many-pairs", "temperature")
    assert "time step" in run.reason


def test_a_host_behind_another_is_reached(home, cluster, monkeypatch):
    gate = f"{cluster.user}@{cluster.host}:{cluster.port}"
    desk = Desk(home, cluster, monkeypatch, jump_host=gate)
    run = desk.submit(QUICK)
    assert desk.finish(run) == DONE, run.reason
    assert len(desk.dispatcher._remote.connection._way) == 2
    desk.close()


def test_progress_profiles_and_log_come_while_it_runs(desk):
    run = desk.submit(LONG)
    desk.running(run)
    desk.until(lambda: run.partial_profiles() is not None)
    assert 0 < run.progress().fraction < 1
    assert any("sampling" in line for line in run.log_tail())
    assert "running" in status_in_words(run)
    first = run.progress()
    desk.until(lambda: run.progress() != first)


def test_a_running_run_is_cancelled_and_so_is_its_job(desk):
    run = desk.submit(LONG)
    desk.running(run)
    run.cancel()
    assert desk.finish(run) == CANCELLED
    assert run.reason == "cancelled on request"
    desk.until(lambda: all(job["JobState"] != "RUNNING" for job in desk.slurm.jobs()))


def test_a_waiting_run_is_cancelled_and_never_runs(desk):
    blocking = desk.submit(replace(LONG, replicas=2))
    desk.running(blocking)
    waiting = desk.submit(replace(LONG, replicas=2, seed=2))
    desk.until(lambda: desk.status(waiting).get("slurm") == "PENDING")
    assert waiting.state == QUEUED
    desk.until(lambda: "pending: Resources" in status_in_words(waiting))
    waiting.cancel()
    assert desk.finish(waiting) == CANCELLED
    assert not waiting.attempts()


def test_a_run_that_was_never_sent_is_cancelled_without_a_job(desk):
    run = desk.submit(LONG)
    run.cancel()
    assert desk.finish(run) == CANCELLED
    assert not run.cluster_status() and not list((desk.archive.home / "runs").glob("*/worker.log"))


def test_equal_runs_are_one_run(desk):
    first, second = desk.submit(LONG), desk.submit(LONG)
    assert first.id == second.id and second.joined


# --- a keeper that dies ---------------------------------------------------------------------


def test_the_next_keeper_finds_the_run_and_brings_it_home(desk):
    run = desk.submit(STEADY)
    desk.running(run)
    desk.restart()
    assert desk.finish(run) == DONE
    assert len(run.attempts()) == 1
    assert desk.slurm.submissions(desk.status(run)["job"]) == 1


def test_two_keepers_do_not_harm_each_other(desk):
    """There is one for each home, but one may not know yet that it has been replaced."""
    run = desk.submit(STEADY)
    desk.running(run)
    before = desk.dispatcher
    desk.restart()
    desk.until(lambda: before.step() is not None and run.finished)
    assert run.state == DONE and run.result().positive.density.max() > 0
    assert desk.slurm.submissions(desk.status(run)["job"]) == 1


# --- sweeps ---------------------------------------------------------------------------------


def test_a_sweeps_runs_are_one_array_that_shares_them(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, max_tasks=2, cores=1)
    runs = [desk.submit(replace(QUICK, seed=seed), queue="sweep") for seed in range(5)]
    desk.until(lambda: all(run.finished for run in runs))
    assert {run.state for run in runs} == {DONE}
    assert len({desk.status(run)["job"] for run in runs}) == 1, "\n".join(desk.said)
    hosts = {json.loads((run.folder / "attempts.json").read_text())[0]["pid"] for run in runs}
    assert len(hosts) == 5
    name = f"--name={desk.status(runs[0])['job']}"
    assert len(desk.slurm.slurm("squeue", "--states=all", "-r", "-h", name).splitlines()) == 2


def test_a_jobs_time_is_that_of_its_longest_share(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, max_tasks=2)
    runs = [
        desk.submit(replace(QUICK, seed=seed), queue="sweep", minutes=minutes)
        for seed, minutes in enumerate((5, 1, 5, 2))
    ]
    job = Job.of(get(), runs)
    assert (job.tasks, job.minutes) == (2, 10)
    assert [job.index(run.id) for run in runs] == [0, 1, 0, 1]


# --- the command line -----------------------------------------------------------------------


@pytest.fixture
def described(home, cluster, monkeypatch):
    """A home whose file describes the tests' Slurm; its keeper is a process, as everywhere."""
    home.mkdir()

    def describe(**changes):
        monkeypatch.setenv(VARIABLE, str(write_config(home / "clusters.toml", cluster, **changes)))

    describe()
    return describe


def nanoconf(*words) -> subprocess.Popen:
    command = [sys.executable, "-m", "nanoconf", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


SMALL = ("-p", "3", "-d", "0.5", "--set", "replicas=1", "--set", "time_step=0.02")


def test_a_command_whose_keeper_is_killed_is_finished_by_the_next(
    described, home, cluster, tmp_path
):
    words = ["simulate", "--cluster", *SMALL, "--duration-ns", "2", "-o", tmp_path / "out"]
    first = nanoconf(*words)
    until(lambda: any(job.get("JobState") == "RUNNING" for job in cluster.jobs()), "a job")
    first.kill()
    for process in keepers(home):
        process.kill()
    first.wait()
    second = nanoconf(*words)
    out, err = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, err
    assert f"profiles in {tmp_path / 'out'}" in out
    (run,) = Archive(home).runs()
    assert run.state == DONE and len(run.attempts()) == 1
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    assert about["where"] == "test"
    assert cluster.submissions(run.cluster_status()["job"]) == 1


def test_what_a_cluster_refuses_is_one_line_and_exit_status_one(described, tmp_path, capfd):
    described(partition="nowhere")
    words = ["simulate", "--cluster", *SMALL, "--duration-ns", "0.001", "-o", str(tmp_path / "out")]
    assert main(words) == 1
    said = capfd.readouterr().err.strip()
    assert "the job was not taken" in said and "nvalid partition" in said and "\n" not in said


def test_check_says_what_works(described, capfd):
    assert main(["cluster", "check"]) == 0
    said = capfd.readouterr().out
    for words in ("the host answers", "the login works", "Slurm answers", "the worker starts"):
        assert f"yes  {words}" in said
    assert "test is ready" in said


@pytest.mark.parametrize(
    ("changes", "works", "advice"),
    [
        ({"host": "127.0.0.1", "port": 1}, "the entry is understood", "is the network there"),
        ({"known_hosts": "/nowhere"}, "the host answers", "nanoconf cluster trust test"),
        ({"user": "nobody"}, "its host key is known", "authorized_keys"),
        ({"python": "/no/python"}, "the login works", "set python"),
        ({"work_dir": "/proc/work"}, "the login works", "work_dir"),
        ({"setup": ["PATH=/nowhere"]}, "the work folder can be written", "setup"),
        ({"partition": "nowhere"}, "Slurm answers", "set partition to one of debug"),
    ],
)
def test_check_says_what_to_do_about_the_first_thing_that_does_not(
    described, capfd, changes, works, advice
):
    described(**changes)
    assert main(["cluster", "check"]) == 1
    out, err = capfd.readouterr()
    assert f"yes  {works}" in out or changes.get("work_dir") or changes.get("setup")
    assert err.startswith("NO   ") and advice in err and err.count("\n") == 1


def test_a_host_is_trusted_after_a_yes_only(described, tmp_path, monkeypatch, capfd):
    known = tmp_path / "known" / "hosts"
    described(known_hosts=str(known))
    monkeypatch.setattr("builtins.input", lambda: "no")
    assert main(["cluster", "trust"]) == 1
    shown = re.search(r"SHA256:\S+", capfd.readouterr().out)[0]
    assert not known.exists()
    assert main(["cluster", "trust", "--fingerprint", "SHA256:another"]) == 1
    assert main(["cluster", "trust", "--fingerprint", shown]) == 0
    assert main(["cluster", "trust"]) == 0
    assert "is known already" in capfd.readouterr().out
    assert main(["cluster", "check"]) == 0


def test_another_key_than_is_known_is_not_trusted(described, cluster, capfd):
    cluster.new_host_key()
    before = cluster.known_hosts.read_text()
    assert main(["cluster", "trust"]) == 1
    assert "ssh-keygen -R" in capfd.readouterr().err
    assert cluster.known_hosts.read_text() == before


def test_a_cluster_without_anything_is_brought_all_that_the_worker_needs(described, cluster, capfd):
    """No package of its own, and no pip: a bare Python is enough."""
    base = Path(sys._base_executable)
    bare = cluster.home / "bin"
    bare.mkdir()
    (bare / "python3").write_text(f'#!/bin/sh\nexec {base} -s "$@"\n')
    (bare / "python3").chmod(0o755)
    described(python="", setup=[f"export PATH={bare}:/usr/bin:/bin"])
    assert main(["cluster", "check"]) == 0, capfd.readouterr().err
    names = sorted(path.name.split("-")[0] for path in (cluster.home / "work").iterdir())
    assert names == ["jobs", "packages", "runs", "worker"]
    stamps = [path.stat().st_mtime_ns for path in (cluster.home / "work").glob("*-*")]
    assert main(["cluster", "check"]) == 0
    assert [path.stat().st_mtime_ns for path in (cluster.home / "work").glob("*-*")] == stamps


# --- a whole sweep --------------------------------------------------------------------------


def sweep_on(described, home, cluster, folder, systems) -> None:
    """A sweep whose connection is killed twice; all of it arrives, and nothing twice."""
    described(max_tasks=20, max_running=20, cores=1)
    words = ["sweep", "--cluster", "--random", systems, "--duration-ns", "0.001"]
    words += ["--set", "replicas=1", "--set", "time_step=0.02", "-o", folder]
    work = nanoconf(*words)
    for share in (0.2, 0.6):
        until(
            lambda share=share: (
                work.poll() is not None
                or sum(run.finished for run in Archive(home).runs()) > share * systems
            ),
            f"{share:.0%} of the sweep",
            patience=60 + 4 * systems,
        )
        cluster.kill_connections()
    _, err = work.communicate(timeout=60 + 4 * systems)
    assert work.returncode == 0, err
    assert len(Simulations.load(folder)) == systems
    runs = Archive(home).runs()
    assert len(runs) == systems and all(len(run.attempts()) == 1 for run in runs)
    (name,) = {run.cluster_status()["job"] for run in runs}
    assert cluster.submissions(name) == 1


def test_a_sweep_of_sixty_comes_home_though_its_connection_is_killed_twice(
    described, home, cluster, tmp_path
):
    sweep_on(described, home, cluster, tmp_path / "data", 60)


# --- the other engine -----------------------------------------------------------------------


def test_lammps_runs_there_too_on_several_ranks(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, cores=2)
    run = desk.submit(replace(QUICK, engine="lammps"), SlitSystem(), cores=2)
    desk.until(lambda: run.finished or running("-nocite"), "LAMMPS to run")
    assert len(running("-nocite")) >= 2, run.reason
    assert desk.finish(run) == DONE, run.reason
    assert run.result().summary["versions"]["lammps"]
    job = cluster.job(desk.status(run)["job_id"])
    assert job["NumTasks"] == "2" and job["NumCPUs"] == "2"


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_sweep_of_a_thousand_comes_home_though_its_connection_is_killed_twice(
    described, home, cluster, tmp_path
):
    sweep_on(described, home, cluster, tmp_path / "data", 1000)
