"""The page's server on this computer: its addresses, its messages, and the number of pages."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import websocket

from nanoconf.gui.serve import PROTECTED
from tests.support.browser import ROOT, cmdline
from tests.support.homes import PATIENCE, kill, until
from tests.support.web import ASSET, Answer, WebServer, closed_with, frame, received

PLACES = 2
"""Places of the server; a page of this file keeps one of them."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    options = ["--allowed-host=page.example.org", f"--max-pages={PLACES}"]
    options.append("--frame-ancestors=https://course.example.org")
    with WebServer(tmp_path_factory.mktemp("web"), options) as server:
        yield server


@pytest.fixture(scope="module")
def page(server: WebServer) -> Answer:
    """A page that stays open."""
    page = server.get()
    assert page.status == 200
    return page


@pytest.fixture(scope="module", autouse=True)
def stays_open(server: WebServer, page: Answer) -> Iterator[websocket.WebSocket]:
    connection = server.connect(page.kernel)
    yield connection
    connection.close()


@pytest.fixture
def connection(server: WebServer, page: Answer) -> Iterator[websocket.WebSocket]:
    connection = server.connect(page.kernel)
    yield connection
    connection.close()


def responds(connection: websocket.WebSocket) -> bool:
    """Ask the kernel something; return True if it answers."""
    connection.send_binary(frame("kernel_info_request"))
    return received(connection, "kernel_info_reply")


# --- addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "page.example.org"])
def test_own_and_allowed_host_names_are_served(server, name):
    assert server.get(ASSET, Host=f"{name}:{server.port}").status == 200
    assert server.get(ASSET, Host=name).status == 200


@pytest.mark.parametrize(
    "path", ["/", ASSET, "/queue?ticket=1", "/login", "/nowhere", "/api/predict", "/api/docs"]
)
def test_a_foreign_host_name_is_refused_with_one_line(server, path):
    before = len(server.kernels)
    answer = server.get(path, Host="evil.example.org")
    assert answer.status == 421
    assert answer.body.count("\n") == 1 and "--allowed-host" in answer.body
    assert "evil" not in answer.body
    assert len(server.kernels) == before


def test_a_websocket_from_another_site_is_refused(server, page):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        server.connect(page.kernel, origin="http://evil.example.org")
    assert refused.value.status_code == 403
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        server.connect(page.kernel, host="evil.example.org", origin="http://evil.example.org")
    assert refused.value.status_code == 421


@pytest.mark.parametrize(
    "path",
    [
        "/api/kernels",
        "/api/contents",
        "/api/contents/README.md",
        "/api/sessions",
        "/api/terminals",
        "/api/kernelspecs",
        "/terminals/1",
        "/tree",
        "/voila/files/docs/page.png",
        "/docs/page.png",
        "/voila/render/app.ipynb",
        "/voila/tree",
        "/voila/templates/nanoconf/conf.json",
        "/voila/templates/%2e%2e/static/x",
        "/voila/static/%2e%2e/conf.json",
        "/nbextensions/x.js",
        "/logout",
    ],
)
def test_what_the_page_does_not_need_is_not_served(server, path):
    assert server.get(path).status in (403, 404)


def test_programs_need_no_token_on_this_computer_but_a_key_to_change_anything(server):
    assert server.get("/api/predict?h=3.4").status == 200
    assert server.get("/api/runs", "POST", "{}", Content_Type="application/json").status == 403
    token = {"Cookie": "_xsrf=abc", "X_XSRFToken": "abc"}
    assert server.get("/api/runs", "POST", "{}", **token).status == 403
    assert len(server.kernels) <= PLACES


def test_kernels_can_be_neither_listed_nor_started_nor_controlled(server, page):
    token = {"Cookie": "_xsrf=abc", "X_XSRFToken": "abc"}
    assert server.get("/api/kernels", "POST", "{}", **token).status == 404
    assert server.get(f"/api/kernels/{page.kernel}", "DELETE", **token).status == 405
    assert server.get(f"/api/kernels/{page.kernel}/restart", "POST", **token).status == 404
    assert server.get(f"/api/kernels/{page.kernel}/interrupt", "POST", **token).status == 404
    assert server.get(f"/api/kernels/{page.kernel}").status == 200


