"""Strict checks of what a cluster answers, before anything is done with it.

A cluster is another computer, which may be broken or hostile. An answer with other types, ranges or
keys than the agent's is refused as a whole, with one line; the runs stay on the cluster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from backend.cluster import wire
from backend.cluster.problems import NAMES, REFUSED, ClusterProblem
from backend.runs import run_files
from backend.untrusted import Damaged, checked, one_line

LOG_CHARACTERS = 100_000
LINE_CHARACTERS = 2000
WORD_CHARACTERS = 500

TASKS = re.compile(r"(?!.*\d{11})[0-9,:%\[\]-]*", re.ASCII)
SLURM_STATE = re.compile(r"[A-Z_+]{0,40}")
EXIT_CODE = re.compile(r"[0-9:]{0,20}")

ADVICE = "its runs stay there: run nanoconf cluster check, or ask the cluster's administrators"


@dataclass(frozen=True)
class Problem:
    """Problem that the agent reports."""

    name: str
    line: str


@dataclass(frozen=True)
class Hello:
    """Reply to ``hello``."""

    version: str
    python: str
    host: str
    work_dir: str
    slurm: str
    partitions: list[str]


@dataclass(frozen=True)
class Submitted:
    """Reply to ``submit`` for a job that exists."""

    job_id: int


@dataclass(frozen=True)
class NotSubmitted:
    """Reply to ``submit`` for a job that certainly does not exist."""

    refused: Problem


@dataclass(frozen=True)
class TaskReport:
    """Slurm's report on a task."""

    task: str
    state: str
    reason: str
    exit_code: str


@dataclass(frozen=True)
class RunReport:
    """Status of a run on the cluster."""

    over: bool
    progress: dict[str, Any] | None = None
    log: str = ""
    partial: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Polled:
    """Reply to ``poll``."""

    numbers: dict[str, int]
    tasks: dict[str, list[TaskReport]]
    ended: dict[str, dict[str, str]]
    runs: dict[str, RunReport]


KINDS = {
    "hello": Hello,
    "submit": Submitted | NotSubmitted,
    "poll": Polled,
    "fetch": dict[str, dict[str, str]],
    "log": str,
    "cancel": None,
    "clear": None,
}
"""Type of the reply to each request."""


def refusal(problem: object) -> ClusterProblem:
    """Return the problem with an answer that was refused."""
    line = one_line(str(problem))[:WORD_CHARACTERS]
    return ClusterProblem(REFUSED, f"the cluster's response was refused ({line}); {ADVICE}")


def reply_to(action: str, arguments: dict[str, Any], message: Any) -> Any:
    """Return the reply in a message of the agent.

    Parameters
    ----------
    action : str
        The request.
    arguments : dict
        Its arguments.
    message : object
        The message, as JSON values.

    Raises
    ------
    ClusterProblem
        ``answer-refused``: it is not the reply of an agent to this request; or the agent reports a
        problem.
    """
    try:
        content = checked(dict[str, Any], message, "message")
        if set(content) == {"problem"}:
            raise _reported(checked(Problem, content["problem"], "problem"))
        if set(content) != {"reply"}:
            raise Damaged("is neither a reply nor a problem")
        reply = content["reply"]
        found = checked(KINDS[action], reply, action)
        if action == "submit":
            _check_submission(found)
        if action == "hello":
            _check_words(found.partitions, *(v for v in vars(found).values() if isinstance(v, str)))
        if action == "fetch":
            _check_fetched(found, arguments["runs"])
        if action == "log":
            return reply[-LOG_CHARACTERS:]
        return _polled(found, arguments) if action == "poll" else reply
    except Damaged as error:
        raise refusal(f"it {error}") from error


def _reported(problem: Problem) -> ClusterProblem:
    name = problem.name if problem.name in NAMES else "unexpected"
    return ClusterProblem(name, one_line(problem.line)[:LINE_CHARACTERS])


