"""The ``submit`` command of a hub: its options, and what it prints."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from backend.cluster.config import SUBMIT, Cluster
from backend.cluster.problems import ClusterProblem
from backend.untrusted import one_line

ANSWER_SECONDS = 45.0
"""Timeout of a query to ``submit`` (s)."""

TAIL_LINES = 200
"""Lines of a running job's output to repeat: a few reports."""

NUMBER = re.compile(r"submit --(?:status|attach) (\d{1,12})\b")
"""The run's number in the output of ``submit --detach``."""

PROGRESS = re.compile(rb"=SUBMIT-PROGRESS=> aborted=(\d+) finished=\d+ failed=\d+ executing=(\d+) ")

WAITING = "PENDING"
RUNNING = "RUNNING"

RUNNING_WORDS = ("running", "executing")
OVER_WORDS = ("complete", "completed", "done", "finished", "failed", "aborted", "killed")


@dataclass(frozen=True)
class Row:
    """Row of the table that ``submit --status`` prints."""

    name: str
    number: int
    word: str
    venue: str

    @property
    def over(self) -> bool:
        """True if the run has ended."""
        return self.word.lower() in OVER_WORDS

    @property
    def state(self) -> str:
        """State in Slurm's words, which the keeper knows."""
        return RUNNING if self.word.lower() in RUNNING_WORDS else WAITING


def require() -> str:
    """Return the path of ``submit``.

    Raises
    ------
    ClusterProblem
        ``submit-missing``: there is none.
    """
    path = shutil.which(SUBMIT)
    if path is None:
        line = "the submit command was not found: on nanoHUB it is available in every tool session"
        raise ClusterProblem("submit-missing", f"{line}; elsewhere, remove submit = true")
    return path


def options(cluster: Cluster, cores: int, minutes: int) -> list[str]:
    """Return the options of a job; all its cores are on one node."""
    chosen = ["--venue", cluster.venue] if cluster.venue else []
    chosen += ["--nCpus", str(cores), "--ppn", str(cores)]
    return [*chosen, "--wallTime", str(minutes)]


def wall_time(chosen: Sequence[str]) -> int:
    """Return the time limit in options of a job (minutes)."""
    return int(chosen[chosen.index("--wallTime") + 1])


def run_name(job: str) -> str:
    """Return a job's name as ``submit`` accepts it: letters and digits only."""
    return "".join(filter(str.isalnum, job))


def submission(job: str, chosen: Sequence[str], files: Sequence[str], script: str) -> list[str]:
    """Return the command that passes a job to ``submit`` and does not wait for its end."""
    inputs = [word for name in files for word in ("--inputfile", name)]
    watch = ["--progress", "submit", "--tailStdout", str(TAIL_LINES)]
    name = f"--runName={run_name(job)}"
    return [require(), "--detach", name, *watch, *chosen, *inputs, "bash", script]


def attachment(number: int) -> list[str]:
    """Return the command that follows a run until it ends and retrieves its files."""
    return [require(), "--attach", str(number)]


def number_in(output: str) -> int | None:
    """Return the number of a run from the output of its submission."""
    found = NUMBER.search(output)
    return int(found[1]) if found and int(found[1]) else None


def state_in(output: bytes) -> str | None:
    """Return the last state, in Slurm's words, in the output of a run that is followed."""
    found = PROGRESS.findall(output)
    if not found:
        return None
    aborted, executing = map(int, found[-1])
    if aborted:
        return "CANCELLED"
    return RUNNING if executing else WAITING


def table(output: str) -> list[Row]:
    """Return the rows of the table that ``submit --status`` prints; other lines are skipped."""
    rows = []
    for line in output.splitlines():
        words = line.split()
        if len(words) >= 4 and words[1].isdecimal() and words[2].isdecimal():
            rows.append(Row(words[0], int(words[1]), words[3], " ".join(words[4:])))
    return rows


def find(job: str) -> int | None:
    """Return the number of the run of a job, if ``submit`` still knows it."""
    rows = table(ask("--status"))
    return next((row.number for row in rows if row.name == run_name(job)), None)


def status(number: int) -> Row | None:
    """Return the row of a run; None if ``submit`` no longer knows it."""
    rows = table(ask("--status", str(number)))
    return next((row for row in rows if row.number == number and not row.over), None)


def kill(number: int) -> None:
    """End a run; one that has already ended is left unchanged."""
    try:
        ask("--kill", str(number))
    except ClusterProblem:
        if status(number) is not None:
            raise


def venues() -> list[str]:
    """Return the venues that the help of ``submit`` lists; empty if it lists none."""
    _, _, listed = ask("--help", "venues").partition(":")
    return [line.strip() for line in listed.splitlines() if re.fullmatch(r"\s+\S+\s*", line)]


def ask(*words: str) -> str:
    """Return the output of ``submit`` for a query.

    Raises
    ------
    ClusterProblem
        ``submit-missing``: there is no such command; ``submit-silent``: it does not answer, or
        reports a problem.
    """
    try:
        done = subprocess.run(
            [require(), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ClusterProblem("submit-silent", f"submit {words[0]} is not responding") from None
    if done.returncode:
        said = last_line(done.stderr or done.stdout) or f"exit status {done.returncode}"
        raise ClusterProblem("submit-silent", f"submit {words[0]} failed ({said})")
    return done.stdout


def last_line(text: str) -> str:
    """Return the last nonempty line of an output."""
    lines = [one_line(line) for line in text.splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""