def test_every_response_has_the_security_headers(server, page):
    foreign = server.get(Host="evil.example.org")
    answers = [page, foreign, server.get(ASSET), server.get("/nowhere"), server.get("/login")]
    answers += [server.get("/queue"), server.get(f"/api/kernels/{page.kernel}")]
    answers += [server.get("/voila/labextensions/anywidget/package.json")]
    answers += [server.get("/voila/static/nowhere.js"), server.get("/", "PUT")]
    answers += [server.get("/voila/labextensions/nowhere.js")]
    answers += [server.get("/api/predict"), server.get("/api/docs"), server.get("/api/runs/1")]
    assert {answer.status for answer in answers} == {200, 400, 403, 404, 302, 421}
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff", answer
        assert answer.headers["Referrer-Policy"] == "same-origin", answer
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors https://course.example.org" in policy


def test_scripts_of_the_page_have_its_nonce_and_no_others_may_run(page):
    policy = page.headers["Content-Security-Policy"]
    sources = re.search(r"script-src ([^;]+);", policy)[1].split()
    (nonce,) = (source for source in sources if source.startswith("'nonce-"))
    assert sources == ["'self'", "blob:", nonce]
    scripts = re.findall(r"<script[^>]*>", page.body)
    assert scripts and all(f'nonce="{nonce[7:-1]}"' in script for script in scripts)


# --- messages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [b"\xff" * 8, b"", b"\x00" * 8, frame("comm_msg", channel="iopub"), frame("x")[:-3]],
    ids=["eight bytes", "empty", "zeros", "iopub", "cut off"],
)
def test_a_malformed_message_ends_only_its_own_connection(server, connection, stays_open, message):
    connection.send_binary(message)
    assert closed_with(connection) == 1007
    assert server.get(ASSET).status == 200
    assert responds(stays_open)


def test_a_text_message_is_refused(connection):
    connection.send(json.dumps({"header": {"msg_type": "comm_msg"}, "channel": "shell"}))
    assert closed_with(connection) == 1007


def test_a_large_message_is_accepted_and_one_that_is_too_large_is_not(server, connection):
    connection.send_binary(frame("kernel_info_request", {"text": "x" * 900_000}))
    assert received(connection, "kernel_info_reply")
    with pytest.raises((OSError, websocket.WebSocketException)):
        connection.send_binary(frame("kernel_info_request", {"text": "x" * 2_000_000}))
        assert closed_with(connection) == 1009
        connection.recv()
    assert server.get(ASSET).status == 200


def test_other_formats_are_refused(server, page):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        server.connect(page.kernel, protocol=None)
    assert refused.value.status_code == 400


def test_connections_to_one_kernel_are_limited(server, page):
    connections = []
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        for _ in range(10):
            connections.append(server.connect(page.kernel))
    assert refused.value.status_code == 429
    for each in connections:
        each.close()


def test_a_kernel_that_is_gone_has_no_websocket(server):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        server.connect("00000000-0000-0000-0000-000000000000")
    assert refused.value.status_code == 404


def test_a_flood_is_slowed_down(server, page):
    start = time.monotonic()
    connection = server.connect(page.kernel)
    for _ in range(1200):
        connection.send_binary(frame("comm_msg", {"comm_id": "none", "data": {}}))
    assert responds(connection)
    # 1,000 messages are free at once, and 100 a second afterwards.
    assert time.monotonic() - start > 2
    connection.close()


# --- number of pages ------------------------------------------------------------------------


def test_more_pages_wait_in_a_queue_and_are_let_in(server, page):
    other = server.get()
    assert other.status == 200
    kernels = len(server.kernels)

    waiting = server.get()
    assert waiting.status == 503 and "You are next." in waiting.body
    assert waiting.headers["Retry-After"] == "3"
    second = server.get()
    assert second.status == 503 and "1 ahead of you." in second.body
    assert len(server.kernels) == kernels

    def ask(queued: Answer) -> Answer:
        return server.get(re.search(r"/queue\?ticket=[\w-]+", queued.body)[0])

    assert json.loads(ask(waiting).body) == {"ahead": 0}
    assert json.loads(ask(second).body) == {"ahead": 1}
    assert server.end(other.kernel).status == 204
    assert json.loads(ask(second).body) == {"ahead": 1}
    reserved = ask(waiting)
    assert json.loads(reserved.body) == {"ahead": None}
    assert "HttpOnly" in reserved.headers["Set-Cookie"]
    assert server.get().status == 503, "the place is reserved"
    admitted = server.get(Cookie=reserved.cookie)
    assert admitted.status == 200
    server.end(admitted.kernel)
    until(lambda: len(server.kernels) == 1, "the kernels to end")


