"""An image built by the real Buildah, on a minimal Debian of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import ROOT

RELEASE = "trixie"

PROGRAMS = ("buildah", "debootstrap")

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"

FROM_THIS_COMPUTER = ("/etc/ssl/certs", "/etc/pip.conf")
"""Settings for downloads, which the steps of a build may need."""


def require_builder() -> None:
    """Skip the test where no image can be built; fail in CI."""
    if os.geteuid() == 0 and all(shutil.which(each, path=PATH) for each in PROGRAMS):
        return
    message = f"NO CONTAINER: become root and install the Debian packages {' '.join(PROGRAMS)}"
    (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


class Builder:
    """Buildah with storage of its own, which is removed on exit.

    Parameters
    ----------
    folder : Path
        Folder for its storage.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._environment = {**os.environ, "PATH": PATH}

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, *_: object) -> None:
        """Unmount and delete everything; a folder that stays mounted cannot be deleted later."""
        self.buildah("rm", "--all")
        shared = self._folder / "storage" / "overlay"
        if shared.is_mount():
            subprocess.run(["umount", str(shared)], check=True)
        shutil.rmtree(self._folder / "storage")

    def buildah(self, *words: str, **options: Any) -> str:
        """Run Buildah, and return what it prints."""
        done = subprocess.run(
            self.command(*words),
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            **options,
        )
        return done.stdout.strip()

    def command(self, *words: str) -> list[str]:
        """Return a command of Buildah."""
        places = ("--root", str(self._folder / "storage"), "--runroot", str(self._folder / "run"))
        return ["buildah", *places, *words]

    def start(
        self, container: str, user: str, *words: str, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start a program in a container as a user, in the network of this computer."""
        command = self.command(
            "run", "--isolation=chroot", f"--user={user}", container, "--", *words
        )
        return subprocess.Popen(command, env=self._environment, **options)

    def make_base(self, name: str) -> None:
        """Make an image of a minimal Debian."""
        tree = self._folder / "base"
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates"]
        subprocess.run(
            [*command, RELEASE, str(tree)],
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, str(tree), "/")
        self.buildah("commit", "--quiet", "--rm", container, name)
        shutil.rmtree(tree)

    def build(self, name: str, base: str) -> None:
        """Build the image of the project."""
        volumes = [
            f"--volume={path}:{path}:ro" for path in FROM_THIS_COMPUTER if Path(path).exists()
        ]
        options = ["--isolation=chroot", "--format=docker", f"--build-arg=BASE={base}", *volumes]
        self.buildah(
            "bud", "--quiet", *options, "-f", "deploy/Containerfile", "-t", name, ".", cwd=ROOT
        )


def megabytes(tree: Path) -> float:
    """Return the size of a folder."""
    words = ["du", "-sxm", str(tree)]
    return float(
        subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[0]
    )
