"""Runs on a cluster, against a real Slurm and a real SSH server."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backend.cluster.jobs import Job
from backend.md import engine
from backend.run import CANCELLED, DONE, FAILED, QUEUED
from nanoconf.clusters import status_in_words
from tests.desk import Desk
from tests.homes import LONG, QUICK, STEADY, SYSTEM, UNSTABLE


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
    from backend.cluster.config import get

    job = Job.of(get(), runs)
    assert (job.tasks, job.minutes) == (2, 10)
    assert [job.index(run.id) for run in runs] == [0, 1, 0, 1]
