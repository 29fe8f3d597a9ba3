"""Commands, paths and options in ``deploy``, and the entry in the launcher of JupyterLab."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from nanoconf.cli.main import parser
from nanoconf.gui.launcher import settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMMAND = re.compile(r"\bnanoconf app( [^`\n]*)")


def commands(text: str) -> list[list[str]]:
    """Return the options of every command ``nanoconf app`` in a text."""
    return [shlex.split(found[1]) for found in COMMAND.finditer(text)]


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile", "nanoconf.service"])
def test_every_command_in_a_file_is_valid(name):
    found = commands((DEPLOY / name).read_text(encoding="utf-8"))
    assert found
    for options in found:
        assert parser().parse_args(["app", *options]).base_url == "/nanoconf/"


def test_systemd_accepts_the_unit(tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        message = "NO SYSTEMD: install the Debian package systemd"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    unit = tmp_path / "nanoconf.service"
    text = (DEPLOY / unit.name).read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/nanoconf/bin/nanoconf", "/bin/true"), encoding="utf-8")
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def container_sources() -> list[str]:
    """Return the files and folders that the image is built from."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
    return [source for line in copied for source in line.split()]


def test_only_what_the_container_copies_is_sent_to_the_builder():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*" and rules[-1] == "**/__pycache__"
    assert sorted(rules[1:-1]) == sorted(f"!{source}" for source in container_sources())


def test_the_container_copies_what_the_wheel_is_built_from():
    sources = container_sources()
    assert [source for source in sources if not (ROOT / source).exists()] == []
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    wheel = build["build"]["targets"]["wheel"]
    needed = [*wheel["packages"], *wheel["force-include"], *wheel["shared-data"]]
    missing = [each for each in needed if not any(Path(each).is_relative_to(s) for s in sources)]
    assert missing == []


def test_compose_builds_and_starts_the_container():
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"][
        "page"
    ]
    context = DEPLOY / service["build"]["context"]
    assert (context / service["build"]["dockerfile"]).samefile(DEPLOY / "Containerfile")
    assert parser().parse_args(service["command"]).host == "0.0.0.0"


def test_the_launcher_starts_the_page_with_a_token_of_its_own():
    entry, other = settings(), settings()
    options = [each.format(port=1, base_url="/user/jo/") for each in entry["command"]]
    parsed = parser().parse_args(options[options.index("app") :])
    assert (parsed.base_url, parsed.port) == ("/user/jo/nanoconf/", 1)
    token = entry["environment"]["NANOCONF_TOKEN"]
    assert token in entry["request_headers_override"]["Authorization"]
    assert token not in "".join(options) and token != other["environment"]["NANOCONF_TOKEN"]
    assert Path(entry["launcher_entry"]["icon_path"]).read_text().startswith("<svg")


def test_only_on_a_jupyterhub_runs_end_with_the_server_of_a_user(monkeypatch):
    assert "--interrupt-runs" not in settings()["command"]
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/jo/")
    assert "--interrupt-runs" in settings()["command"]
