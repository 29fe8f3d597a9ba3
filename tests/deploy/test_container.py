"""The image of the container, built and started."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import homes
from tests.support.container import Builder, megabytes, require_builder
from tests.support.homes import kill, running, until
from tests.support.web import free_port

IMAGE, BASE = "localhost/nanoconf", "localhost/debian"

USER = "12345:0"
"""A user ID that the image does not know."""

LARGEST_MB = 1200


def answer(port: int, path: str) -> int:
    with suppress(OSError):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=homes.PATIENCE)
        connection.request("GET", path)
        return connection.getresponse().status
    return 0


@pytest.mark.long
def test_the_image_serves_the_page_and_simulates_as_any_user(tmp_path):
    require_builder()
    with Builder(tmp_path) as builder:
        builder.make_base(BASE)
        start = time.monotonic()
        builder.build(IMAGE, BASE)
        print(f"image: built in {time.monotonic() - start:.0f} s")
        container = builder.buildah("from", IMAGE)
        holds_the_package(builder, container)
        config = json.loads(builder.buildah("inspect", "--type=image", IMAGE))["Docker"]["config"]
        assert config["User"] == "10001:0" and config["Volumes"] == {"/data": {}}
        simulates(builder, container)
        serves_the_page(builder, container, config)


def holds_the_package(builder: Builder, container: str) -> None:
    """Assert that the image holds the compiled engine, no TensorFlow, and little else."""
    tree = Path(builder.buildah("mount", container))
    size = megabytes(tree)
    print(f"image: {size:.0f} MB")
    assert size <= LARGEST_MB
    assert not list(tree.glob("opt/nanoconf/lib/python*/site-packages/tensorflow"))
    assert list(tree.glob("opt/nanoconf/lib/**/__pycache__/compiled/**/*.nbc"))


def simulates(builder: Builder, container: str) -> None:
    """Assert that a simulation runs."""
    options = ["-p", "3", "-d", "0.5", "--duration-ns", "0.001", "-o", "/data/run"]
    words = ["nanoconf", "simulate", *options]
    assert builder.start(container, USER, *words).wait(homes.PATIENCE) == 0


def serves_the_page(builder: Builder, container: str, config: dict[str, Any]) -> None:
    """Assert that the page is served with a token, and that the image's check finds it healthy."""
    port = free_port()
    page = builder.start(container, USER, *config["Entrypoint"], *config["Cmd"], f"--port={port}")
    try:
        until(lambda: page.poll() is not None or answer(port, "/login") == 200, "the page")
        assert answer(port, "/") == 302, "a token is needed"
        check = [word.replace("8866", str(port)) for word in config["Healthcheck"]["Test"][1:]]
        assert builder.start(container, USER, *check).wait(homes.PATIENCE) == 0
    finally:
        kill(running(f"--port={port}"))
        page.wait(homes.PATIENCE)