def test_a_page_whose_kernel_dies_while_it_loads_says_so_and_frees_its_place(server):
    cookie, before = reserve(server, "doomed"), server.kernels
    with server.asking("/", Cookie=cookie) as connection:
        until(lambda: len(server.kernels) > len(before), "a kernel to start")
        kill([kernel for kernel in server.kernels if kernel not in before])
        text = connection.getresponse().read().decode()
    assert "its process ended. Reload the page." in text
    until(lambda: len(server.kernels) == len(before), "the restarted kernel to end")


@pytest.mark.long
def test_a_page_appears_even_if_its_process_takes_more_than_a_minute_to_start(server):
    cookie, before = reserve(server, "patient"), server.kernels
    with server.asking("/", Cookie=cookie) as connection:
        until(lambda: len(server.kernels) > len(before), "a kernel to start")
        (kernel,) = [each for each in server.kernels if each not in before]
        kernel.suspend()
        time.sleep(65)
        kernel.resume()
        answer = connection.getresponse()
        page = Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
    assert "application/vnd.jupyter.widget-view+json" in page.body
    server.end(page.kernel)
    until(lambda: len(server.kernels) == len(before), "the kernel to end")


def test_a_kernel_that_loses_its_page_before_the_browser_connects_ends(server):
    page = server.get(Cookie=reserve(server, "unlucky"))
    kill([kernel for kernel in server.kernels if page.kernel in cmdline(kernel)])
    until(
        lambda: server.get(f"/api/kernels/{page.kernel}").status == 404,
        "the kernel that was started again to end",
    )


def test_a_page_that_closes_while_its_kernel_is_started_again_ends_the_kernel(server):
    page = server.get(Cookie=reserve(server, "closing"))
    connection = server.connect(page.kernel)
    kill([kernel for kernel in server.kernels if page.kernel in cmdline(kernel)])
    while b'"restarting"' not in connection.recv():
        pass
    assert server.end(page.kernel).status == 204
    connection.close()
    until(lambda: len(server.kernels) == 1, "the kernel that was started again to end")


def test_abandoned_page_loads_leave_no_kernel(server):
    with server.asking("/", Cookie=reserve(server, "slow")):
        until(lambda: len(server.kernels) > 1, "a kernel to start")
    until(lambda: len(server.kernels) == 1, "the kernel of a page given up to end")
    for number in range(20):  # one kernel that is left would keep the place for 45 s
        with server.asking("/", Cookie=reserve(server, f"fast{number}", patience=30)):
            pass  # before a kernel is started
    reserve(server, "last")
    until(lambda: len(server.kernels) == 1, "no kernel to be left")


def reserve(server: WebServer, ticket: str, patience: float = PATIENCE) -> str:
    """Wait in the queue for a place; return its cookie."""
    path = f"/queue?ticket={ticket}"
    until(lambda: server.get(path).body == '{"ahead": null}', "a free place", patience)
    return f"nanoconf-place={ticket}"


def test_the_terminal_shows_no_traceback_and_no_requests(server):
    assert "Traceback" not in server.output
    assert "evil.example.org" not in server.output and " GET " not in server.output


# --- plain Voila ----------------------------------------------------------------------------


def test_plain_voila_has_the_same_protection_and_ends_kernels_of_disconnected_pages(tmp_path):
    kernels = ("unopened_seconds=2", "disconnected_seconds=1", "cull_interval=1")
    options = [f"--PageKernels.{option}" for option in kernels]
    with WebServer(tmp_path / "home", options, plain=True) as server:
        assert server.get(Host="evil.example.org").status == 421
        assert server.get("/voila/files/docs/page.png").status == 404
        never_connected = server.get()
        connection = open_page(server)
        until(lambda: len(server.kernels) == 1, "the end of a page that never connected")
        gone = f"/api/kernels/{never_connected.kernel}"
        until(lambda: server.get(gone).status == 404, "its address to be gone")
        assert responds(connection)
        connection.close()
        until(lambda: not server.kernels, "the kernel of a lost page to end")
        assert "lacks the protection" not in server.output


def open_page(server: WebServer) -> websocket.WebSocket:
    """Connect to a new page; on a busy computer the kernel of the first one may end too soon."""
    with suppress(websocket.WebSocketBadStatusException):
        return server.connect(server.get().kernel)
    return open_page(server)


def test_plain_voila_without_the_configuration_says_what_is_missing(tmp_path):
    plain = WebServer(tmp_path / "home", plain=True, folder=tmp_path)
    with plain as server, server.asking("/"):
        until(lambda: "lacks the protection" in server.output, "the notice")


def test_the_configuration_for_plain_voila_is_that_of_nanoconf_app():
    assert json.loads((Path(ROOT) / "voila.json").read_text()) == PROTECTED
