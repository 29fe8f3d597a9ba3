"""What a cluster answers is checked strictly; a refused answer changes nothing, here or there.

A stand-in for a login node answers with the messages of a broken or hostile cluster, or with those
of the real agent.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from backend.cluster import wire
from backend.cluster.config import VARIABLE, get
from backend.cluster.here import endings, install, poll, replies, submit
from backend.cluster.here.agent_client import AgentClient
from backend.cluster.here.dispatch_state import State
from backend.cluster.here.install import Site
from backend.cluster.here.jobs import Job
from backend.cluster.here.remote_run import RemoteRun
from backend.cluster.node.agent import Agent
from backend.cluster.problems import REFUSED, ClusterProblem
from backend.cluster.ssh import connection
from backend.cluster.ssh.connection import Answer
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from tests.support.homes import QUICK, SYSTEM

NAME, JOB, OWNER = "test", "nanoconf-0000000000000000", "sha256:f00d"

STORED = Path(__file__).parents[2] / "fixtures/home/runs/50f6ed1c2bb5e4a173edb3d052d0acd2"
"""Run that has been fetched from a cluster."""

OURS = {"run.json", "cluster.json"}
"""Files of a run on a cluster before anything has been fetched."""


class Node:
    """A login node: the agent's real replies, unless `hostile` makes another message of them."""

    open = True

    def __init__(self, work: Path):
        self.agent = Agent(work)
        self.requests: list[str] = []
        self.last: dict[str, Any] = {}
        self.hostile: dict[str, Callable[[Any], bytes]] = {}

    def run(self, _command: str, data: bytes, task: str = "") -> Answer:
        request = wire.unpack(data)
        action = request["do"]
        self.requests.append(action)
        self.last = request
        reply = self._reply(request)
        message = self.hostile.get(action, lambda own: wire.pack({"reply": own}))(reply)
        return Answer(0, message, b"")

    def _reply(self, request: dict[str, Any]) -> Any:
        if request["do"] == "poll":  # as if Slurm had completed the job
            return {
                "numbers": dict.fromkeys(request["jobs"], 7),
                "tasks": {job: [] for job in request["jobs"]},
                "ended": {job: {} for job in request["jobs"]},
                "runs": {run_id: {"over": True} for run_id in request["runs"]},
            }
        if request["do"] == "submit":
            return {"job_id": 7}
        return self.agent.answer(request)

    def close(self) -> None:
        """End nothing."""


class Place:
    """A home with a run on that node, which has finished there."""

    def __init__(self, home: Path, work: Path, runs: int = 1):
        self.archive = Archive(home)
        self.node = Node(work)
        self.said: list[str] = []
        config = Path(home / "clusters.toml")
        self.state = State(self.archive, NAME, config, self.said.append)
        self.agent = AgentClient(get(NAME, config))
        self.agent.connection = self.node  # type: ignore[assignment]
        self.agent._site = Site("python", "", str(work))
        self.state.agent = self.agent
        self.runs = [self._submit(config) for _ in range(runs)]
        ids = [run.id for run in self.runs]
        self.job = Job(JOB, NAME, str(config), ids, 1, 1, 5, asked=True, job_id=7)
        self.state.jobs[JOB] = self.job
        for run in self.runs:
            self.state.runs[run.id] = RemoteRun(run, job=JOB)
            shutil.copytree(STORED, work / "runs" / run.id)
        self.run = self.runs[0]

    def _submit(self, config: Path):
        resources = {"config": str(config), "cores": 1, "minutes": 5}
        return self.archive.submit(
            SYSTEM, QUICK, owner=OWNER, where=NAME, cluster=resources, reuse=False
        )

    @property
    def note(self) -> str:
        return self.run.cluster_status().get("note", "")

    def poll(self) -> None:
        poll.poll(self.state)


@pytest.fixture
def make_place(home, tmp_path, monkeypatch):
    home.mkdir()
    entry = 'host = "login.example.org"\nwork_dir = "work"\nmax_walltime_minutes = 60\n'
    (home / "clusters.toml").write_text(f"[clusters.{NAME}]\n{entry}")
    monkeypatch.setenv(VARIABLE, str(home / "clusters.toml"))
    return lambda runs=1: Place(home, tmp_path / "work", runs)


def message(body: bytes) -> bytes:
    """Return a message whose body is not made by `wire.pack`."""
    return b"NANOCONF %d %s\n" % (len(body), hashlib.sha256(body).hexdigest().encode()) + body


def packed(text: str | bytes) -> bytes:
    return message(zlib.compress(text.encode() if isinstance(text, str) else text, 9))


