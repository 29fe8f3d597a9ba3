"""Repository of the tool: its folders, its scripts and the installation."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.browser import ROOT

SCRIPT = ROOT / "scripts" / "lay_out_nanohub.py"

WANTED = """
README.md LICENSE bin/app.ipynb data/.keep doc/page.md examples/sim2l.ipynb rappture/.keep
middleware/invoke middleware/invoke_notebook simtool/nanoconf.ipynb src/Makefile
src/requirements.txt src/nanoconf/pyproject.toml src/nanoconf/backend/inputs.py
src/nanoconf/nanoconf/hub/session.py src/nanoconf/models/model-3/card.json
"""


def lay_out(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True)


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tool")
    done = lay_out(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_tool_has_the_folders_that_the_hub_requires(tool: Path) -> None:
    assert [name for name in WANTED.split() if not (tool / name).is_file()] == []
    assert sorted(each.name for each in tool.iterdir() if each.is_dir()) == [
        *("bin", "data", "doc", "examples", "middleware", "rappture", "simtool", "src"),
    ]
    assert not list(tool.rglob("__pycache__"))


@pytest.mark.parametrize("name", ["invoke", "invoke_notebook"])
def test_the_scripts_that_the_hub_starts_can_be_executed(tool: Path, name: str) -> None:
    script = tool / "middleware" / name
    assert script.stat().st_mode & stat.S_IXOTH
    text = script.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert '\n/usr/bin/invoke_app "$@" -t nanoconf ' in text
    subprocess.run(["sh", "-n", script], check=True)


def test_the_makefile_has_the_targets_that_the_hub_calls(tool: Path) -> None:
    for target in ("install", "clean", "distclean"):
        command = ["make", "--dry-run", "-C", tool / "src", target]
        assert subprocess.run(command, capture_output=True, text=True).returncode == 0


@pytest.mark.parametrize("supported", [True, False])
def test_the_makefile_checks_the_version_of_python(tool: Path, tmp_path: Path, supported) -> None:
    python = tmp_path / "python"
    check = f'exec {sys.executable} "$@"' if supported else "exit 1"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && {check}\necho "called with $*"\nexit 1\n')
    python.chmod(0o755)
    command = ["make", "--no-print-directory", "-C", tool / "src", "install", f"PYTHON={python}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0  # this python makes no environment
    assert (f"called with -m venv --clear {tool}/env" in done.stdout) is supported
    line = "Python 3.11, 3.12 or 3.13 is needed: make install PYTHON=/path/to/python"
    assert (line in done.stderr) is not supported


def test_laying_out_again_keeps_files_that_do_not_belong_to_the_tool(tool: Path) -> None:
    (tool / ".git").mkdir()
    (tool / "src" / "nanoconf" / "backend" / "gone.py").touch()
    (tool / "data" / "of_the_maintainers.csv").touch()
    assert lay_out(tool).returncode == 0
    assert (tool / ".git").is_dir()
    assert (tool / "data" / "of_the_maintainers.csv").exists()
    assert not (tool / "src" / "nanoconf" / "backend" / "gone.py").exists()


def test_a_folder_with_other_contents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    done = lay_out(tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "is not empty" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.long
def test_the_installed_tool_predicts_from_its_own_environment(tool: Path, tmp_path: Path) -> None:
    """Installs the tool from the package index, as the maintainers of the hub do."""
    subprocess.run(["make", "-C", tool / "src", "install"], check=True)
    environment = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    environment |= {"HOME": str(tmp_path), "PATH": f"{tool / 'env' / 'bin'}:{os.environ['PATH']}"}
    sim2l = ["papermill", "--cwd", tmp_path, "-p", "method", "prediction"]
    sim2l += [tool / "simtool" / "nanoconf.ipynb", "done.ipynb"]
    for command in (["nanoconf", "predict", "-o", "out"], sim2l):
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "out" / "ml_positive_density.csv").exists()
    assert (tmp_path / "positive_figure.png").exists()
