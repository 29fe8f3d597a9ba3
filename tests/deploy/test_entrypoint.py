"""The script that starts nanoconf in the container."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.browser import ROOT

PROGRAM = """\
#!/bin/sh
(trap '' TERM; exec sleep 1000) &
(trap 'echo written >checkpoint; exit' TERM; while :; do sleep 0.1; done) &
sleep 1
exit 7
"""
"""Stand-in for nanoconf that leaves two processes, of which one ignores the signal."""


@pytest.mark.long
def test_the_container_ends_although_a_process_ignores_the_signal(tmp_path):
    if os.geteuid() != 0:
        message = "NO NAMESPACE: become root to test the script that starts the container"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    (tmp_path / "nanoconf").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "nanoconf").chmod(0o755)
    # The script expects tini as the first process, which a shell of that name represents.
    shell = shutil.which("sh")
    assert shell is not None
    (tmp_path / "tini").symlink_to(Path(shell).resolve())
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", tmp_path / "tini"]
    words = ["-c", '"$0"; exit "$?"', ROOT / "deploy" / "entrypoint.sh"]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([*command, *words], cwd=tmp_path, env=environment, timeout=120)
    assert done.returncode == 7
    assert (tmp_path / "checkpoint").read_text() == "written\n"
