"""Job endings: Slurm's states, and the reasons and advice that users read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.cluster.node.task import TIME_LIMIT
from backend.runs.run_state import RunState
from backend.runs.worker import INTERRUPTED

WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT")
WORKING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
UNKNOWN = ""

RANGE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)

JOB_FAILED = "job-failed"
GO_ON = "repeat the run to resume from its checkpoint"


@dataclass(frozen=True)
class Ending:
    """Reason why a run ended without a result.

    Attributes
    ----------
    state : RunState
        ``FAILED`` or ``CANCELLED``.
    error : str
        Short, stable name.
    reason : str
        One line with Slurm's reason and advice.
    again : bool
        True if a sweep may resubmit it.
    """

    state: RunState
    error: str
    reason: str
    again: bool = False


def ending(
    task: dict[str, str], stopped_by: str, job_id: int, minutes: int, scheduler: str = "Slurm"
) -> Ending | None:
    """Return how a run without a result or failure ended; None if it has not ended.

    Parameters
    ----------
    task : dict
        Slurm's report on its task, as in `slurm.tasks`; empty if Slurm no longer knows it.
    stopped_by : str
        Reason why the task ended early, if it recorded one.
    job_id : int
    minutes : int
        The job's time limit.
    scheduler : str
        Name of the scheduler, as in `Cluster.scheduler`.
    """
    state = task.get("state", UNKNOWN)
    if state in WAITING or state in WORKING:
        return None
    slurm = f"{scheduler} job {job_id}: {state}" + _because(task)
    limited = stopped_by == TIME_LIMIT and state != "CANCELLED"
    if state in ("TIMEOUT", "DEADLINE") or limited:
        line = f"the time limit of {minutes} minutes was reached ({slurm}): {GO_ON}, or ask for"
        return Ending(RunState.FAILED, "time-limit", f"{line} more with --walltime", again=True)
    if state in ("NODE_FAIL", "BOOT_FAIL") or task.get("reason") == "JobLaunchFailure":
        line = f"a cluster node failed ({slurm}): {GO_ON}"
        return Ending(RunState.FAILED, "node-failed", line, again=True)
    if state in ("PREEMPTED", "REVOKED"):
        line = f"the job was preempted ({slurm}): {GO_ON}"
        return Ending(RunState.FAILED, "preempted", line, again=True)
    if state == "CANCELLED":
        return Ending(
            RunState.CANCELLED, "", f"cancelled on the cluster, not by nanoconf ({slurm})"
        )
    if state == "OUT_OF_MEMORY":
        line = f"the job exceeded its memory limit ({slurm}): simulate a smaller system"
        return Ending(
            RunState.FAILED, "memory", f"{line}, or ask the cluster's administrators for more"
        )
    if state == UNKNOWN:
        line = f"{scheduler} no longer knows job {job_id}, which left no result: {GO_ON}"
        return Ending(RunState.FAILED, "job-lost", line, again=True)
    if task.get("exit_code", "").startswith(f"{INTERRUPTED}:"):
        return Ending(
            RunState.FAILED, "interrupted", f"the job was terminated ({slurm}): {GO_ON}", True
        )
    line = (
        f"the job ended without a result ({slurm}): see the log. The cluster's setup lines may be "
        "wrong; to check them, run nanoconf cluster check"
    )
    return Ending(RunState.FAILED, JOB_FAILED, line, again=True)


def _because(task: dict[str, str]) -> str:
    """Return Slurm's reason and exit code, unless they are uninformative."""
    reason, code = task.get("reason", "None"), task.get("exit_code", "")
    words = [reason] if reason not in ("", "None") else []
    words += [f"exit code {code}"] if code not in ("", "0:0") else []
    return ", " + ", ".join(words) if words else ""


def of_task(tasks: list[dict[str, str]], index: int) -> dict[str, str]:
    """Return Slurm's report on one task of a job; empty if there is none."""
    for task in tasks:
        if not task["task"] or _contains(task["task"], index):
            return task
    return {}


def _contains(ranges: str, index: int) -> bool:
    """Return True if ranges such as ``0-3,7`` contain a number."""
    for part in ranges.strip("[]").split(","):
        found = RANGE.match(part)  # a limit such as %10 may follow
        if found and int(found[1]) <= index <= int(found[2] or found[1]):
            return True
    return False
