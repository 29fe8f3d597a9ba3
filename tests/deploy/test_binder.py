"""The steps of Binder, in a fresh environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
def test_binder_puts_the_page_into_the_launcher_and_compiles_the_engine(tmp_path):
    copy, environment = tmp_path / "repository", tmp_path / "environment"
    ignored = shutil.ignore_patterns(".git", ".venv*", "test-results", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    variables |= {
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
    }

    def output(*words: str) -> str:
        done = subprocess.run(
            words, cwd=copy, env=variables, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    output(".binder/postBuild")
    assert list((copy / "backend").rglob("*.nbc")), "the engine is compiled"
    extensions = subprocess.run(
        ["jupyter", "server", "extension", "list"], env=variables, capture_output=True, text=True
    )
    for name in ("jupyter_server_proxy", "voila"):
        assert f"{name} enabled" in extensions.stderr + extensions.stdout
    code = (
        "from importlib.metadata import entry_points;"
        "(entry,) = entry_points(group='jupyter_serverproxy_servers');"
        "print(entry.name, entry.load()()['command'][0])"
    )
    assert output("python", "-c", code).split() == ["nanoconf", str(environment / "bin/python")]
