"""Access with a token: on other interfaces, and on request."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import websocket

from nanoconf.cli.main import main
from tests.support.browser import ROOT
from tests.support.homes import PATIENCE, until
from tests.support.web import ASSET, WebServer, query_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server for everyone, with a new token."""
    with WebServer(tmp_path_factory.mktemp("public"), ["--host=0.0.0.0"]) as server:
        yield server


@pytest.fixture(scope="module")
def token(server: WebServer) -> str:
    """Return the token in the printed address."""
    until(lambda: "The page is at" in server.output, "the address")
    (token,) = re.findall(rf"http://\S+:{server.port}/\?token=(\w+)", server.output)
    assert len(token) == 48
    return token


@pytest.fixture(scope="module")
def cookie(server: WebServer, token: str) -> str:
    return server.get(f"/?token={token}").cookie


def test_without_the_token_there_is_only_the_login_page(server, token):
    answer = server.get("/")
    assert answer.status == 302 and answer.headers["Location"].startswith("/login?")
    assert server.get("/queue?ticket=1").status == 302
    login = server.get("/login")
    assert login.status == 200 and "enter its token" in login.body and token not in login.body
    assert server.get("/", Cookie="username-localhost=forged").status == 302
    assert not server.kernels


def test_a_wrong_token_is_refused(server, token):
    for wrong in (token[:-1], token + "0", "", "ü"):
        assert server.get(f"/?{urlencode({'token': wrong})}").status == 302
    assert not server.kernels


def test_the_token_becomes_a_cookie_and_leaves_the_address(server, token):
    answer = server.get(f"/?a=1&token={token}&b=2")
    assert answer.status == 302
    assert answer.headers["Location"] == "./?a=1&b=2"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and token not in cookie
    assert not server.kernels, "the page is loaded from the address without the token"


def test_the_redirection_never_leaves_this_server(server, token):
    for path in ("//evil.example.org/", "/%2f/evil.example.org", "/\\evil.example.org"):
        location = server.get(f"{path}?token={token}").headers.get("Location", "/")
        assert re.match(r"\.?/(?![/\\])", location), location


def test_page_and_websocket_need_the_cookie(server, cookie):
    page = server.get("/", Cookie=cookie)
    assert page.status == 200
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        server.connect(page.kernel)
    assert refused.value.status_code == 403
    server.connect(page.kernel, cookie=cookie).close()
    assert server.get(f"/api/kernels/{page.kernel}").status == 403
    assert server.end(page.kernel).status == 403
    assert server.end(page.kernel, Cookie=f"_xsrf=abc; {cookie}").status == 204


def test_a_page_from_before_a_restart_does_not_clear_the_new_cookie(server, cookie):
    name = cookie.partition("=")[0]
    for path in ("/", "/voila/api/shutdown/1", "/api/kernels/1"):
        stale = server.get(path, Cookie=f"{name}=from-before; _xsrf=abc")
        assert stale.status >= 300
        assert name not in stale.headers.get("Set-Cookie", ""), path


def test_the_token_can_be_typed(server, token):
    form = server.get("/login")
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', form.body)[1]

    def login(word: str):
        return server.get(
            "/login?next=%2F%3Fa%3D1",
            "POST",
            urlencode({"password": word, "_xsrf": xsrf}),
            Cookie=f"_xsrf={xsrf}",
            Content_Type="application/x-www-form-urlencoded",
        )

    refused = login("wrong")
    assert refused.status == 401 and "not the token of this server" in refused.body
    accepted = login(token)
    assert accepted.status == 302 and query_of(accepted.headers["Location"]) == "a=1"
    assert "HttpOnly" in accepted.headers["Set-Cookie"]


def test_other_host_names_are_served_because_the_token_protects(server):
    assert server.get(ASSET, Host="any.example.org").status == 200
    assert server.get("/", Host="any.example.org").status == 302


def test_a_configured_token_is_in_no_log_and_in_no_other_process(tmp_path):
    token = "a-token-of-my-own"
    options = ["--debug"]
    with WebServer(tmp_path / "home", options, {"NANOCONF_TOKEN": token}, plain=True) as server:
        assert server.get("/").status == 302
        cookie = server.get(f"/?token={token}").cookie
        assert server.get(f"/nowhere?token={token}", Referer=f"/?token={token}").status == 404
        assert server.get("/", Cookie=cookie, Referer=f"/?token={token}").status == 200
        until(lambda: server.kernels, "the kernel")
        assert all("NANOCONF_TOKEN" not in each.environ() for each in server.kernels)
        assert "configured token" in server.output
        assert token not in server.output


def test_starting_without_a_token_prints_a_warning(tmp_path):
    with WebServer(tmp_path / "home", ["--host=0.0.0.0", "--no-token"]) as server:
        assert server.get("/queue?ticket=1").status == 200
        until(lambda: "anyone who can reach this port can use the page" in server.output, "words")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--allowed-host=https://a.org"], "must be a name without a scheme or port"),
        (["--frame-ancestors=*"], "must be self, none or an origin"),
        (["--max-pages=0"], "must be a whole number of at least 1"),
        (["--token", "--no-token"], "not allowed with"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_invalid_option_is_explained_on_one_line(capsys, options, words):
    with pytest.raises(SystemExit) as ended:
        main(["app", "--no-browser", *options])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("NANOCONF_TOKEN_FILE", "/nowhere", "Cannot read the token in /nowhere"),
        ("NANOCONF_MAX_PAGES", "all", "must be a whole number of at least 1"),
        ("NANOCONF_ALLOWED_HOSTS", "a.org b:80", "must be a name without a scheme or port"),
    ],
)
def test_an_invalid_variable_is_explained_on_one_line(home, name, value, words):
    process = subprocess.run(
        [sys.executable, "-m", "nanoconf", "app", "--no-browser", "--port=0"],
        cwd=ROOT,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert words in process.stderr.strip().splitlines()[-1]