# --- files of a finished run ----------------------------------------------------------------


def files(**changes: bytes | None) -> Callable[[Any], bytes]:
    """Change the files of each run in a reply; a file is removed if its content is None."""

    def hostile(reply: dict[str, dict[str, str]]) -> bytes:
        for own in reply.values():
            for name, content in changes.items():
                own.pop(name, None)
                if content is not None:
                    own[name] = wire.as_text(content)
        return wire.pack({"reply": reply})

    return hostile


def bomb() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("residuals_M.npy", bytes(100_000_000))
    return buffer.getvalue()


def not_encoded(reply: dict[str, dict[str, str]]) -> bytes:
    for own in reply.values():
        own["blocks.npz"] = "no base64"
    return wire.pack({"reply": reply})


HOSTILE_FILES: dict[str, Callable[[Any], bytes]] = {
    **{
        name: files(**{name: b"{}"})
        for name in (
            *("run.json", "name", "cancel", "finish", "urgent", "worker.lock", "cluster.json"),
            *("../name", "/tmp/name", "checkpoint/0.npz", ".hidden", "", "core.123", "\x1b[2J"),
        )
    },
    "a damaged result": files(**{"result.json": b'{"summary": {"simulated_ns": NaN}}'}),
    "no result": files(**{"result.json": None}),
    "no profile": files(**{"positive_density.csv": None}),
    "a damaged profile": files(**{"positive_density.csv": b"z_nm,density_M,error_M\n1,nan,0\n"}),
    "a giant profile": files(**{"negative_density.csv": b"1,1,1\n" * 200_000}),
    "truncated blocks": files(**{"blocks.npz": b"PK\x03\x04"}),
    "blocks that unpack to 100 MB": files(**{"blocks.npz": bomb()}),
    "a failure without a reason": files(
        **{"result.json": None, "failure.json": b'{"state": "failed"}'}
    ),
    "files that are not encoded": not_encoded,
}

HOSTILE_REPLIES: dict[str, Callable[[Any], bytes]] = {
    "unpacks to 200 MB": lambda _: packed(b'{"reply": "' + b"0" * 200_000_000 + b'"}'),
    "many values": lambda _: packed(b'{"reply": [' + b"[]," * 1_500_000 + b"[]]}"),
    "nested": lambda _: packed("[" * 100_000),
    "not compressed": lambda _: message(b"{}"),
    "incompletely compressed": lambda _: message(zlib.compress(b"{}" * 1000)[:-8]),
    "not JSON": lambda _: packed("{"),
    "not UTF-8": lambda _: packed(b'{"reply": "\xff"}'),
    "a list": lambda _: wire.pack([]),
    "no reply": lambda _: wire.pack({}),
    "an unknown key": lambda own: wire.pack({"reply": own, "more": 1}),
    "a reply and a problem": lambda own: wire.pack(
        {"reply": own, "problem": {"name": "lost", "line": ""}}
    ),
    "a problem without a name": lambda _: wire.pack({"problem": {"line": ""}}),
    "no runs": lambda _: wire.pack({"reply": {}}),
    "a list of runs": lambda _: wire.pack({"reply": []}),
    "another run": lambda own: wire.pack({"reply": {**own, "0" * 32: {}}}),
    "files that are numbers": lambda own: wire.pack({"reply": {name: {"name": 5} for name in own}}),
}


@pytest.mark.parametrize("kind", [*HOSTILE_FILES, *HOSTILE_REPLIES])
def test_a_refused_result_changes_nothing_and_stays_retrievable(make_place, kind):
    place = make_place()
    run, before = place.run, (place.run.folder / "run.json").read_bytes()
    place.node.hostile["fetch"] = {**HOSTILE_FILES, **HOSTILE_REPLIES}[kind]
    for _ in range(2):
        place.poll()
    assert not run.finished
    assert {path.name for path in run.folder.iterdir()} == OURS
    assert (run.folder / "run.json").read_bytes() == before
    assert "clear" not in place.node.requests
    assert "refused" in place.note and "administrators" in place.note
    (line,) = place.said  # once, although it is refused twice
    assert line.isprintable() and line == f"{run.id}: {place.note}"
    del place.node.hostile["fetch"]
    place.poll()
    assert run.state == RunState.DONE and run.has_intact_result()
    assert place.note == "" and not (place.node.agent.runs / run.id).exists()


def test_a_refused_run_does_not_hold_up_the_others(make_place):
    place = make_place(runs=3)
    place.node.hostile["fetch"] = lambda own: wire.pack(
        {"reply": own if place.run.id not in own else {}}
    )
    place.poll()
    assert [run.state for run in place.runs[1:]] == [RunState.DONE] * 2
    assert not place.run.finished and "refused" in place.note


