"""Runs through ``submit``, against the stand-in of `tests.support.submit_stand_in`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.cluster import config
from backend.cluster.check import steps
from backend.cluster.config import VARIABLE, get
from backend.cluster.here.dispatcher import Dispatcher
from backend.cluster.node import folders
from backend.cluster.problems import ClusterProblem
from backend.cluster.resources import resources
from backend.cluster.submit import agent, command, job_folder, parcel, reports, returned
from backend.cluster.submit.job_folder import ATTACH, JobFolder
from backend.files import write_json
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from backend.system import InvalidInput
from backend.untrusted import Damaged
from nanoconf.cli.main import main
from tests.support.desk import setup
from tests.support.homes import LONG, PATIENCE, QUICK, SYSTEM, kill, until
from tests.support.hub import NAME, Hub, write_config

RUN, OTHER = "a" * 32, "b" * 32


class Desk:
    """A home whose runs go through the hub, step by step.

    Parameters
    ----------
    home : Path
    hub : Hub
    monkeypatch : MonkeyPatch
    **changes
        Keys of the entry to have otherwise.
    """

    def __init__(self, home: Path, hub: Hub, monkeypatch: Any, **changes: Any):
        home.mkdir(exist_ok=True)
        self.hub, self.archive = hub, Archive(home)
        self.config = write_config(home / "clusters.toml", **changes)
        monkeypatch.setenv(VARIABLE, str(self.config))
        self.said: list[str] = []
        self.restart()

    def restart(self) -> None:
        """Replace the dispatcher, as after a keeper was killed."""
        self.dispatcher = Dispatcher(self.archive, NAME, self.config, self.said.append)
        for run in self.archive.runs():
            if not run.finished:
                self.dispatcher.add(run)

    def submit(self, settings: RunSettings = QUICK, queue: str = "interactive") -> Run:
        """Ask for a run on the hub."""
        asked = resources(get(NAME), SYSTEM, settings)
        run = self.archive.submit(SYSTEM, settings, where=NAME, cluster=asked, queue=queue)
        self.dispatcher.add(run)
        return run

    def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Let the dispatcher work until a condition holds."""

        def so() -> object:
            self.dispatcher.step()
            met = condition()
            time.sleep(0 if met else 0.1)
            return met

        until(so, what or "; ".join(self.said[-3:]))

    def folder(self, run: Run) -> JobFolder:
        """Return the folder of a run's job."""
        return JobFolder(self.archive.home / "submit" / "jobs" / run.cluster_status()["job"])


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The stand-in on PATH; the pauses of the agent are short."""
    hub = Hub(tmp_path / "hub", monkeypatch)
    monkeypatch.setattr(agent, "AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(agent, "FILES_SECONDS", 0.2)
    monkeypatch.setattr(job_folder, "SURE_SECONDS", 0.2)
    yield hub
    hub.close()


@pytest.fixture
def make_desk(home, hub, monkeypatch):
    return lambda **changes: Desk(home, hub, monkeypatch, **changes)


def program(path: Path, text: str) -> str:
    """Write a program that takes the place of Python at the venue; return its path."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


# --- the entry ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        ("submit = true\nhost = 'x'", "host = 'x': does not apply with submit = true: remove it"),
        ("submit = true\nmax_running = 3", "max_running = 3: does not apply with submit"),
        ("submit = 1", "must be true or false"),
        ("submit = true\nvenues = 'x'", "venues = 'x': is unknown; known keys: host, port"),
        ("host = 'x'\nvenue = 'y'", "venue = 'y': applies only with submit = true: add it"),
        ("cores = 2", "must name the login node (or set submit = true on nanoHUB)"),
    ],
)
def test_keys_that_do_not_apply_are_refused_by_name(tmp_path, monkeypatch, lines, refusal):
    path = tmp_path / "clusters.toml"
    path.write_text(f"[clusters.one]\n{lines}\n")
    with pytest.raises(InvalidInput) as refused:
        config.load(path)
    assert refusal in str(refused.value)


def test_a_hub_without_a_file_is_a_cluster(tmp_path, monkeypatch, hub):
    path = tmp_path / "clusters.toml"
    monkeypatch.delenv(VARIABLE, raising=False)
    assert list(config.load(path)) == ["nanohub"] and config.get("", path).submit
    path.write_text("[clusters.one]\nhost = 'x'\n")
    assert list(config.load(path)) == ["one"]
    path.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert config.load(path) == {}


