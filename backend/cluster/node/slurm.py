"""Slurm's commands, called by the agent on the cluster without a shell."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from backend.cluster.problems import ClusterProblem

ANSWER_SECONDS = 45.0
"""Timeout of a command (s); Slurm itself may wait ten seconds several times."""

SILENT = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "zero bytes were transmitted",
    "transport endpoint is not connected",
    "communication connection failure",
    "slurm backup controller in standby",
    "resource temporarily unavailable",
)
"""Error messages of an unanswered command, which the controller may still have received."""

UNKNOWN = "invalid job id"

TASK = re.compile(r"JobId=\d+ ArrayJobId=\d+ ArrayTaskId=([^\s%]*)")
STATE = re.compile(r"JobState=(\w+) Reason=(\S+) Dependency=")
EXIT_CODE = re.compile(r"ExitCode=(\d+:\d+)")
"""Fields of a job that Slurm writes itself. The account and folder names are set by the user
and may contain line breaks and text that looks like a field."""


def call(*command: str, folder: Path | None = None) -> str:
    """Return the output of one of Slurm's commands.

    Raises
    ------
    ClusterProblem
        ``slurm-missing``: there is no such command; ``slurm-silent``: the controller does not
        answer, and may still carry out the command; ``slurm-refused``: Slurm rejects it.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            cwd=folder,
        )
    except FileNotFoundError:
        advice = "load its module in the cluster's setup lines"
        raise ClusterProblem("slurm-missing", f"{command[0]} was not found: {advice}") from None
    except subprocess.TimeoutExpired:
        raise ClusterProblem("slurm-silent", f"{command[0]} is not responding") from None
    if done.returncode == 0:
        return done.stdout
    said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
    # the controller may have received a command that was killed
    silent = done.returncode < 0 or any(words in said.lower() for words in SILENT)
    name = "slurm-silent" if silent else "slurm-refused"
    raise ClusterProblem(name, said or f"{command[0]} exited with status {done.returncode}")


def version() -> str:
    """Return Slurm's version; the controller must answer."""
    call("scontrol", "ping")
    return call("sinfo", "--version").strip()


def partitions() -> list[str]:
    """Return the names of all partitions."""
    return call("sinfo", "--noheader", "--format=%R").split()


def submit(options: Sequence[str], folder: Path, script: str) -> int:
    """Submit a script in a folder; return the job's id."""
    answer = call("sbatch", "--parsable", *options, script, folder=folder)
    found = re.match(r"\s*(\d+)", answer)
    if not found:  # the job was accepted, and its id can be found by its name
        raise ClusterProblem("slurm-silent", f"unexpected output from sbatch: {answer.strip()!r}")
    return int(found[1])


def find(name: str) -> int | None:
    """Return the id of the job with this name, including a finished job that Slurm still knows."""
    listed = call("squeue", "--noheader", "--states=all", f"--name={name}", "--format=%F").split()
    return int(listed[0]) if listed else None


def cancel(job_id: int) -> None:
    """Cancel a job; a finished job is left unchanged."""
    call("scancel", str(job_id))


def tasks(job_id: int) -> list[dict[str, str]]:
    """Return Slurm's report on a job: a dict for each task, or for a range of pending tasks.

    Keys are ``task`` (a number, a range such as ``4-9``, or empty), ``state``, ``reason`` and
    ``exit_code``. The list is empty if Slurm no longer knows the job.
    """
    try:
        answer = call("scontrol", "--oneliner", "show", "job", str(job_id))
    except ClusterProblem as problem:
        if UNKNOWN in str(problem).lower():
            return _remembered(job_id)
        raise
    begins = rf"(?m)^(?=JobId=(?:\d+ ArrayJobId=)?{job_id} )"
    return [_task(record) for record in re.split(begins, answer) if record.strip()]


def _task(record: str) -> dict[str, str]:
    """Parse one record of scontrol; an unknown format is an error, not a lost job."""
    task, state = TASK.match(record), STATE.search(record)
    if state is None:
        raise ClusterProblem("slurm-silent", f"unexpected output from scontrol: {record[:200]!r}")
    exit_code = EXIT_CODE.search(record, state.end())
    return {
        "task": task[1] if task else "",
        "state": state[1],
        "reason": state[2],
        "exit_code": exit_code[1] if exit_code else "0:0",
    }


def _remembered(job_id: int) -> list[dict[str, str]]:
    """Return the report, if any, of Slurm's accounting on a job unknown to the controller."""
    for options in ((), ("-c",)):
        try:
            answer = call("sacct", *options, "-n", "-P", "-j", str(job_id), "-o", "JobID,State")
        except ClusterProblem:
            continue
        rows = [line.split("|") for line in answer.splitlines() if "|" in line]
        found = []
        for number, state, *_ in rows:
            if "." in number:  # a step
                continue
            found.append(
                {
                    "task": number.partition("_")[2],
                    "state": (state.split() or [""])[0],
                    "reason": "None",
                    "exit_code": "",
                }
            )
        if found:
            return found
    return []
