"""Install the worker on a cluster: this package, and NumPy, SciPy and Numba.

Zip files are created here and unpacked there, so the cluster needs neither pip nor internet access.
Each is unpacked into a folder named after its content, so versions never mix. The folder has a
temporary name until it is complete, so a broken connection leaves no incomplete folder.
"""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.cluster import package
from backend.cluster.config import Cluster
from backend.cluster.here.replies import refusal
from backend.cluster.node.job_script import exports
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh.connection import Connection
from backend.cluster.waiting import Say, nobody
from backend.untrusted import Damaged, checked, one_line, parse

UNPACK_SECONDS = 600.0
OLDEST_GLIBC = 17

LOOK = """\
import importlib.util, json, os, platform, sys
work_dir, modules, folders = sys.argv[1], sys.argv[2].split(), sys.argv[3].split()
if not (3, 11) <= sys.version_info < (3, 14):
    sys.exit("found only Python " + platform.python_version())
found = {
    "python": sys.executable,
    "version": list(sys.version_info[:2]),
    "machine": platform.machine(),
    "glibc": platform.libc_ver()[1],
    "missing": [name for name in modules if importlib.util.find_spec(name) is None],
    "work_dir": os.path.abspath(work_dir),
    "there": [name for name in folders if os.path.isdir(os.path.join(work_dir, name))],
    "package": "",
}
try:
    from backend.cluster import package
    found["package"] = package.digest()
except ImportError:  # no package, or one of another version
    pass
print("NANOCONF", json.dumps(found))
"""

UNPACK = """\
import hashlib, io, os, shutil, sys, zipfile
folder, digest = sys.argv[1:3]
data = sys.stdin.buffer.read()
if hashlib.sha256(data).hexdigest() != digest:
    sys.exit("the zip file is incomplete")
part = folder + ".part-" + str(os.getpid())
try:
    os.makedirs(part)
    zipfile.ZipFile(io.BytesIO(data)).extractall(part)
    for name in os.listdir(part):
        if name.endswith(".whl"):
            wheel = os.path.join(part, name)
            zipfile.ZipFile(wheel).extractall(part)
            os.remove(wheel)
    os.rename(part, folder)
except OSError as error:
    shutil.rmtree(part, ignore_errors=True)
    if not os.path.isdir(folder):
        sys.exit(str(error))
"""


@dataclass(frozen=True)
class Site:
    """Location of Python and of this package on a cluster.

    Attributes
    ----------
    python : str
        The interpreter.
    path : str
        Installed folders in PYTHONPATH format, the worker's first; empty if the interpreter has
        this package itself.
    work_dir : str
        Absolute path of the work folder.
    """

    python: str
    path: str
    work_dir: str

    def command(self, cluster: Cluster, module: str, *words: str) -> str:
        """Return bash lines for the cluster: the setup lines, then the module's command."""
        return _lines(
            cluster,
            *exports(self.path, self.path and f"{self.path.partition(':')[0]}/compiled"),
            "exec " + shlex.join([self.python, "-P", "-m", module, *words]),
        )


def _lines(cluster: Cluster, *lines: str) -> str:
    """Return bash lines, preceded by the cluster's setup lines."""
    return "\n".join([*cluster.setup, *lines])


def installed(connection: Connection, cluster: Cluster, say: Say = nobody) -> Site:
    """Install the worker if necessary; return its location.

    Parameters
    ----------
    connection : Connection
    cluster : Cluster
    say : callable
        Called with a one-line description of a slow step.

    Raises
    ------
    ClusterProblem
        ``python``: no suitable Python was found; ``work-dir``, ``disk-full``: the work folder
        cannot be used; or there is no connection.
    """
    found = _look(connection, cluster, [package.folder_name()])
    if found["package"] == package.digest() and not found["missing"]:
        return Site(found["python"], "", found["work_dir"])
    folders = [package.folder_name()]
    if found["missing"] and cluster.python:
        line = f"{cluster.python} on the cluster lacks {', '.join(found['missing'])}"
        raise ClusterProblem("python", f"{line}: install them there, or leave python empty")
    if found["missing"]:
        folders.append(_environment_name(found))
        found = _look(connection, cluster, folders)
        if folders[1] not in found["there"]:
            say("installing NumPy, SciPy and Numba on the cluster (first time only) …")
            _unpack(connection, cluster, found, folders[1], environment(found))
    if folders[0] not in found["there"]:
        say("installing the worker on the cluster …")
        _unpack(connection, cluster, found, folders[0], package.parcel())
    path = ":".join(f"{found['work_dir']}/{folder}" for folder in folders)
    return Site(found["python"], path, found["work_dir"])


