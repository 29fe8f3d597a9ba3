"""A Debian system booted with systemd, in a systemd-nspawn container."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support import homes
from tests.support.debian import Debian
from tests.support.homes import until

RELEASE = "trixie"

PACKAGES = ("systemd-sysv", "openssl")
"""Debian packages besides those of `Debian.install`."""

PROGRAMS = {"systemd-nspawn": "systemd-container", "debootstrap": "debootstrap"}
"""Programs, and the Debian packages that provide them."""

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"

HIERARCHIES = Path("/sys/fs/cgroup")

CGROUP_MOUNTS = {"": (".", "unified"), "name=systemd": ("systemd",)}
"""Folders in `HIERARCHIES` at which the hierarchies may be mounted, by controller."""

CGROUPS = ("payload", "supervisor")
"""Control groups that systemd-nspawn leaves in the group of its caller."""


def require_nspawn() -> None:
    """Skip the test where no container can be booted; fail in CI."""
    if os.geteuid() == 0 and all(shutil.which(each, path=PATH) for each in PROGRAMS):
        return
    packages = " ".join(PROGRAMS.values())
    message = f"NO SYSTEMD: become root and install the Debian packages {packages}"
    (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


class Machine:
    """A Debian system with systemd as its first process.

    It has a network of its own with a loopback interface only. So all of its ports are free, and
    nothing outside can connect to them.

    Parameters
    ----------
    debian : Debian
        A Debian with `PACKAGES`.
    log : Path
        File for the output of the console.
    """

    def __init__(self, debian: Debian, log: Path):
        self.debian, self._log = debian, log
        self._name = f"nanoconf-{os.getpid()}"
        # Without systemd on this computer, nothing can create a unit for the container.
        self._keeps_unit = not Path("/run/systemd/system").is_dir()

    def __enter__(self) -> Machine:
        command = ["systemd-nspawn", f"--directory={self.debian.root}", f"--machine={self._name}"]
        options = ["--boot", "--private-network", "--register=no", "--console=read-only"]
        if self._keeps_unit:
            options.append("--keep-unit")
        with self._log.open("wb") as log:
            self._nspawn = subprocess.Popen(
                [*command, *options],
                env={**os.environ, "PATH": PATH},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._has_booted, "systemd to boot")
        return self

    def __exit__(self, *_: object) -> None:
        """Shut the system down, and remove what systemd-nspawn leaves."""
        self._nspawn.terminate()
        self._nspawn.wait(homes.PATIENCE)
        propagated = Path("/run/systemd/nspawn/propagate") / self._name
        if propagated.exists():
            shutil.rmtree(propagated)
        for group in _leftover_cgroups() if self._keeps_unit else ():
            _remove_cgroup(group)

    def _has_booted(self) -> bool:
        assert self._nspawn.poll() is None, self._log.read_text(errors="replace")
        if not self._first_processes():
            return False
        state = self.run("systemctl is-system-running").stdout.strip()
        return state in ("running", "degraded")

    def _first_processes(self) -> list[psutil.Process]:
        """Return the first process, once systemd-nspawn has started systemd."""
        found = []
        for child in psutil.Process(self._nspawn.pid).children():
            with suppress(psutil.Error):
                if child.name() == "systemd":
                    found.append(child)
        return found

    @property
    def pid(self) -> int:
        """Process ID of its first process in this system."""
        (process,) = self._first_processes()
        return process.pid

    @property
    def in_network(self) -> list[str]:
        """Prefix that runs a command of this computer in the machine's network."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net"]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root."""
        command = ["nsenter", f"--target={self.pid}", "--all", "env", "-i"]
        words = [*command, "PATH=/usr/sbin:/usr/bin", "sh", "-c", script]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def succeed(self, script: str) -> str:
        """Run a script that must succeed; return what it prints."""
        done = self.run(script)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()


def _leftover_cgroups() -> list[Path]:
    """Return the control groups that systemd-nspawn has made in the group of this process."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        roots = [HIERARCHIES / each for each in CGROUP_MOUNTS.get(controllers, ())]
        found += [root / path.lstrip("/") / name for root in roots for name in CGROUPS]
    return [group for group in found if group.is_dir()]


def _remove_cgroup(group: Path) -> None:
    """Remove an empty control group and those in it."""
    for folder, _, _ in os.walk(group, topdown=False):
        Path(folder).rmdir()