def _check_submission(found: Submitted | NotSubmitted) -> None:
    if isinstance(found, Submitted):
        _check_job_id(found.job_id)
    else:
        _check_words([], found.refused.name, found.refused.line)


def _check_job_id(number: int) -> None:
    if number < 1:
        raise Damaged(f"has an invalid Slurm job ID, {number}")


def _check_words(words: list[str], *others: str) -> None:
    """Check text that is shown on a terminal."""
    for word in (*words, *others):
        if len(word) > LINE_CHARACTERS or not word.replace("\n", " ").isprintable():
            raise Damaged("has text that is too long or not printable")


def _check_keys(found: dict[str, Any], asked: Any, name: str) -> None:
    if set(found) != set(asked):
        raise Damaged(f"has {name} other than those asked for")


def _check_fetched(found: dict[str, dict[str, str]], asked: list[str]) -> None:
    if not found or not set(found) <= set(asked):
        raise Damaged("has runs other than those asked for")


def _polled(found: Polled, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the reply to ``poll`` with only what is understood."""
    for part in (found.numbers, found.tasks, found.ended):
        _check_keys(part, arguments["jobs"], "jobs")
    _check_keys(found.runs, arguments["runs"], "runs")
    for number in found.numbers.values():
        _check_job_id(number)
    for reports in found.tasks.values():
        for each in reports:
            _check_task(each)
    for ended in found.ended.values():
        _check_words([], *ended, *ended.values())
    return {
        "numbers": found.numbers,
        "tasks": {job: [vars(each) for each in found.tasks[job]] for job in found.tasks},
        "ended": found.ended,
        "runs": {run_id: _report(each) for run_id, each in found.runs.items()},
    }


def _check_task(report: TaskReport) -> None:
    _check_words([], report.reason)
    patterns = ((report.task, TASKS), (report.state, SLURM_STATE), (report.exit_code, EXIT_CODE))
    if not all(pattern.fullmatch(text) for text, pattern in patterns):
        raise Damaged("has a task report that is not in Slurm's format")


def _report(report: RunReport) -> dict[str, Any]:
    """Return the status of a run; profiles so far that are damaged are left out."""
    if report.progress is None:
        return {"over": report.over}
    progress = run_files.checked_progress(report.progress)
    if not 0 < len(progress["updated"]) <= WORD_CHARACTERS:
        raise Damaged("has progress without a time")
    partial = {}
    for name, text in report.partial.items():
        if name not in run_files.PARTIAL:
            raise Damaged(f"has an unknown profile {one_line(name)[:80]!r}")
        content = _decoded(text, name)
        if not run_files.content_problem(name, content):
            partial[name] = content
    log = report.log[-LOG_CHARACTERS:]
    return {"over": report.over, "progress": progress, "log": log, "partial": partial}


def _decoded(text: str, name: str) -> bytes:
    try:
        return wire.as_bytes(text)
    except ValueError:
        raise Damaged(f"has {name} in an unknown encoding") from None


def result_files(files: dict[str, str]) -> dict[str, bytes]:
    """Return the files of a finished run that may be stored here, by name.

    Damaged files that a result does not need are left out.

    Raises
    ------
    Damaged
        A file is not one that a worker writes, or the result is damaged or missing.
    """
    accepted = {}
    for name, text in files.items():
        if name not in run_files.FROM_WORKER:
            raise Damaged(f"{one_line(name)[:80]!r} is not a result file")
        content = _decoded(text, name)
        problem = run_files.content_problem(name, content)
        if not problem:
            accepted[name] = content
        elif name in (*run_files.RESULT, "failure.json"):
            raise Damaged(f"{name} {problem}")
    if "result.json" in accepted:
        missing = [name for name in run_files.PROFILES if name not in accepted]
        if missing:
            raise Damaged(f"{missing[0]} is missing")
    elif "failure.json" not in accepted:
        raise Damaged("result.json is missing")
    return accepted
