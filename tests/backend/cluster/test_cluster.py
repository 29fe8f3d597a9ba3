"""What clusters alone have, against a real Slurm and a real SSH server.

What they share with this computer is in ``test_jobs.py``.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from backend.cluster.config import VARIABLE, get
from backend.cluster.here.agent_client import AgentClient
from backend.cluster.here.intervals import SHORTEST_FOR_SWEEPS
from backend.cluster.here.jobs import Job
from backend.files import read_json
from backend.runs.run_state import RunState
from backend.system import SlitSystem
from benchmarks.cluster import ARRAY, KILLED_AT, sweep, table
from nanoconf.cli.main import main
from nanoconf.surrogate.simulations import Simulations
from nanoconf.tables import aligned
from tests.support.desk import Desk, write_config
from tests.support.homes import LONG, QUICK, SYSTEM


@pytest.fixture
def described(home, cluster, monkeypatch):
    """A home whose file describes the tests' Slurm; its keeper is a process, as everywhere."""
    home.mkdir()

    def describe(**changes):
        monkeypatch.setenv(VARIABLE, str(write_config(home / "clusters.toml", cluster, **changes)))

    describe()
    return describe


# --- one run --------------------------------------------------------------------------------


def test_a_host_behind_a_jump_host_can_be_reached(home, cluster, monkeypatch):
    gate = f"{cluster.user}@{cluster.host}:{cluster.port}"
    desk = Desk(home, cluster, monkeypatch, jump_host=gate)
    run = desk.submit(QUICK)
    assert desk.finish(run) == RunState.DONE, run.reason
    assert len(desk.dispatcher.state.agent.connection._way) == 2
    desk.close()


def test_two_keepers_do_not_interfere(home, cluster, monkeypatch):
    """There is one for each home, but one may not know yet that it has been replaced."""
    desk = Desk(home, cluster, monkeypatch)
    held = desk.hold()
    run = desk.submit(QUICK)
    desk.job_runs(run)
    before = desk.dispatcher
    desk.restart()
    held.unlink()
    desk.until(lambda: before.step() is not None and run.finished)
    assert run.state == RunState.DONE and run.result().positive.mean_density == pytest.approx(
        0.5 / 3
    )
    assert desk.slurm.submissions(desk.status(run)["job"]) == 1
    desk.close()


def test_a_keeper_does_not_touch_jobs_of_runs_it_has_not_seen(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch)
    held = desk.hold()
    runs = [desk.submit(replace(QUICK, seed=seed), cores=1) for seed in (1, 2)]
    desk.job_runs(*runs)
    jobs = [desk.status(run)["job"] for run in runs]
    desk.restart(runs[:1])
    desk.step()
    held.unlink()
    desk.dispatcher.add(runs[1])
    assert [desk.finish(run) for run in runs] == [RunState.DONE, RunState.DONE]
    assert [desk.status(run)["job"] for run in runs] == jobs
    assert [len(run.attempts()) for run in runs] == [1, 1]
    desk.close()


def test_a_job_is_submitted_only_with_all_its_runs(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, max_tasks=2)
    runs = [desk.submit(replace(QUICK, seed=seed), queue="sweep") for seed in range(4)]
    job = killed_while_asking(desk, monkeypatch)
    desk.restart(runs[:1])
    desk.step()
    assert cluster.submissions(job["name"]) == 0
    for run in runs[1:]:
        desk.dispatcher.add(run)
    there = desk.work / "jobs" / job["name"] / "job.json"
    desk.until(there.exists)
    assert read_json(there)["runs"] == job["runs"] and set(job["runs"]) == {run.id for run in runs}
    desk.until(lambda: all(run.finished for run in runs))
    assert {run.state for run in runs} == {RunState.DONE}
    assert [len(run.attempts()) for run in runs] == [1, 1, 1, 1]
    assert cluster.submissions(job["name"]) == 1
    desk.close()


