"""The systemd unit, installed as its comments say and started in a system booted with systemd.

The systemd-nspawn container already lacks real devices, kernel modules and the clock. What
`ProtectClock`, `ProtectKernelModules`, `ProtectKernelLogs` and `PrivateDevices` add to that is
visible only in mounts and capabilities.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from playwright.sync_api import Browser, sync_playwright

from backend.runs.run import Run
from backend.runs.run_state import RunState
from tests.support.browser import (
    FLAGS,
    ROOT,
    SHORTEST,
    Window,
    cmdline,
    predict,
    require_chromium,
    simulate,
)
from tests.support.container import megabytes
from tests.support.debian import Debian
from tests.support.homes import until
from tests.support.installs import build_wheel
from tests.support.machine import PACKAGES, RELEASE, Machine, require_nspawn

pytestmark = pytest.mark.long

UNIT = ROOT / "deploy" / "nanoconf.service"

URL = "http://nanoconf.example.org:8866/nanoconf/"
"""Address of the page with the options in the unit."""

STATE = "var/lib/private/nanoconf"
"""Folder of the service; ``/var/lib/nanoconf`` is a link to it."""

LENGTH = "5"
"""Length of a simulation that can be interrupted twice (ns)."""

KILLED = ("Main process exited, code=killed", "Failed with result 'signal'")
"""Warnings of systemd after the test has killed the server."""

MOUNTS = {
    "/": r" ro,",
    "/dev": r" ro,.* tmpfs ",
    "/home": r" ro,.* tmpfs ",
    "/root": r" ro,.* tmpfs ",
    "/tmp": r"^\S*/systemd-private-\S+-nanoconf\.service-\S+/tmp /tmp rw,",
    "/proc": r"\bhidepid=invisible",
    "/proc/sys": r" ro,",
    "/proc/kmsg": r" ro,.* tmpfs ",
    "/sys/fs/cgroup": r" ro,",
    f"/{STATE}": r" rw,",
}
"""Mounts that the service sees, and a pattern for the line of each."""

PROBE = """
import ctypes, errno, os, signal, socket
libc = ctypes.CDLL(None, use_errno=True)

def attempt(name, action):
    if not (child := os.fork()):
        try:
            action()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    killed, code = os.WTERMSIG(status), os.WEXITSTATUS(status)
    print(name, signal.Signals(killed).name if killed else errno.errorcode.get(code, "allowed"))

def call(function, *words):
    if function(*words) < 0:
        raise OSError(ctypes.get_errno(), "")

own = open(os.path.expanduser("~/own"), "w")
attempt("own", lambda: own.write("text"))
print("mode", oct(os.fstat(own.fileno()).st_mode & 0o777))
attempt("setuid", lambda: os.fchmod(own.fileno(), 0o4755))
attempt("installation", lambda: open("/opt/nanoconf/probe", "w"))
attempt("home", lambda: os.listdir("/home"))
attempt("console", lambda: open("/dev/console"))
attempt("first", lambda: os.listdir("/proc/1"))
attempt("tunable", lambda: open("/proc/sys/vm/swappiness", "w"))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("namespace", lambda: os.unshare(os.CLONE_NEWUSER))
attempt("personality", lambda: call(libc.personality, 0x0040000))
attempt("hostname", lambda: socket.sethostname("probe"))
attempt("umount", lambda: call(libc.umount, b"/tmp"))
"""
"""A program that attempts what the unit denies."""

DENIED = {
    "own": "allowed",
    "mode": "0o600",
    "setuid": "EPERM",
    "installation": "EROFS",
    "home": "EACCES",
    "console": "ENOENT",
    "first": "ENOENT",
    "tunable": "EROFS",
    "packet": "EAFNOSUPPORT",
    "namespace": "EPERM",
    "personality": "EPERM",
    "hostname": "SIGSYS",
    "umount": "SIGSYS",
}
"""Output of the program."""

# --- the installation -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted Debian with the service, installed once for this file."""
    require_nspawn()
    folder = tmp_path_factory.mktemp("machine")
    debian = Debian(folder / "debian")
    try:
        debian = Debian.install(RELEASE, debian.root, PACKAGES)
        *steps, last = steps_of_installation(debian)
        for step in steps:
            debian.succeed(f"cd /srv && {step}")
        with Machine(debian, folder / "console.log") as machine:
            machine.succeed(f"cd /srv && {last}")
            yield machine
    finally:
        print(*debian.log, sep="\n")
        shutil.rmtree(debian.root, ignore_errors=True)


