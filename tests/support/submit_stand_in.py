"""A stand-in for ``submit``, the command of a HUBzero hub: it behaves as its documentation says.

It is no part of HUBzero. There is no hub here, so runs through ``submit`` are tested against this
program. It starts jobs on this computer, one cluster for all venues, and knows what nanoconf uses:

- ``submit --detach --runName=NAME --progress submit --tailStdout N --venue V --nCpus N --ppn N
  --wallTime MINUTES --inputfile FILE … COMMAND …``: transfers the input files, queues the command
  and prints the number of the run. Its working directory is another one; whatever is new there
  comes home to the directory of this command, with ``NAME.stdout`` and ``NAME.stderr``.
- ``submit --attach NUMBER``: prints ``=SUBMIT-PROGRESS=>`` lines and the last lines of the job's
  output, until it ends; exits with its status
- ``submit --status [NUMBER]``: a table of runs that have not ended
- ``submit --kill NUMBER`` and ``submit --help venues``

The sources are listed in `backend.cluster.submit`. The wording of refusals is this program's own.
Tests put it on PATH with `Hub`. Its first argument is the folder of the runs, where a file ``mute``
lets every command wait and a file ``silent`` lets ``--attach`` print nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

VENUES = ("standby@brown", "debug")
CORES = 2
PAUSE = 0.05
WAITING, EXECUTING = "waiting", "executing"
OVER = ("finished", "failed", "aborted")
WORDS = {WAITING: "Queued", EXECUTING: "Running"}

ROOT = Path()


class Record:
    """A run, as a file; the hub's own processes are the only ones that change it."""

    def __init__(self, number: int):
        self.number = number
        self.folder = ROOT / str(number)

    def read(self) -> dict[str, Any]:
        """Return what is known of the run."""
        return json.loads((self.folder / "record.json").read_text())

    def write(self, **changes: Any) -> None:
        """Change what is known of the run."""
        path = self.folder / "record.json"
        known = self.read() if path.exists() else {}
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({**known, **changes}))
        part.rename(path)

    @property
    def state(self) -> str:
        """State of the run, in the words of the progress lines."""
        return self.read()["state"]


def records() -> list[Record]:
    """Return all runs, in the order of their numbers."""
    numbers = sorted(int(p.parent.name) for p in ROOT.glob("*/record.json"))
    return [Record(number) for number in numbers]


# --- what a user calls ----------------------------------------------------------------------


def main(words: list[str]) -> int:
    """Carry out a command."""
    while (ROOT / "mute").exists():
        time.sleep(PAUSE)
    if words[:1] == ["--serve"]:
        return serve(Record(int(words[1])))
    if words == ["--help", "venues"]:
        print("Currently available VENUES are:", *(f"   {venue}" for venue in VENUES), sep="\n")
        return 0
    if words[:1] == ["--status"]:
        return status([int(word) for word in words[1:]])
    if words[:1] == ["--kill"]:
        return kill(Record(int(words[1])))
    if words[:1] == ["--attach"]:
        return attach(Record(int(words[1])))
    return submit(words)