def _look(connection: Connection, cluster: Cluster, folders: list[str]) -> dict[str, Any]:
    """Find Python, its packages and our folders on the cluster."""
    look = [LOOK, cluster.work_dir, " ".join(package.needed()), " ".join(folders)]
    pythons = [cluster.python] if cluster.python else list(package.PYTHONS)
    tries = [shlex.join([python, "-c", *look]) + " && exit" for python in pythons]
    task = f"looking for Python on {connection.target.host}"
    answer = connection.run(_lines(cluster, *tries, "exit 1"), task=task)
    for line in answer.out.decode("utf-8", "replace").splitlines():
        if line.startswith("NANOCONF "):
            return _found(line.removeprefix("NANOCONF ").encode())
    wanted = cluster.python or "Python 3.11, 3.12 or 3.13"
    advice = "set python, or load a module in setup"
    raise ClusterProblem(
        "python", f"no usable {wanted} on the cluster ({answer.last_line()}): {advice}"
    )


@dataclass(frozen=True)
class Found:
    """What `LOOK` reports."""

    python: str
    version: list[int]
    machine: str
    glibc: str
    missing: list[str]
    work_dir: str
    there: list[str]
    package: str


def _found(answer: bytes) -> dict[str, Any]:
    """Return the answer of `LOOK`, strictly checked."""
    try:
        found: Found = checked(Found, parse(answer))
        for path in (found.python, found.work_dir):
            if not (path.startswith("/") and path.isprintable()):
                raise Damaged(f"has an invalid path {one_line(path)[:80]!r}")
        if len(found.version) != 2 or not set(found.missing) <= set(package.needed()):
            raise Damaged("has an unknown version or module")
        if not re.fullmatch(r"\w{0,40}", found.machine, re.ASCII):
            raise Damaged("has an unknown machine")
        if not re.fullmatch(r"([0-9]{1,3}\.[0-9]{1,3}[0-9.]{0,10})?", found.glibc):
            raise Damaged("has an unknown glibc")
    except Damaged as error:
        raise refusal(f"it {error}") from error
    return vars(found)


def _unpack(
    connection: Connection, cluster: Cluster, found: dict[str, Any], folder: str, parcel: bytes
) -> None:
    target = f"{found['work_dir']}/{folder}"
    digest = hashlib.sha256(parcel).hexdigest()
    command = shlex.join([found["python"], "-c", UNPACK, target, digest])
    answer = connection.run(_lines(cluster, f"exec {command}"), parcel, UNPACK_SECONDS)
    if answer.status == 0:
        return
    said = answer.last_line()
    if "No space left" in said or "quota" in said.lower():
        raise ClusterProblem("disk-full", f"the cluster's disk is full ({said}): free some space")
    if "is incomplete" in said:
        raise ClusterProblem("lost", "the connection was lost while the worker was being installed")
    line = f"the work folder {cluster.work_dir} is not writable ({said})"
    raise ClusterProblem("work-dir", f"{line}: choose another with work_dir")


# --- an environment -------------------------------------------------------------------------


def _environment_name(found: dict[str, Any]) -> str:
    words = [*package.requirements(), found["machine"], found["glibc"]]
    version = "".join(map(str, found["version"]))
    return f"packages-py{version}-{hashlib.sha256(' '.join(words).encode()).hexdigest()[:12]}"


def environment(found: dict[str, Any]) -> bytes:
    """Return NumPy, SciPy and Numba as a zip file, for the Python that was found.

    Their wheels are zip files that only need to be unpacked side by side.

    Raises
    ------
    ClusterProblem
        ``python``: the packages cannot be downloaded.
    """
    with tempfile.TemporaryDirectory(prefix="nanoconf-wheels-") as name:
        _download(Path(name), found)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as parcel:
            for wheel in sorted(Path(name).glob("*.whl")):
                parcel.write(wheel, wheel.name)
    return buffer.getvalue()


def _download(folder: Path, found: dict[str, Any]) -> None:
    """Download wheels of the versions that are installed here."""
    minor = int((found["glibc"] or "2.17").split(".")[1])
    platforms = [f"manylinux_2_{n}_{found['machine']}" for n in range(minor, OLDEST_GLIBC - 1, -1)]
    platforms.append(f"manylinux2014_{found['machine']}")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "download"),
            *("--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)),
            *("--python-version", ".".join(map(str, found["version"]))),
            *(word for platform in platforms for word in ("--platform", platform)),
            *package.requirements(),
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        advice = "set python to an interpreter that has NumPy, SciPy and Numba"
        line = f"packages cannot be downloaded on this computer ({said})"
        raise ClusterProblem("python", f"{line}: {advice}")