def test_a_hub_can_be_checked_and_listed_and_needs_no_login(hub, tmp_path, monkeypatch, capsys):
    path = write_config(tmp_path / "clusters.toml", venue="debug")
    monkeypatch.setenv(VARIABLE, str(path))
    assert main(["cluster", "check"]) == 0
    assert "yes  venues: standby@brown, debug" in capsys.readouterr().out
    assert main(["cluster", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [NAME, "submit", "debug"]
    for verb in ("trust", "login"):
        assert main(["cluster", verb]) == 2
        assert "this one uses submit and needs no login" in capsys.readouterr().err
    write_config(path, venue="elsewhere")
    with pytest.raises(ClusterProblem, match="set venue to one of standby@brown, debug"):
        list(steps(get()))


# --- what submit prints ---------------------------------------------------------------------


def test_the_output_of_submit_is_parsed():
    table = """\
    RunName      ID  Instance  Status   Location
    nanoconf1f   12         1  Running  standby@brown
    other        13         0  Queued
    puzzling line of four words
    """
    rows = command.table(table)
    assert [(row.name, row.number, row.state) for row in rows] == [
        ("nanoconf1f", 12, "RUNNING"),
        ("other", 13, "PENDING"),
    ]
    assert command.number_in("Check run status with the command: submit --status 4711\n") == 4711
    assert command.number_in("attach with: submit --attach 4711") == 4711
    assert command.number_in("no venue") is None and command.number_in("submit --status 0") is None
    assert command.run_name("nanoconf-1f") == "nanoconf1f"
    line = b"=SUBMIT-PROGRESS=> aborted=%d finished=0 failed=0 executing=%d waiting=0 setup=0\n"
    assert command.state_in(line % (0, 0)) == "PENDING"
    assert command.state_in(line % (0, 0) + line % (0, 1)) == "RUNNING"
    assert command.state_in(line % (1, 0)) == "CANCELLED" and command.state_in(b"-") is None


def test_reports_survive_repetition_and_pieces_of_any_size():
    noise = random.Random(1)
    sent = [{"run": RUN, "log": noise.randbytes(size).hex()} for size in (10, 2000, 5000)]
    text = ""
    for report in sent:
        lines = reports.lines(report)
        text += "step 5 of 9\n" + "\n".join([*lines, *lines]) + "\n"
    data, found, collector = text.encode(), [], reports.Collector()
    while data:
        size = noise.randrange(1, 700)
        found += collector.feed(data[:size])
        data = data[size:]
    assert [report for i, report in enumerate(found) if report not in found[:i]] == sent


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines[1:]],
        lambda lines: [line.replace("0/", "9999/") for line in lines],
        lambda lines: [line[:-3] + "AAA" for line in lines],
        lambda lines: reports.lines({"run": "x" * 5_000_000}),  # small when packed
        lambda lines: ["NANOCONF-REPORT " + "x" * 10_000],
    ],
)
def test_damaged_reports_are_ignored(spoil):
    lines = reports.lines({"run": RUN, "log": random.Random(1).randbytes(1500).hex()})
    text = "\n".join([*spoil(lines), ""]).encode()
    assert list(reports.Collector().feed(text)) == []


# --- what comes back ------------------------------------------------------------------------


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        for name, data in files.items():
            content.writestr(name, data)
    return path


def test_results_and_checkpoints_are_unpacked(tmp_path):
    files = {
        f"runs/{RUN}/progress.json": b"{}",
        f"runs/{RUN}/checkpoint/0.npz": b"12",
        f"runs/{OTHER}/progress.json": b"{}",
        "ended.json": b'{"why": "time-limit"}',
    }
    (tmp_path / RUN).mkdir()
    path = packed(tmp_path / "results.zip", files)
    assert returned.unpack(path, tmp_path, [RUN], [RUN, OTHER]) == "time-limit"
    assert (tmp_path / RUN / "checkpoint" / "0.npz").read_bytes() == b"12"
    assert not (tmp_path / OTHER).exists()