def steps_of_installation(debian: Debian) -> list[str]:
    """Return the commands in the comments of the unit, with the wheel of this checkout.

    They find their files in ``/srv``. Only the last one needs systemd.
    """
    shutil.copy(UNIT, debian.root / "srv")
    wheel = build_wheel(debian.root / "srv")
    steps = re.findall("^#     (.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    changed = [
        step.replace("pip install nanoconf", f"pip install ./{wheel.name}") for step in steps
    ]
    assert [old == new for old, new in zip(steps, changed, strict=True)] == [
        False,
        True,
        True,
        True,
    ]
    return changed


@pytest.fixture(autouse=True)
def journal(machine: Machine) -> Iterator[None]:
    """Start the service unless it is running, and check afterwards what it has logged."""
    machine.succeed("systemctl start nanoconf")
    until(lambda: answers(machine), "the page")
    yield
    text = machine.succeed("journalctl --no-pager --unit nanoconf")
    assert "The page is at" in text
    assert "Traceback" not in text and "ERROR" not in text, text
    assert token_of(machine) not in text
    of_systemd = machine.succeed("journalctl --no-pager -q -o cat -p warning --unit nanoconf")
    lines = of_systemd.splitlines()
    assert [line for line in lines if not any(each in line for each in KILLED)] == []


def token_of(machine: Machine) -> str:
    return (machine.debian.root / "etc" / "nanoconf.token").read_text().strip()


def answers(machine: Machine) -> bool:
    ask = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8866/login')"
    return machine.run(f'python3 -c "{ask}"').returncode == 0


def show(machine: Machine, name: str) -> str:
    """Return a property of the service."""
    return machine.succeed(f"systemctl show --value --property {name} nanoconf")


def processes(machine: Machine) -> list[psutil.Process]:
    """Return the processes of the installation."""
    everything = psutil.Process(machine.pid).children(recursive=True)
    return [each for each in everything if "/opt/nanoconf/" in cmdline(each)]


# --- the page -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser in the network of the machine."""
    wrapper = tmp_path_factory.mktemp("browser") / "chromium"
    with sync_playwright() as playwright:
        words = [*machine.in_network, require_chromium(playwright)]
        wrapper.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
        wrapper.chmod(0o755)
        rules = "--host-resolver-rules=MAP nanoconf.example.org 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=wrapper, args=[*FLAGS, rules])
        yield browser
        browser.close()


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    window = Window(browser, SimpleNamespace(url=URL))
    yield window
    window.close()


def enter(window: Window, machine: Machine) -> None:
    """Open the page with the token."""
    window.page.goto(f"{URL}?token={token_of(machine)}")
    assert "could not be loaded" not in window.page.inner_text("body")
    window.ready()
    assert window.page.url == URL


def runs(machine: Machine) -> set[Path]:
    return set((machine.debian.root / STATE / "home" / "runs").glob("[!.]*"))


def new_run(machine: Machine, before: set[Path]) -> Run:
    """Return the run that has been submitted since."""
    (folder,) = runs(machine) - before
    return Run(folder)


def samples(run: Run) -> bool:
    """Return True if a simulation is sampling."""
    progress = run.progress()
    return progress is not None and progress.phase == "sampling"


def resumed_from(run: Run) -> list[int]:
    """Return the steps from which the first replica has resumed."""
    log = (run.folder / "worker.log").read_text(encoding="utf-8")
    return [int(step) for step in re.findall(r"replica 0 resumes from step (\d+)", log)]


# --- tests --------------------------------------------------------------------------------------


def test_the_service_has_an_unprivileged_user_and_a_sandbox(machine):
    assert machine.succeed("systemctl is-enabled nanoconf") == "enabled"
    assert (show(machine, "ActiveState"), show(machine, "SubState")) == ("active", "running")
    pid = show(machine, "MainPID")
    text = machine.succeed(f"cat /proc/{pid}/status")
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    (user,) = set(status["Uid"].split())
    assert user == show(machine, "UID") and 61184 <= int(user) <= 65519, "a dynamic user"
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    for name in ("mnt", "user", "uts"):
        links = machine.succeed(f"readlink /proc/1/ns/{name} /proc/{pid}/ns/{name}").split()
        assert len(set(links)) == 2, name
    lines = machine.succeed(f"cut -d' ' -f4- /proc/{pid}/mountinfo").splitlines()
    mounts = {line.split()[1]: line for line in lines}
    for path, part in MOUNTS.items():
        assert re.search(part, mounts[path]), mounts[path]