def test_a_job_is_not_submitted_for_the_run_of_another_job(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch)
    run = desk.submit(QUICK)
    job = killed_while_asking(desk, monkeypatch)
    settings = replace(QUICK, seed=2)
    other = desk.archive.submit(SYSTEM, settings, where=run.where, cluster=run.resources)
    desk.restart([other])
    assert desk.finish(other) == RunState.DONE
    assert cluster.submissions(job["name"]) == 0
    desk.dispatcher.add(run)
    assert desk.finish(run) == RunState.DONE
    assert cluster.submissions(job["name"]) == 1
    desk.close()


def killed_while_asking(desk, monkeypatch):
    """The keeper dies once it has noted that it asks, before anybody hears it; gives the job."""
    with monkeypatch.context() as now, pytest.raises(SystemExit):
        now.setattr(AgentClient, "request", lambda *_, **__: sys.exit())
        desk.until(lambda: False)
    (path,) = (desk.archive.home / "jobs").iterdir()
    job = read_json(path)
    assert job["asked"] and job["job_id"] is None
    return job


def test_cancelling_a_run_does_not_cancel_a_run_not_yet_seen(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, max_tasks=1)
    runs = [desk.submit(settings, queue="sweep") for settings in (LONG, QUICK)]
    desk.until(lambda: all(desk.status(run).get("job_id") for run in runs))
    runs[0].cancel()
    desk.restart(runs[:1])
    desk.step()
    desk.dispatcher.add(runs[1])
    assert [desk.finish(run) for run in runs] == [RunState.CANCELLED, RunState.DONE]
    assert cluster.submissions(desk.status(runs[1])["job"]) == 1
    desk.close()


# --- sweeps ---------------------------------------------------------------------------------


def test_the_runs_of_a_sweep_share_one_array(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, max_tasks=2, cores=1)
    runs = [desk.submit(replace(QUICK, seed=seed), queue="sweep") for seed in range(3)]
    desk.until(lambda: all(run.finished for run in runs))
    assert {run.state for run in runs} == {RunState.DONE}
    assert len({desk.status(run)["job"] for run in runs}) == 1, "\n".join(desk.said)
    hosts = {json.loads((run.folder / "attempts.json").read_text())[0]["pid"] for run in runs}
    assert len(hosts) == 3
    name = f"--name={desk.status(runs[0])['job']}"
    assert len(desk.slurm.slurm("squeue", "--states=all", "-r", "-h", name).splitlines()) == 2


def test_the_time_limit_of_a_job_array_is_that_of_its_longest_task(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, max_tasks=2)
    runs = [
        desk.submit(replace(QUICK, seed=seed), queue="sweep", minutes=minutes)
        for seed, minutes in enumerate((5, 1, 5, 2))
    ]
    job = Job.of(get(), runs)
    assert (job.tasks, job.minutes) == (2, 10)
    assert [job.index(run.id) for run in runs] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("systems", "killed_at"),
    [
        pytest.param(24, KILLED_AT, marks=pytest.mark.long),
        pytest.param(1000, KILLED_AT, marks=[pytest.mark.long, pytest.mark.timeout(14400)]),
    ],
    ids=["24", "1000"],
)
def test_a_sweep_survives_killed_connections(
    described, home, cluster, tmp_path, record_property, systems, killed_at
):
    described(**ARRAY)
    figures = sweep(cluster, home, tmp_path / "data", systems, killed_at)
    print("\n" + aligned(table(figures)))
    for name, figure in figures.items():
        record_property(name, figure)
    assert len(Simulations.load(tmp_path / "data")) == systems
    for name in ("results", "different_systems", "workers_begun"):
        assert figures[name] == systems, name
    assert (figures["jobs"], figures["tasks"]) == (1, min(20, systems))
    assert figures["connections_killed"] == len(killed_at)
    assert figures["polls_per_minute"] < 60 / SHORTEST_FOR_SWEEPS + 3
    assert figures["keeper_peak_mb"] < 200 and figures["login_node_peak_mb"] < 100


# --- the command line -----------------------------------------------------------------------