def test_a_refused_run_can_be_given_up(make_place):
    place = make_place()
    place.node.hostile["fetch"] = HOSTILE_FILES["run.json"]
    place.poll()
    assert "cancel the run" in place.note
    place.run.cancel()
    place.poll()
    assert place.run.state == RunState.CANCELLED


def test_files_that_a_result_does_not_need_are_left_out_if_they_are_damaged(make_place):
    place = make_place()
    place.node.hostile["fetch"] = files(**{"attempts.json": b"[5]", "progress.json": b"{"})
    place.poll()
    assert place.run.state == RunState.DONE and place.run.has_intact_result()
    assert place.run.attempts() == []


def test_the_agent_sends_only_what_the_worker_has_written(make_place):
    place = make_place()
    folder = place.node.agent.runs / place.run.id
    for name in ("core.123", "name", "cancel", ".nfs0"):
        (folder / name).write_text("x")
    (folder / "worker.log").write_text("first\n" + "line\n" * 400_000)
    (sent,) = place.node.agent.fetch([place.run.id]).values()
    assert set(sent) == {path.name for path in STORED.iterdir()} - {
        *("run.json", "worker.lock", "cluster.json")
    }
    assert len(wire.as_bytes(sent["worker.log"])) == 1_000_000
    place.poll()
    assert place.run.state == RunState.DONE


# --- other answers --------------------------------------------------------------------------

RUN_ID = "0" * 32
PROGRESS = {"phase": "sampling", "fraction": 0.5, "updated": "2026-01-01"}
REPORT = {"over": False, "progress": PROGRESS, "log": "", "partial": {}}
TASK = {"task": "", "state": "RUNNING", "reason": "None", "exit_code": "0:0"}
POLLED = {
    "numbers": {JOB: 7},
    "tasks": {JOB: [TASK]},
    "ended": {JOB: {"0": "time-limit"}},
    "runs": {RUN_ID: REPORT},
}
ASKED: dict[str, dict[str, Any]] = {"poll": {"jobs": {JOB: 7}, "runs": {RUN_ID: ""}}}
HELLO = {
    **{"version": "1", "python": "3", "host": "node", "work_dir": "/work", "slurm": "slurm 23"},
    "partitions": ["debug"],
}


def test_the_agents_own_answers_are_accepted():
    polled = replies.reply_to("poll", ASKED["poll"], {"reply": POLLED})
    assert polled["numbers"] == {JOB: 7} and polled["tasks"] == {JOB: [TASK]}
    assert polled["runs"][RUN_ID]["progress"]["fraction"] == 0.5
    assert replies.reply_to("hello", {}, {"reply": HELLO}) == HELLO
    assert replies.reply_to("submit", {}, {"reply": {"job_id": 7}}) == {"job_id": 7}
    refused = {"refused": {"name": "slurm-refused", "line": "no"}}
    assert replies.reply_to("submit", {}, {"reply": refused}) == refused
    assert replies.reply_to("log", {}, {"reply": "a\nb"}) == "a\nb"
    assert replies.reply_to("cancel", {}, {"reply": None}) is None


@pytest.mark.parametrize("ranges", ["1", "0-3", "[0,1]", "[0-3%2]", "0-1,7"])
def test_a_task_is_found_in_slurms_ranges(ranges):
    reports = [{**TASK, "task": ranges}]
    reply = {**POLLED, "tasks": {JOB: reports}}
    found = replies.reply_to("poll", ASKED["poll"], {"reply": reply})
    assert endings.of_task(found["tasks"][JOB], 1) == reports[0]
    assert endings.of_task(found["tasks"][JOB], 5) == {}


def polled(**changes: Any) -> tuple[str, Any]:
    return "poll", {**POLLED, **changes}


def reported(**changes: Any) -> tuple[str, Any]:
    return polled(runs={RUN_ID: {**REPORT, **changes}})


