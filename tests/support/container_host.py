"""Docker, Compose and Podman on a separate minimal Debian system, isolated from this computer."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.container import PATH, RELEASE
from tests.support.homes import until

PROGRAMS = ("debootstrap", "slirp4netns", "unshare", "nsenter", "setpriv")

FROM_THIS_COMPUTER = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
"""Files that pip needs in the base image to reach the package index as it does here."""

PACKAGES = (
    "docker.io docker-cli docker-buildx docker-compose "
    "podman crun netavark nftables iptables passt uidmap"
)

BASE = "docker.io/library/debian:trixie-slim"
"""Base image of the Containerfile; here, it comes from debootstrap, not from a registry."""

SOURCE = "/src"
"""Folder of the project on the host."""

STUDENT, HOME = 1234, "/opt/student"
"""User ID and home folder of an ordinary user."""

ENTER = """
cd "$1"
mount --bind . .
cd "$1"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
# Everyone may use the device, as on an ordinary Debian.
mount -t tmpfs tmpfs dev/net
mknod -m 666 dev/net/tun c 10 200
mkdir run/old
pivot_root . run/old
umount -l run/old
# crun does not support both versions of control groups at once.
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
mount --make-rshared /
install -d -o student /run/user/1234
exec sleep infinity
"""
"""Makes a folder the root folder of the new namespaces."""


def require_host() -> None:
    """Skip the test where there can be no host; fail in CI."""
    missing = [each for each in PROGRAMS if not shutil.which(each, path=PATH)]
    if os.geteuid() != 0:
        unavailable("become root")
    if missing:
        unavailable(f"install the Debian packages debootstrap slirp4netns ({missing} missing)")


def unavailable(reason: str) -> None:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"NO DOCKER, NO PODMAN: {reason}")


class ContainerHost:
    """A Debian system with Docker, Compose and Podman, in its own namespaces.

    Its files, network, mounts and processes are not those of this computer, so the engines use
    their default paths, and the page its default port. Its processes end with it.

    Parameters
    ----------
    folder : Path
        Folder for its files (several GB), which are deleted on exit.
    source : Path
        The project.
    """

    def __init__(self, folder: Path, source: Path):
        self._folder, self._root = folder, folder / "root"
        self._source = source
        self._processes: list[subprocess.Popen[bytes]] = []
        self._groups = f"nanoconf-{os.getpid()}"
        self.pid = 0

    def __enter__(self) -> ContainerHost:
        try:
            self._install()
            self._start()
            self._start_docker()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the containers, the daemon and all other processes; delete all files."""
        if self.pid:
            for user in (0, STUDENT):
                self.attempt("podman", "rm", "-fa", user=user)
            self.attempt("sh", "-c", "docker rm -fv $(docker ps -aq); kill $(cat /run/docker.pid)")
            with suppress(AssertionError):
                gone = ("test", "!", "-e", "/run/docker.pid")
                until(lambda: self.attempt(*gone).returncode == 0, patience=30)
        for process in self._processes:
            process.kill()
            process.wait()
        until(lambda: not psutil.pid_exists(self.pid), "the end of all processes")
        shutil.rmtree(self._folder)
        remove_groups(self._groups)
        remove_groups("libpod_parent")

    # --- making it ----------------------------------------------------------------------------

    def _install(self) -> None:
        """Install the base image and, on a copy of it, the engines."""
        base = self._folder / "base"
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates"]
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        environment = {**os.environ, "PATH": PATH, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*command, RELEASE, str(base)], env=environment, **quiet)
        for name in FROM_THIS_COMPUTER:
            if Path(name).exists():
                shutil.copy(name, base / name[1:])
        subprocess.run(["cp", "-a", str(base), str(self._root)], check=True)
        shutil.copy("/etc/resolv.conf", self._root / "etc" / "resolv.conf")
        policy = self._root / "usr" / "sbin" / "policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
        install = f"apt-get update -qq; apt-get install -y -qq --no-install-recommends {PACKAGES}"
        add_user = f"useradd --create-home --home-dir {HOME} --uid {STUDENT} student"
        script = f"{{ {install}; }} 2>&1 && {add_user}"
        subprocess.run(["chroot", str(self._root), "sh", "-c", script], env=environment, **quiet)
        self._configure()

    def _configure(self) -> None:
        # slirp4netns answers at this address.
        (self._root / "etc" / "resolv.conf").write_text("nameserver 10.0.2.3\n", encoding="utf-8")
        # Podman asks for more than root may have in some containers and virtual machines.
        limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
        words = []
        for name, number in limits.items():
            _, hard = resource.getrlimit(number)
            words += [] if hard == resource.RLIM_INFINITY else [f'"{name}={hard}:{hard}"']
        (self._root / "etc" / "containers" / "containers.conf").write_text(
            f"[containers]\ndefault_ulimits = [{', '.join(words)}]\n", encoding="utf-8"
        )
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        files = subprocess.run(listing, cwd=self._source, check=True, capture_output=True).stdout
        for name in filter(None, files.decode().split("\0")):
            target = self._root / SOURCE[1:] / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._source / name, target)

    def _start(self) -> None:
        """Start the namespaces, and connect their network with that of this computer."""
        kinds = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation=private"]
        command = ["unshare", *kinds, "sh", "-euc", ENTER, "sh", str(self._root)]
        self._popen(command)
        host = psutil.Process(self._processes[0].pid)
        until(lambda: self._ended() or host.children(), "the namespaces")
        (first,) = host.children()
        self.pid = first.pid
        until(lambda: self._ended() or first.name() == "sleep", "the root folder")
        options = ["--configure", "--mtu=65520", "--disable-host-loopback"]
        self._popen(["slirp4netns", *options, str(self.pid), "tap0"])
        addresses = Path(f"/proc/{self.pid}/net/fib_trie")
        until(lambda: self._ended() or "10.0.2.100" in addresses.read_text(), "the network")

    def _popen(self, command: list[str]) -> None:
        # The host also ends if the tests are killed.
        words = ["setpriv", "--pdeathsig=KILL", *command]
        with (self._folder / "log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(words, env={**os.environ, "PATH": PATH}, stdout=log, stderr=log)
            )

    def _ended(self) -> bool:
        """Skip the test if a process that should be running has ended."""
        if any(each.poll() is not None for each in self._processes):
            unavailable((self._folder / "log").read_text(encoding="utf-8")[-500:])
        return False

    def _start_docker(self) -> None:
        self._popen(self.command("dockerd", f"--cgroup-parent=/{self._groups}"))
        until(
            lambda: self._ended() or self.attempt("docker", "info").returncode == 0,
            "Docker's daemon",
        )

    # --- using it -----------------------------------------------------------------------------

    def command(self, *words: str, user: int = 0, folder: str = "/") -> list[str]:
        """Return the command that runs a program on the host."""
        home = HOME if user else "/root"
        variables = [
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            f"HOME={home}",
            f"XDG_RUNTIME_DIR=/run/user/{user}" if user else "XDG_RUNTIME_DIR=",
            "PODMAN_IGNORE_CGROUPSV1_WARNING=1",
        ]
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", f"--wdns={folder}"]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        return [*enter, "env", "-i", *variables, *become, *words]

    def attempt(
        self, *words: str, user: int = 0, folder: str = "/"
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the host."""
        command = self.command(*words, user=user, folder=folder)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def run(self, line: str, user: int = 0, folder: str = SOURCE) -> str:
        """Run a line of shell that must succeed; return what it prints."""
        done = self.attempt("sh", "-c", line, user=user, folder=folder)
        assert done.returncode == 0, f"{line}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
        return done.stdout.strip()

    def timed(self, line: str, **options: Any) -> float:
        """Run a line of shell that must succeed; return the seconds it takes."""
        start = time.monotonic()
        self.run(line, **options)
        return time.monotonic() - start

    def import_base(self, engine: str) -> None:
        """Import the base image into an engine."""
        with subprocess.Popen(
            ["tar", "-C", str(self._folder / "base"), "-c", "."], stdout=subprocess.PIPE
        ) as tar:
            command = self.command(engine, "import", "-", BASE)
            subprocess.run(command, stdin=tar.stdout, check=True, capture_output=True)

    def program(self, name: str) -> Path:
        """Return a script that runs a program of this computer in the network of the host."""
        script = self._folder / "program"
        line = f'exec nsenter --net=/proc/{self.pid}/ns/net {shlex.quote(name)} "$@"'
        script.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        script.chmod(0o755)
        return script


def remove_groups(name: str) -> None:
    """Remove the empty control groups that an engine leaves behind."""
    parents = [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]
    for parent in parents:
        for folder, _, _ in os.walk(parent, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