def options(words: list[str]) -> argparse.Namespace:
    """Parse the options of a submission; the command follows them."""
    parser = argparse.ArgumentParser(prog="submit", allow_abbrev=False)
    parser.add_argument("--detach", action="store_true", required=True)
    parser.add_argument("--runName", required=True)
    parser.add_argument("--venue", default=VENUES[0])
    parser.add_argument("--progress", choices=["submit"], required=True)
    for name in ("--nCpus", "--ppn", "--wallTime"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--tailStdout", type=int, default=0)
    parser.add_argument("--inputfile", action="append", default=[])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args(words)


def submit(words: list[str]) -> int:
    """Queue a run, and let a process of the hub look after it."""
    asked = options(words)
    if asked.venue not in VENUES:
        return refuse(f"Invalid venue: {asked.venue}")
    if not asked.runName.isalnum():
        return refuse(f"Run name {asked.runName} is restricted to alphanumeric characters")
    if asked.nCpus > CORES:
        return refuse(f"{asked.nCpus} processors are not available at {asked.venue}")
    number = next_number()
    record = Record(number)
    scratch = record.folder / "scratch"
    scratch.mkdir()
    for name in asked.inputfile:
        if not Path(name).is_file():
            return refuse(f"Input file {name} not found")
        shutil.copy(name, scratch)
    record.write(**vars(asked), home=os.getcwd(), state=WAITING)
    program = [sys.executable, "-S", __file__, str(ROOT), "--serve", str(number)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.Popen(program, start_new_session=True, stderr=subprocess.DEVNULL, **quiet)
    print(f"Run {number} registered {asked.runName}.")
    print(f"Check run status with the command: submit --status {number}")
    return 0


def next_number() -> int:
    """Reserve a number, also from other commands at the same time."""
    while True:
        number = 1 + max([0, *(int(p.name) for p in ROOT.glob("[0-9]*"))])
        with suppress(FileExistsError):
            (ROOT / str(number)).mkdir()
            return number


def refuse(line: str) -> int:
    """Say why something cannot be done."""
    print(line, file=sys.stderr)
    return 1


def status(numbers: list[int]) -> int:
    """Print a table of runs that have not ended."""
    print(f"{'RunName':<24} {'ID':>8} {'Instance':>8} {'Status':<10} Location")
    for record in records():
        found = record.read()
        if found["state"] in WORDS and record.number in (numbers or [record.number]):
            words = WORDS[found["state"]]
            print(f"{found['runName']:<24} {record.number:>8} {1:>8} {words:<10} {found['venue']}")
    return 0


def kill(record: Record) -> int:
    """End a run."""
    if not record.folder.exists() or record.state in OVER:
        return refuse(f"Run {record.number} is not executing")
    (record.folder / "kill").touch()
    return 0


def attach(record: Record) -> int:
    """Report on a run until it ends."""
    if not (record.folder / "record.json").exists():
        return refuse(f"Run {record.number} cannot be attached")
    said, seen = "", 0
    while True:
        found = record.read()
        if not (ROOT / "silent").exists():
            seen = repeat(record.folder / "scratch" / "stdout", seen, found["tailStdout"])
            if found["state"] != said:
                said = found["state"]
                print(progress(said), flush=True)
        if found["state"] in OVER:
            return found["status"]
        time.sleep(PAUSE)


def repeat(path: Path, seen: int, count: int) -> int:
    """Print the last lines of a running job's output if there are new ones."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) > seen:
        print("".join(whole[-count:]), end="", flush=True)
    return len(whole)


def progress(state: str) -> str:
    """Return the line that ``--progress submit`` prints."""
    names = ("aborted", "finished", "failed", "executing", "waiting", "setting_up", "setup")
    counts = " ".join(f"{name}={int(name == state)}" for name in names)
    done = 100.0 * (state in OVER)
    return f"=SUBMIT-PROGRESS=> {counts} %done={done:.2f} timestamp={time.time():.1f}"


# --- what the hub does ----------------------------------------------------------------------


def serve(record: Record) -> int:
    """Start a run once there are enough cores, bring its files home, and note how it ended."""
    asked = record.read()
    while not (record.folder / "kill").exists() and not is_next(record, asked["nCpus"]):
        time.sleep(PAUSE)
    scratch = record.folder / "scratch"
    inputs = {path.name for path in scratch.iterdir()}
    status, state = 1, "aborted"
    if not (record.folder / "kill").exists():
        record.write(state=EXECUTING)
        with open(scratch / "stdout", "wb") as out, open(scratch / "stderr", "wb") as err:
            job = subprocess.Popen(
                asked["command"], cwd=scratch, stdout=out, stderr=err, start_new_session=True
            )
            state = watch(record, job, asked["wallTime"])
        status = job.returncode % 256 if state != "aborted" else 1
    if os.path.isdir(asked["home"]):
        bring_home(scratch, inputs, Path(asked["home"]), asked["runName"])
    record.write(state=state, status=status)
    return 0


def is_next(record: Record, cores: int) -> bool:
    """Return True if there are cores for a run; earlier ones come first."""
    free = CORES
    for other in records():
        found = other.read()
        if found["state"] == EXECUTING:
            free -= found["nCpus"]
        if found["state"] == WAITING and other.number < record.number:
            return False
    return cores <= free


def watch(record: Record, job: subprocess.Popen[bytes], minutes: int) -> str:
    """Wait for a job, which ends when it is killed or its time is over; return the state."""
    until, state = time.monotonic() + 60 * minutes, ""
    while job.poll() is None:
        late = time.monotonic() > until or (record.folder / "late").exists()
        if not state and (late or (record.folder / "kill").exists()):
            state = "failed" if late else "aborted"
            os.killpg(job.pid, signal.SIGKILL)
        time.sleep(PAUSE)
    return state or ("failed" if job.returncode else "finished")


def bring_home(scratch: Path, inputs: set[str], home: Path, name: str) -> None:
    """Copy what is new; the job's output is named after the run."""
    for path in scratch.iterdir():
        if path.name in ("stdout", "stderr"):
            shutil.copy(path, home / f"{name}.{path.name}")
        elif path.name not in inputs and path.is_file():
            shutil.copy(path, home)
        elif path.name not in inputs:
            shutil.copytree(path, home / path.name, dirs_exist_ok=True)


if __name__ == "__main__":
    ROOT = Path(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