def test_a_program_in_the_sandbox_is_denied_what_the_unit_forbids(machine):
    unit = UNIT.read_text(encoding="utf-8")
    command = "Type=oneshot\nExecStart=/opt/nanoconf/bin/python3 /opt/probe.py"
    unit, found = re.subn("^ExecStart=.*$", command, unit, flags=re.MULTILINE)
    assert found == 1
    unit = unit.replace("Directory=nanoconf", "Directory=probe").replace("%S/nanoconf", "%S/probe")
    etc = machine.debian.root / "etc" / "systemd" / "system"
    (etc / "probe.service").write_text(unit, encoding="utf-8")
    (machine.debian.root / "opt" / "probe.py").write_text(PROBE, encoding="utf-8")
    machine.succeed("systemctl daemon-reload && systemctl start probe")
    lines = machine.succeed("journalctl --no-pager -q -o cat _COMM=python3 --unit probe")
    assert dict(line.split() for line in lines.splitlines()) == DENIED


def test_the_page_predicts_and_simulates_with_the_shared_engine(machine, window):
    before, start = runs(machine), time.monotonic()
    machine.succeed("systemctl restart nanoconf")
    until(lambda: answers(machine), "the page")
    page = window.page
    assert page.goto(f"{URL}login").status == 200
    page.goto(URL)
    assert page.url.startswith(f"{URL}login?")
    enter(window, machine)
    print(f"opened in {time.monotonic() - start:.0f} s")
    predict(window)
    simulate(window, SHORTEST)
    window.picture("service")
    assert new_run(machine, before).state == RunState.DONE
    assert window.trouble == []

    state = machine.debian.root / STATE
    assert state.stat().st_mode & 0o077 == 0
    installed = machine.debian.root / "opt" / "nanoconf"
    print(f"{megabytes(installed):.0f} MB, {machine.succeed('systemctl --version | head -n 1')}")
    (shared,) = installed.glob("lib/python*/site-packages/backend/**/compiled")
    (own,) = state.glob(".cache/nanoconf/numba/*")
    assert compiled_in(own) == compiled_in(shared / own.name) != {}


def compiled_in(folder: Path) -> dict[Path, int]:
    """Return the names and sizes of the files of a compiled engine."""
    return {path.relative_to(folder): path.stat().st_size for path in folder.rglob("*.nbc")}


def test_a_simulation_resumes_after_a_stop_and_after_a_crash(machine, window):
    before = runs(machine)
    enter(window, machine)
    window.paste("Simulation length (ns)", LENGTH)
    window.button("Run").click()
    until(lambda: runs(machine) - before, "the run")
    run = new_run(machine, before)
    until(lambda: samples(run), "the simulation")
    stops(machine)
    assert run.interrupted and list(run.checkpoint_folder.iterdir())

    machine.succeed("systemctl start nanoconf")
    until(lambda: answers(machine), "the page")
    enter(window, machine)
    until(lambda: resumed_from(run), "the simulation to resume")
    crashes(machine)
    until(lambda: answers(machine), "the page")
    enter(window, machine)
    window.wait_for_status("Done")
    assert run.state == RunState.DONE
    assert [each["ended"] for each in run.attempts()] == ["interrupted", "interrupted", "done"]
    assert all(each["boot"] for each in run.attempts())
    first, second = resumed_from(run)
    assert 0 < first <= second
    # Chromium reports the requests of a page that has lost its server.
    assert [each for each in window.trouble if not each.startswith("console: ")] == []


def stops(machine: Machine) -> None:
    """Stop the service; assert that it ends without being killed and leaves no process."""
    start = time.monotonic()
    machine.succeed("systemctl stop nanoconf")
    print(f"stopped in {time.monotonic() - start:.1f} s")
    assert show(machine, "ActiveState") == "inactive"
    assert show(machine, "Result") == "success", "it ends before TimeoutStopSec"
    assert processes(machine) == []


def crashes(machine: Machine) -> None:
    """Kill the server; assert that systemd starts it again."""
    before, restarts = show(machine, "MainPID"), int(show(machine, "NRestarts"))
    machine.succeed(f"kill -9 {before}")
    until(lambda: show(machine, "MainPID") not in ("0", before), "the restart")
    assert int(show(machine, "NRestarts")) == restarts + 1
