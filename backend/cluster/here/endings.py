"""How jobs end: Slurm's states, and the reasons and advice that users read."""

from __future__ import annotations

from dataclasses import dataclass

from backend.cluster.node.task import TIME_LIMIT
from backend.runs.state import RunState
from backend.runs.worker import INTERRUPTED

WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT")
WORKING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
UNKNOWN = ""

JOB_FAILED = "job-failed"
GO_ON = "run it again to resume from its checkpoint"


@dataclass(frozen=True)
class Ending:
    """Why a run has ended without a result.

    Attributes
    ----------
    state : RunState
        ``FAILED`` or ``CANCELLED``.
    error : str
        A short word that never changes.
    reason : str
        One line with Slurm's reason and advice.
    again : bool
        True if a sweep may send it again.
    """

    state: RunState
    error: str
    reason: str
    again: bool = False


def ending(task: dict[str, str], stopped_by: str, job_id: int, minutes: int) -> Ending | None:
    """Return how a run without result or failure has ended; None if it has not.

    Parameters
    ----------
    task : dict
        What Slurm reports of its task, as in `slurm.tasks`; empty if Slurm has forgotten it.
    stopped_by : str
        Why the task ended early, if it has written that down.
    job_id : int
    minutes : int
        The job's time limit.
    """
    state = task.get("state", UNKNOWN)
    if state in WAITING or state in WORKING:
        return None
    slurm = f"Slurm's job {job_id}: {state}" + _because(task)
    limited = stopped_by == TIME_LIMIT and state != "CANCELLED"
    if state in ("TIMEOUT", "DEADLINE") or limited:
        line = f"the time limit of {minutes} minutes was reached ({slurm}): {GO_ON}, or ask for"
        return Ending(RunState.FAILED, "time-limit", f"{line} more with --walltime", again=True)
    if state in ("NODE_FAIL", "BOOT_FAIL") or task.get("reason") == "JobLaunchFailure":
        line = f"a node of the cluster failed ({slurm}): {GO_ON}"
        return Ending(RunState.FAILED, "node-failed", line, again=True)
    if state in ("PREEMPTED", "REVOKED"):
        line = f"the job was preempted by others ({slurm}): {GO_ON}"
        return Ending(RunState.FAILED, "preempted", line, again=True)
    if state == "CANCELLED":
        return Ending(RunState.CANCELLED, "", f"cancelled on the cluster, not from here ({slurm})")
    if state == "OUT_OF_MEMORY":
        line = f"the job exceeded its memory limit ({slurm}): simulate a smaller system"
        return Ending(
            RunState.FAILED, "memory", f"{line}, or ask the cluster's administrators for more"
        )
    if state == UNKNOWN:
        line = f"Slurm no longer knows job {job_id}, which left no result: {GO_ON}"
        return Ending(RunState.FAILED, "job-lost", line, again=True)
    if task.get("exit_code", "").startswith(f"{INTERRUPTED}:"):
        return Ending(
            RunState.FAILED, "interrupted", f"the job was terminated ({slurm}): {GO_ON}", True
        )
    line = f"the job ended without a result ({slurm}): see the log; the cluster's set-up lines"
    return Ending(
        RunState.FAILED, JOB_FAILED, f"{line} may be wrong: nanoconf cluster check", again=True
    )


def _because(task: dict[str, str]) -> str:
    """Return Slurm's reason and exit code, unless they say nothing."""
    reason, code = task.get("reason", "None"), task.get("exit_code", "")
    words = [reason] if reason not in ("", "None") else []
    words += [f"exit code {code}"] if code not in ("", "0:0") else []
    return ", " + ", ".join(words) if words else ""


def of_task(tasks: list[dict[str, str]], index: int) -> dict[str, str]:
    """Return what Slurm reports of one task of a job; empty if nothing."""
    for task in tasks:
        if not task["task"] or _contains(task["task"], index):
            return task
    return {}


def _contains(ranges: str, index: int) -> bool:
    """Return True if ranges such as ``0-3,7`` contain a number."""
    for part in ranges.strip("[]").split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and int(first) <= index <= int(last or first):
            return True
    return False