def task(**changes: Any) -> tuple[str, Any]:
    return polled(tasks={JOB: [{**TASK, **changes}]})


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        ("poll", None),
        ("poll", {}),
        polled(more=1),
        polled(numbers={}),
        polled(numbers={JOB: 0}),
        polled(numbers={JOB: "7"}),
        polled(numbers={JOB: True}),
        polled(numbers={JOB: 10**30}),
        polled(numbers={JOB: 7, "another": 8}),
        polled(tasks={JOB: {}}),
        polled(ended={JOB: {"0": 5}}),
        polled(ended={JOB: {"0": "\x1b[2J"}}),
        polled(runs={}),
        polled(runs={"1" * 32: REPORT}),
        task(task="9" * 5000),
        task(task="²"),
        task(state="\x1b[2J"),
        task(reason=None),
        task(exit_code="x"),
        task(more="x"),
        reported(over="yes"),
        reported(more=1),
        reported(progress={}),
        reported(progress=[]),
        reported(progress={**PROGRESS, "fraction": 7}),
        reported(progress={**PROGRESS, "phase": "\x1b[2J"}),
        reported(progress={"phase": "sampling", "fraction": 0.5}),
        reported(log=5),
        reported(partial={"../../name": ""}),
        reported(partial={"run.json": ""}),
        reported(partial={"positive_density.csv": "no base64"}),
        ("submit", {}),
        ("submit", {"job_id": "7"}),
        ("submit", {"job_id": -1}),
        ("submit", {"job_id": 7, "refused": {"name": "", "line": ""}}),
        ("submit", {"refused": "no"}),
        ("hello", {**HELLO, "partitions": "debug"}),
        ("hello", {**HELLO, "partitions": ["\x1b[2J"]}),
        ("hello", {**HELLO, "work_dir": None}),
        ("log", ["x"]),
        ("cancel", {}),
        ("clear", 5),
    ],
)
def test_an_answer_with_unexpected_types_ranges_or_keys_is_refused(action, reply):
    with pytest.raises(ClusterProblem) as refused:
        replies.reply_to(action, ASKED.get(action, {}), {"reply": reply})
    assert refused.value.name == REFUSED
    assert str(refused.value).isprintable() and len(str(refused.value)) < 700


def test_a_problem_that_the_agent_reports_is_one_line_with_a_known_name():
    reported = {"problem": {"name": "\x1b[2J", "line": "\x1b[2Ja\nb"}}
    with pytest.raises(ClusterProblem, match="a b") as problem:
        replies.reply_to("hello", {}, reported)
    assert problem.value.name == "unexpected" and str(problem.value).isprintable()


def test_damaged_partial_profiles_are_left_out(make_place):
    good = (STORED / "positive_density.csv").read_bytes()
    partial = {
        "positive_density.csv": wire.as_text(good),
        "negative_density.csv": wire.as_text(b"nan"),
    }
    _, reply = reported(partial=partial)
    found = replies.reply_to("poll", ASKED["poll"], {"reply": reply})["runs"][RUN_ID]
    assert found["partial"] == {"positive_density.csv": good}


def test_a_cluster_does_not_learn_who_submitted_a_run(make_place):
    place = make_place()
    place.job.job_id, place.job.asked = None, False
    assert place.run.request["owner"] == OWNER
    submit.submit_jobs(place.state, get(NAME))
    (request,) = place.node.last["requests"]
    assert request == {name: each for name, each in place.run.request.items() if name != "owner"}


def test_a_job_may_exist_after_a_refused_answer_to_its_submission(make_place):
    place = make_place()
    place.job.job_id, place.job.asked = None, False
    place.node.hostile["submit"] = lambda _: wire.pack({"reply": {"job_id": "7"}})
    submit.submit_jobs(place.state, get(NAME))
    assert not place.run.finished and "refused" in place.note
    assert place.state.jobs == {JOB: place.job} and place.job.asked
    del place.node.hostile["submit"]
    submit.submit_jobs(place.state, get(NAME))
    assert place.job.job_id == 7 and place.note == ""


def test_endless_output_is_refused():
    chunks = itertools.repeat(bytes(1 << 15))
    with pytest.raises(ClusterProblem, match="longer than") as refused:
        connection._received([], chunks, 10_000_000)
    assert refused.value.name == REFUSED


FOUND = {
    "python": "/usr/bin/python3",
    "version": [3, 12],
    "machine": "x86_64",
    "glibc": "2.34",
    "missing": ["numba"],
    "work_dir": "/cluster/me/work",
    "there": [],
    "package": "",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"python": "python"},
        {"python": "/usr/bin/python\nrm"},
        {"work_dir": 5},
        {"work_dir": "relative"},
        {"machine": "../x"},
        {"glibc": "2"},
        {"glibc": "two"},
        {"version": ["3", "12"]},
        {"version": [3]},
        {"missing": ["os"]},
        {"there": "all"},
        {"more": 1},
    ],
)
def test_a_malformed_description_of_the_cluster_is_refused(changes):
    assert install._found(json.dumps(FOUND).encode()) == FOUND
    with pytest.raises(ClusterProblem) as refused:
        install._found(json.dumps(FOUND | changes).encode())
    assert refused.value.name == REFUSED
