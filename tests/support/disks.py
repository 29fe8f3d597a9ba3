"""A small disk for a test, which can really be full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """An empty disk of so many bytes, where there was no folder yet; gives its path.

    The superuser mounts one. Anyone else does so where they are superuser, in a namespace of their
    own, which others see through /proc for as long as a process lives in it.
    """
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none"]
    folder.mkdir()
    if subprocess.run([*mount, str(folder)], capture_output=True, check=False).returncode == 0:
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    stay = ["sh", "-c", '"$@" && echo mounted && read -r _', "sh", *mount, "/mnt"]
    with subprocess.Popen(
        [*namespace, *stay], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        if holder.stdout.readline() != "mounted\n":
            message = "NO SMALL DISK: neither `mount` nor `unshare --user` is allowed here"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
        folder.rmdir()
        folder.symlink_to(Path("/proc", str(holder.pid), "root", "mnt"))
        try:
            yield folder
        finally:
            holder.stdin.close()
