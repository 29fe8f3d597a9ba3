"""The wheel on each Python, and in Debian releases, installed from the package index."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from tests.support.debian import HOME, STRANGER, USER, Debian
from tests.support.homes import until
from tests.support.installs import ROOT, build_wheel
from tests.support.web import free_port

pytestmark = pytest.mark.long

SIMULATE = "nanoconf simulate --duration-ns 0.001 --set replicas=1 --set time_step=0.02 -o run"
INSTALL = "install --quiet --only-binary :all: --constraint"
VERSIONS = ROOT / "requirements" / "conda.txt"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def interpreters() -> dict[str, str]:
    """Return the supported Pythons that run here, by version."""
    found = {}
    for version in ("3.11", "3.12", "3.13"):
        kept = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
        for python in (f"python{version}", *map(str, kept)):
            works = shutil.which(python) and subprocess.run(
                [python, "-c", "import ensurepip, venv"], capture_output=True, check=False
            )
            if works and works.returncode == 0:
                found[version] = python
    return found


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_wheel_works_on_each_python(version, wheel, tmp_path, capsys):
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"NO PYTHON {version}: the wheel is not tested on it")
    start = time.monotonic()
    subprocess.run([python, "-m", "venv", tmp_path / "env"], check=True)
    folder = tmp_path / "env" / "bin"
    words = [folder / "python", "-m", "pip", *INSTALL.split(), VERSIONS, wheel]
    subprocess.run(words, check=True, capture_output=True)
    seconds = time.monotonic() - start
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    for command in ("nanoconf predict -o run", "nanoconf evaluate", "nanoconf warm-up", SIMULATE):
        done = subprocess.run(
            command.split(), cwd=tmp_path, env=environment, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b""), command
    sizes = subprocess.check_output([folder / "python", "-P", ROOT / "scripts" / "sizes.py"])
    with capsys.disabled():
        print(f"\nPython {version}: installed in {seconds:.0f} s\n{sizes.decode()}")
    assert float(sizes.split()[-2]) <= 900, "MB of files"


def test_conda_installs_the_project_in_one_step(tmp_path):
    """A stand-in for conda: its call of pip, as in conda/env/installers/pip.py of conda."""
    (entries,) = (
        entry["pip"]
        for entry in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
        if isinstance(entry, dict)
    )
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    with NamedTemporaryFile("w", prefix="condaenv.", suffix=".requirements.txt", dir=ROOT) as file:
        file.write("\n".join(entries))
        file.flush()
        pip = [tmp_path / "env" / "bin" / "pip", "install", "-U", "-r", file.name]
        done = subprocess.run(
            [*pip, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("Would install"))
    names = {re.sub("([-_]cpu)?-[^-]+$", "", word) for word in line.split()}
    assert {"nanoconf", "tensorflow"} <= names


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_the_wheel_works_in_debian(release, wheel, tmp_path, capsys):
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        message = "NO DEBIAN: it takes root and the package debootstrap"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    start = time.monotonic()
    debian = Debian.install(release, tmp_path / release)
    debian.log.append(f"{time.monotonic() - start:7.1f} s  debootstrap {release}")
    try:
        install(debian, wheel)
        as_root(debian)
        as_a_user(debian)
        as_an_unknown_user(debian)
        shows_the_page(debian)
    finally:
        debian.stop()
        with capsys.disabled():
            print("\n" + "\n".join(debian.log))


def install(debian: Debian, wheel: Path) -> None:
    for file in (wheel, VERSIONS):
        shutil.copy(file, debian.root / "srv")
    debian.succeed("python3 -m venv /opt/nanoconf")
    debian.succeed(f"pip {INSTALL} /srv/conda.txt /srv/*.whl")
    assert "for all users" in debian.succeed("nanoconf warm-up")
    debian.log.append(debian.succeed("python3 --version; du -sm /opt/nanoconf"))


def as_root(debian: Debian) -> None:
    for command in ("nanoconf predict -o run", "nanoconf evaluate", SIMULATE):
        debian.succeed(f"cd /root && {command}", HOME="/root")


def as_a_user(debian: Debian) -> None:
    """In the C locale, in a folder whose name is not ASCII, without a network."""
    given = {"HOME": HOME, "LC_ALL": "C"}
    debian.succeed(f"mkdir {HOME}/Übung", USER, **given)
    for command in ("nanoconf predict -o run", SIMULATE, "nanoconf runs"):
        debian.succeed(f"cd {HOME}/Übung && {command}", USER, network=False, **given)


def as_an_unknown_user(debian: Debian) -> None:
    """As containers run: a user ID without a name and a home folder."""
    debian.succeed("cd /tmp && mkdir stranger && cd stranger && nanoconf predict -o run", STRANGER)
    refused = debian.run(f"cd /tmp/stranger && {SIMULATE}", STRANGER)
    assert refused.returncode == 2
    assert "NANOCONF_HOME" in refused.stderr and refused.stderr.count("\n") == 1
    home = {"NANOCONF_HOME": "/tmp/stranger/home"}
    debian.succeed(f"cd /tmp/stranger && {SIMULATE}", STRANGER, network=False, **home)


def shows_the_page(debian: Debian) -> None:
    """To the user; the page itself is tested elsewhere."""
    port = free_port()
    script = f"cd && exec nanoconf app --no-browser --port {port}"
    inside = subprocess.Popen(
        debian.command(script, USER, HOME=HOME),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def page() -> str:
        assert inside.poll() is None, "the server has ended"
        try:
            return urlopen(f"http://127.0.0.1:{port}/", timeout=300).read().decode()
        except (URLError, OSError):
            return ""

    try:
        until(lambda: "application/vnd.jupyter.widget-view+json" in page(), "the page")
    finally:
        inside.terminate()
        inside.wait()