@pytest.mark.parametrize(
    "files",
    [
        {"runs/../evil": b""},
        {f"runs/{RUN}/../../evil": b""},
        {f"/runs/{RUN}/result.json": b""},
        {f"runs/{RUN}/run.json": b"{}"},
        {f"runs/{RUN}/cancel": b""},
        {f"runs/{RUN}/checkpoint/run.json": b""},
        {f"runs/{'c' * 32}/progress.json": b"{}"},
        {f"runs/{RUN}/failure.json": bytes(60_000_000)},
        {"ended.json": b"[" * 100_000},
    ],
    ids=lambda files: next(iter(files)).replace(RUN, "RUN"),
)
def test_a_zip_file_with_other_files_is_refused_as_a_whole(tmp_path, files):
    (tmp_path / RUN).mkdir()
    path = packed(tmp_path / "results.zip", {f"runs/{RUN}/progress.json": b"{}", **files})
    with pytest.raises(Damaged):
        returned.unpack(path, tmp_path, [RUN], [RUN, OTHER])
    assert sorted(tmp_path.rglob("*")) == [tmp_path / RUN, path]


def test_a_file_cut_short_or_with_wrong_sizes_is_refused(tmp_path):
    (tmp_path / RUN).mkdir()
    path = packed(tmp_path / "results.zip", {f"runs/{RUN}/worker.log": bytes(100_000)})
    whole = path.read_bytes()
    size = (100_000).to_bytes(4, "little")
    for content in (whole[: len(whole) // 2], whole.replace(size, b"\x05\0\0\0"), b"", b"no zip"):
        path.write_bytes(content)
        with pytest.raises(Damaged):
            returned.unpack(path, tmp_path, [RUN], [RUN])


def test_a_report_on_another_folder_is_ignored(tmp_path):
    work = tmp_path / "home" / "submit"
    follower = agent.SubmitAgent(work, config.Cluster(NAME, submit=True))
    ours, inside = (
        archive.submit(SYSTEM, QUICK) for archive in (Archive(tmp_path / "home"), Archive(work))
    )
    folder = JobFolder(work / "jobs" / "job")
    folder.home.mkdir(parents=True)
    write_json(folder.path / "job.json", {"runs": [inside.id]})
    progress = {"phase": "sampling", "fraction": 0.5, "updated": "now"}
    outside = (f"../../runs/{ours.id}", str(ours.folder), ours.id, [ours.id], None)
    text = [reports.lines({"run": each, "progress": progress}) for each in (*outside, inside.id)]
    (folder.path / "attach.out").write_text("".join(f"{line}\n" for each in text for line in each))
    follower._read_output(folder, agent.Followed())
    assert inside.progress().fraction == 0.5 and ours.progress() is None


# --- runs -----------------------------------------------------------------------------------


def test_a_refused_job_fails_with_the_message_from_submit_and_leaves_nothing_behind(make_desk, hub):
    desk = make_desk(venue="elsewhere")
    run = desk.submit()
    desk.until(lambda: run.finished)
    assert run.error == "submit-refused" and "submit: Invalid venue: elsewhere" in run.reason
    assert not list((desk.archive.home / "submit").glob("*/*"))
    assert not list((desk.archive.home / "jobs").glob("*")) and hub.records() == []


def test_without_the_command_a_run_fails_with_advice(make_desk, monkeypatch):
    desk = make_desk()
    monkeypatch.setenv("PATH", os.defpath)
    run = desk.submit()
    desk.until(lambda: run.finished)
    assert run.error == "submit-missing" and "remove submit = true" in run.reason


def test_a_venue_without_the_packages_is_named(make_desk, tmp_path):
    bare = program(tmp_path / "bare", f'exec {sys.executable} -S "$@"')
    run = (desk := make_desk(python=bare)).submit()
    desk.until(lambda: run.finished)
    assert run.error == "python" and "lacks numba, numpy, scipy: set python or setup" in run.reason


def test_files_that_no_job_returns_are_refused(make_desk, tmp_path):
    lines = f'case "$*" in *venue*) echo evil >{returned.NAME};; esac'
    run = (desk := make_desk(python=program(tmp_path / "evil", lines))).submit()
    desk.until(lambda: run.finished)
    assert run.error == "answer-refused" and "is not a complete zip file" in run.reason
    assert set(os.listdir(run.folder)) <= {
        "run.json",
        "cluster.json",
        "failure.json",
        "worker.lock",
    }


def test_a_job_that_returns_nothing_fails_with_its_output(make_desk, tmp_path):
    broken = program(tmp_path / "broken", "echo the disk is on fire >&2; exit 1")
    run = (desk := make_desk(python=broken)).submit()
    desk.until(lambda: run.finished)
    assert run.error == "job-failed" and "submit job 1: FAILED, exit code 3:0" in run.reason
    assert "the venue has no Python 3.11, 3.12 or 3.13" in "\n".join(run.log_tail())


def sleeper(tmp_path: Path) -> str:
    """Return a program that takes the place of Python and never ends when it is to simulate."""
    return program(tmp_path / "sleeper", 'case "$*" in *venue*) exec sleep 600;; esac')


def test_a_submission_that_a_killed_keeper_began_is_found_again(
    make_desk, hub, tmp_path, monkeypatch
):
    """The answer of ``submit`` comes after the keeper that asked has been killed."""
    monkeypatch.setattr(agent, "ANSWER_SECONDS", 0.1)
    desk = make_desk(python=sleeper(tmp_path))
    hub.mute()
    run = desk.submit()
    desk.until(lambda: "has not accepted the job yet" in run.cluster_status().get("note", ""))
    desk.restart()
    desk.dispatcher.step()
    hub.mute(False)
    desk.until(lambda: run.cluster_status().get("job_id") == 1)
    assert len(hub.records()) == 1
    folder = desk.folder(run)
    for name in ("submitted.json", "submit.out", "submit.exit"):  # as if all had been lost
        (folder.path / name).unlink()
    (folder.path / "submit.out").touch()
    assert folder.submitted() == 1


def test_a_submission_that_was_killed_itself_is_repeated(make_desk, hub, tmp_path, monkeypatch):
    monkeypatch.setattr(agent, "ANSWER_SECONDS", 0.1)
    desk = make_desk(python=sleeper(tmp_path))
    hub.mute()
    run = desk.submit()
    desk.until(lambda: run.cluster_status().get("note"))
    kill(hub.processes("--detach"))
    hub.mute(False)
    desk.until(lambda: run.cluster_status().get("job_id"))
    assert len(hub.records()) == 1


def test_a_job_whose_connection_is_lost_is_followed_again(make_desk, hub, tmp_path):
    """The hub reports no output either: its table of runs tells that the job is running."""
    (hub.folder / "silent").touch()
    desk = make_desk(python=sleeper(tmp_path))
    run = desk.submit()
    desk.until(lambda: desk.folder(run).runs(ATTACH) if run.cluster_status().get("job_id") else 0)
    desk.until(lambda: run.state == RunState.RUNNING)
    kill(hub.processes("--attach"))
    until(lambda: not desk.folder(run).runs(ATTACH))
    desk.restart()
    desk.until(lambda: desk.folder(run).runs(ATTACH))
    run.cancel()
    desk.until(lambda: run.finished)
    assert run.state == RunState.CANCELLED and len(hub.records()) == 1
    until(lambda: hub.records()[0]["state"] == "aborted")


def test_a_silent_job_that_was_still_queued_when_asked_about_is_seen_to_run(
    make_desk, hub, tmp_path, monkeypatch
):
    """The table of runs is queried until it says that the job is running."""
    (hub.folder / "silent").touch()
    rows: list[command.Row | None] = []
    ask = command.status
    monkeypatch.setattr(command, "status", lambda number: rows.append(ask(number)) or rows[-1])
    desk = make_desk(python=sleeper(tmp_path))
    first = desk.submit(replace(QUICK, replicas=2))  # it takes both cores of the hub
    desk.until(lambda: first.state == RunState.RUNNING)
    second = desk.submit(replace(QUICK, seed=2))
    desk.until(lambda: any(row and (row.number, row.state) == (2, command.WAITING) for row in rows))
    first.cancel()
    desk.until(lambda: second.state == RunState.RUNNING)


def test_a_job_that_somebody_kills_ends_its_run_as_cancelled(make_desk, hub, tmp_path):
    run = (desk := make_desk(python=sleeper(tmp_path))).submit()
    desk.until(lambda: run.state == RunState.RUNNING)
    command.kill(1)
    desk.until(lambda: run.finished)
    assert run.state == RunState.CANCELLED and "submit job 1: CANCELLED" in run.reason


def test_a_sweep_is_divided_into_jobs(make_desk, hub, tmp_path, monkeypatch):
    monkeypatch.setattr("backend.cluster.here.gather.GATHER_SECONDS", 0.0)
    desk = make_desk(python=sleeper(tmp_path), max_tasks=2)
    settings = [RunSettings(duration_ns=0.001, seed=seed) for seed in (1, 2, 3)]
    runs = [desk.submit(each, queue="sweep") for each in settings]
    desk.until(lambda: len(hub.records()) == 2)
    assert sorted(len(desk.folder(run).described["runs"]) for run in runs) == [1, 2, 2]
    pair = next(run for run in runs if len(desk.folder(run).described["runs"]) == 2)
    pair.cancel()  # its job goes on with the other run
    desk.until(lambda: pair.finished)
    assert pair.state == RunState.CANCELLED
    assert {record["state"] for record in hub.records()} <= {"waiting", "executing"}


# --- at the venue ---------------------------------------------------------------------------


def at_venue(
    folder: Path,
    archive: Archive,
    minutes: float,
    settings: RunSettings = LONG,
    lines: Sequence[str] = (),
) -> tuple[Run, subprocess.Popen[bytes]]:
    """Pack a run, and start its job in a folder."""
    folder.mkdir()
    run = archive.submit(SYSTEM, settings)
    first = [*setup(), *lines]
    parcel.write(folder, [run.folder], "nanoconf-1", 1, sys.executable, first, minutes)
    with open(folder / "out", "wb") as out:
        return run, subprocess.Popen(["bash", parcel.SCRIPT], cwd=folder, stdout=out)


def came_home(folder: Path, runs: Path, run: Run) -> tuple[str, Run]:
    """Unpack what a job returns; return why it ended early, and the run."""
    assert sorted(os.listdir(folder)) == sorted(
        [parcel.SCRIPT, parcel.PARCEL, returned.NAME, "out"]
    )
    runs.mkdir()
    folders.make(runs / run.id, run.request, None)
    why = returned.unpack(folder / returned.NAME, runs, [run.id], [run.id])
    return why, Run(runs / run.id)


def test_a_job_that_is_told_to_end_returns_checkpoints(tmp_path, home):
    run, job = at_venue(tmp_path / "scratch", Archive(home), 60)

    def reported() -> list[dict[str, Any]]:
        return list(reports.Collector().feed((tmp_path / "scratch" / "out").read_bytes()))

    until(lambda: any("positive_density.csv" in report["partial"] for report in reported()))
    assert {report["run"] for report in reported()} == {run.id}
    job.terminate()
    assert job.wait(PATIENCE) == 0
    why, left = came_home(tmp_path / "scratch", tmp_path / "runs", run)
    assert why == "terminated" and list((left.folder / "checkpoint").glob("*.npz"))
    assert 0 < left.progress().fraction < 1
    assert [each["ended"] for each in left.attempts()] == ["interrupted"]


def test_a_job_stops_before_its_time_limit(tmp_path, home):
    run, job = at_venue(tmp_path / "scratch", Archive(home), 0.01)
    assert job.wait(PATIENCE) == 0
    why, left = came_home(tmp_path / "scratch", tmp_path / "runs", run)
    assert why == "time-limit" and not left.finished


@pytest.mark.long
def test_a_venue_without_this_package_uses_the_one_in_the_parcel(tmp_path, home):
    """The engine is compiled there."""
    (tmp_path / "other" / "backend").mkdir(parents=True)
    (tmp_path / "other" / "backend" / "__init__.py").touch()
    lines = [f"export PYTHONPATH={tmp_path}/other NUMBA_CACHE_DIR={tmp_path}/compiled"]
    run, job = at_venue(tmp_path / "scratch", Archive(home), 60, QUICK, lines)
    assert job.wait(PATIENCE) == 0
    why, left = came_home(tmp_path / "scratch", tmp_path / "runs", run)
    assert why == "" and left.state == RunState.DONE
