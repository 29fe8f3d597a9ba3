"""A minimal Debian in a folder, and commands in it, as root or as a user."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

USER, STRANGER = 1234, 4321
"""User IDs: of a user with a home folder, and of none."""

HOME = "/opt/student"
"""Home folder of the user."""

PIP_FILES = (
    "/etc/resolv.conf",
    "/etc/pip.conf",
    "/etc/xdg/pip",
    "/etc/ssl/certs/ca-certificates.crt",
)
"""What pip needs in the folder to reach the package index as it does here."""


@dataclass
class Debian:
    """A Debian release, installed by debootstrap, without compilers or Python packages.

    Attributes
    ----------
    root : Path
        Its root folder.
    log : list of str
        Each command, with its user and its time.
    """

    root: Path
    log: list[str] = field(default_factory=list)

    @classmethod
    def install(cls, release: str, root: Path, packages: Sequence[str] = ()) -> Debian:
        """Install a release with its Python and more packages."""
        included = ",".join(("python3-venv", "adduser", *packages))
        command = ["debootstrap", "--variant=minbase", f"--include={included}"]
        subprocess.run([*command, release, str(root)], check=True, capture_output=True)
        for name in PIP_FILES:
            source, target = Path(name), root / name[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, symlinks=False, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy(source, target)
        debian = cls(root)
        debian.succeed(
            f"adduser --quiet --home {HOME} --disabled-password --gecos '' --uid {USER} student"
        )
        return debian

    def run(
        self, script: str, uid: int = 0, network: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script as a user, with pip's settings and the given variables."""
        start = time.monotonic()
        command = self.command(script, uid, network, **variables)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - start
        self.log.append(f"{seconds:7.1f} s  user {uid:<5} exit {done.returncode}  {script}")
        return done

    def succeed(self, script: str, uid: int = 0, network: bool = True, **variables: str) -> str:
        """Run a script that must succeed; return what it prints."""
        done = self.run(script, uid, network, **variables)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def command(
        self, script: str, uid: int = 0, network: bool = True, **variables: str
    ) -> list[str]:
        """Return the command that runs a shell script as a user."""
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        path = {"PATH": "/opt/nanoconf/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        words = [f"{name}={value}" for name, value in (path | pip | variables).items()]
        mount = f'mount -t proc none {shlex.quote(str(self.root / "proc"))} && exec "$@"'
        namespace = ["unshare", "--mount", *([] if network else ["--net"]), "sh", "-c", mount, "sh"]
        chroot = ["chroot", f"--userspec={uid}:{uid}", str(self.root)]
        return [*namespace, *chroot, "env", "-i", *words, "sh", "-c", script]

    def stop(self) -> None:
        """End what still runs in it, such as keepers."""
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if Path(f"/proc/{process.pid}/root").readlink() == self.root:
                    process.kill()
