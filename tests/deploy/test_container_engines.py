"""The container with the real Docker, Compose and Podman, as the documents describe it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import FLAGS, ROOT, SHORTEST, Window, chromium, predict, simulate
from tests.support.container_host import HOME, SOURCE, STUDENT, ContainerHost, require_host
from tests.support.homes import until

pytestmark = pytest.mark.long

PUBLISH = "-p 127.0.0.1:8866:8866"
GRACE_SECONDS = 10
"""Time that engines give a container to stop."""

TERMINATED = 143


@dataclass(frozen=True)
class Site:
    """Address of the page on the host."""

    url: str = "http://localhost:8866/"


@dataclass(frozen=True)
class Engine:
    """Docker or Podman on the host, run as a user."""

    host: ContainerHost
    name: str
    user: int = 0

    def __call__(self, words: str, folder: str = SOURCE) -> str:
        return self.host.run(f"{self.name} {words}", self.user, folder)

    @contextmanager
    def page(self, options: str) -> Iterator[str]:
        """Start the page in the background; return its address with the token."""
        self(f"run -d --name page {PUBLISH} {options} nanoconf")
        try:
            yield self.address()
        finally:
            self("rm -fv page")

    def address(self, before: str = "") -> str:
        """Return the last address that the page has printed, once there is one after `before`."""
        found: list[str] = []

        def printed() -> bool:
            log = self.host.run(f"{self.name} logs page 2>&1", self.user)
            found[:] = re.findall(r"The page is at (\S+)", log)[-1:]
            return found not in ([], [before])

        until(printed, "the address")
        return found[0]

    def runs(self, words: str = "exec page nanoconf") -> list[dict[str, Any]]:
        return json.loads(self(f"{words} runs --json"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerHost]:
    require_host()
    with ContainerHost(tmp_path_factory.mktemp("host"), ROOT) as host:
        print(host.run("docker --version; docker compose version; podman --version"))
        yield host


@pytest.fixture(scope="module")
def browser(host: ContainerHost) -> Iterator[Browser]:
    """Return a browser on the host."""
    with sync_playwright() as playwright:
        program = chromium(playwright)
        assert program, "install Chromium"
        browser = playwright.chromium.launch(executable_path=host.program(program), args=FLAGS)
        yield browser
        browser.close()


def build(host: ContainerHost, name: str, options: str = "") -> Engine:
    """Build the image with an engine."""
    host.import_base(name)
    command = f"{name} build {options} -f deploy/Containerfile -t nanoconf ."
    print(f"{command}: {host.timed(command):.0f} s")
    engine = Engine(host, name)
    print(engine("image inspect -f '{{.Size}}' nanoconf"))
    return engine


@pytest.fixture(scope="module")
def docker(host: ContainerHost) -> Engine:
    return build(host, "docker")


@pytest.fixture(scope="module")
def podman(host: ContainerHost) -> Engine:
    return build(host, "podman", "--format docker")


@pytest.fixture(params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue(request.param)


def opened(browser: Browser, address: str) -> Window:
    """Open the page at an address."""
    window = Window(browser, Site())
    window.page.goto(address)
    return window.ready()


def closed(window: Window) -> None:
    window.close()
    assert window.trouble == []


def test_the_page_opens_at_the_printed_address(engine, browser):
    start = time.monotonic()
    with engine.page("-v nanoconf:/data") as address:
        assert address.startswith(f"{Site.url}?token=")
        window = opened(browser, address)
        print(f"{engine.name}: opened after {time.monotonic() - start:.1f} s")
        predict(window)
        simulate(window, SHORTEST)
        window.picture(f"container-{engine.name}")
        closed(window)
        assert [run["state"] for run in engine.runs()] == ["done"]
        assert is_healthy(engine)
    assert [run["state"] for run in engine.runs("run --rm -v nanoconf:/data nanoconf")] == ["done"]


def is_healthy(engine: Engine) -> bool:
    """Return True if the engine finds the page healthy; Podman without systemd must be asked."""
    if engine.name == "podman":
        engine("healthcheck run page")
        return True
    until(lambda: "starting" not in engine("inspect -f '{{.State.Health.Status}}' page"), "health")
    return engine("inspect -f '{{.State.Health.Status}}' page") == "healthy"


def test_any_user_can_run_the_page(engine, browser):
    with engine.page("--user 12345 -v other:/data") as address:
        assert "Uid:\t12345" in engine("exec page cat /proc/1/status")
        window = opened(browser, address)
        predict(window)
        simulate(window, SHORTEST)
        closed(window)


def test_a_simulation_ends_at_a_checkpoint_and_resumes(engine, browser):
    with engine.page("-v stopped:/data") as address:
        window = opened(browser, address)
        window.paste("Simulation length (ns)", "50")
        window.button("Run").click()
        until(lambda: any((run["fraction"] or 0) > 0.02 for run in engine.runs()), "a simulation")
        start = time.monotonic()
        engine("stop page")
        seconds = time.monotonic() - start
        print(f"{engine.name}: stopped after {seconds:.1f} s")
        assert seconds < GRACE_SECONDS
        window.close()
        assert engine("inspect -f '{{.State.ExitCode}}' page") in ("0", str(TERMINATED))
        (run,) = engine.runs("run --rm -v stopped:/data nanoconf")
        assert run["state"] == "queued"
        log = f"/data/home/runs/{run['id']}/worker.log"
        words = f"run --rm -v stopped:/data --entrypoint cat nanoconf {log}"
        assert engine(words).endswith("interrupted; the run is queued again")

        engine("start page")
        window = opened(browser, engine.address(before=address))
        until(lambda: engine.runs()[0]["fraction"] > run["fraction"], "more of the simulation")
        window.close()
        assert "resum" in engine(f"exec page cat {log}").rpartition("queued again")[2]


def test_other_commands_write_to_the_working_directory(docker):
    words = '--user "$(id -u):$(id -g)" -v "$PWD:/data" nanoconf predict -c 0.3 -o profiles'
    docker(f"run --rm {words}", folder="/root")
    assert "ml_positive_density.csv" in docker.host.run("ls profiles", folder="/root")


def test_an_ordinary_user_can_use_podman(podman, browser):
    rootless = Engine(podman.host, "podman", STUDENT)
    podman.host.run("podman save -o /tmp/image nanoconf && chmod a+r /tmp/image")
    rootless("load -q -i /tmp/image", HOME)
    podman.host.run("rm /tmp/image")
    with rootless.page("-v nanoconf:/data") as address:
        window = opened(browser, address)
        predict(window)
        simulate(window, SHORTEST)
        closed(window)
    words = '--userns=keep-id --user "$(id -u):$(id -g)" -v "$PWD:/data"'
    rootless(f"run --rm {words} nanoconf predict -c 0.3 -o profiles", HOME)
    assert "ml_positive_density.csv" in podman.host.run("ls profiles", STUDENT, HOME)


def test_compose_serves_the_page_with_the_token_of_the_file(docker, browser):
    host = docker.host
    text = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    make_token, up = re.findall(r"^# {5}(.+)$", text, re.MULTILINE)
    compose = f"{up.partition(' up')[0]} "
    host.run(make_token)
    start = time.monotonic()
    host.run(f"{up} --detach --wait")
    print(f"Compose: healthy after {time.monotonic() - start:.0f} s")
    try:
        token = host.run("cat deploy/token.txt")
        container = host.run(f"{compose} ps -q page")
        window = opened(browser, f"{Site.url}?token={token}")
        predict(window)
        simulate(window, SHORTEST)
        window.picture("container-compose")
        closed(window)
        assert token not in host.run(f"{compose} logs")
        status = host.run(f"{compose} exec page cat /proc/1/status")
        assert re.search(r"CapBnd:\t0{16}\nCapAmb:\t0{16}\nNoNewPrivs:\t1\n", status), status

        host.run(f"kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {container})")
        restarts = f"docker inspect -f '{{{{.RestartCount}}}} {{{{.State.Running}}}}' {container}"
        until(lambda: host.run(restarts) == "1 true", "the restart")
        host.run(f"{compose} down")
        host.run(f"{up} --detach --wait")
        runs = json.loads(host.run(f"{compose} exec page nanoconf runs --json"))
        assert [run["state"] for run in runs] == ["done"]
        closed(opened(browser, f"{Site.url}?token={token}"))

        host.run(f"{compose} down; chmod 600 deploy/token.txt; {up} --detach")
        refusal = "let the user who starts the page read the file"
        until(lambda: refusal in host.run(f"{compose} logs"), "the refusal")
        host.run(re.findall(r"^# (chown .+)$", text, re.MULTILINE)[0])
        until(lambda: "The page is at" in host.run(f"{compose} logs"), "the page")
    finally:
        host.run(f"{compose} down")