def test_a_refused_command_prints_one_line_and_exits_with_status_one(described, tmp_path, capfd):
    described(partition="nowhere")
    words = ["simulate", "--cluster", "--duration-ns", "0.001", "-o", str(tmp_path / "out")]
    assert main(words) == 1
    said = capfd.readouterr().err.strip()
    assert "the job was rejected" in said and "nvalid partition" in said and "\n" not in said


def test_check_reports_each_passing_step(described, capfd):
    assert main(["cluster", "check"]) == 0
    said = capfd.readouterr().out
    for words in ("the host answers", "the login works", "Slurm responds", "the worker starts"):
        assert f"yes  {words}" in said
    assert "test is ready" in said


@pytest.mark.parametrize(
    ("changes", "works", "advice"),
    [
        ({"host": "127.0.0.1", "port": 1}, "the entry is valid", "check the host name"),
        ({"known_hosts": "/nowhere"}, "the host answers", "nanoconf cluster trust test"),
        ({"user": "nobody"}, "its host key is known", "authorized_keys"),
        ({"python": "/no/python"}, "the login works", "set python"),
        ({"work_dir": "/proc/work"}, "the login works", "work_dir"),
        ({"setup": ["PATH=/nowhere"]}, "the work folder is writable", "setup"),
        ({"partition": "nowhere"}, "Slurm responds", "set partition to one of debug"),
    ],
)
def test_check_gives_advice_on_the_first_failing_step(described, capfd, changes, works, advice):
    described(**changes)
    assert main(["cluster", "check"]) == 1
    out, err = capfd.readouterr()
    assert f"yes  {works}" in out or changes.get("work_dir") or changes.get("setup")
    (said,) = [line for line in err.splitlines() if not line.startswith("...  ")]
    assert said.startswith("NO   ") and advice in said


def test_a_host_is_trusted_only_after_confirmation(described, tmp_path, monkeypatch, capfd):
    known = tmp_path / "known" / "hosts"
    described(known_hosts=str(known))
    monkeypatch.setattr("builtins.input", lambda: "no")
    assert main(["cluster", "trust"]) == 1
    shown = re.search(r"SHA256:\S+", capfd.readouterr().out)[0]
    assert not known.exists()
    assert main(["cluster", "trust", "--fingerprint", "SHA256:another"]) == 1
    assert main(["cluster", "trust", "--fingerprint", shown]) == 0
    assert main(["cluster", "trust"]) == 0
    assert "is already known" in capfd.readouterr().out
    assert main(["cluster", "check"]) == 0


def test_a_changed_key_is_not_trusted(described, cluster, capfd):
    cluster.new_host_key()
    before = cluster.known_hosts.read_text()
    assert main(["cluster", "trust"]) == 1
    assert "ssh-keygen -R" in capfd.readouterr().err
    assert cluster.known_hosts.read_text() == before


def test_the_worker_is_installed_on_a_bare_cluster(described, cluster, capfd):
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


# --- the other engine -----------------------------------------------------------------------


def test_lammps_runs_on_several_ranks(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch, cores=2)
    system = SlitSystem()  # has enough ions for two ranks
    run = desk.submit(replace(LONG, engine="lammps"), system, cores=2, minutes=30)
    desk.until(lambda: run.finished or len(ranks(cluster)) == 2, "LAMMPS to run")
    assert not run.finished, run.reason
    job = cluster.job(desk.status(run)["job_id"])
    assert job["NumTasks"] == "2" and job["NumCPUs"] == "2"
    run.cancel()
    assert desk.finish(run) == RunState.CANCELLED
    desk.until(lambda: not ranks(cluster), "the ranks to end")


@pytest.mark.long
def test_the_result_of_lammps_is_fetched(home, cluster, monkeypatch):
    desk = Desk(home, cluster, monkeypatch)
    run = desk.submit(replace(QUICK, engine="lammps"), cores=1, minutes=30)
    assert desk.finish(run) == RunState.DONE, run.reason
    assert run.result().summary.versions["lammps"]


def ranks(cluster):
    """Processes of LAMMPS itself in the cluster's jobs: no launcher, no script that starts it."""
    found = []
    for process in cluster.processes():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if "-nocite" in words and Path(words[0]).name == "lmp":
                found.append(process)
    return found
