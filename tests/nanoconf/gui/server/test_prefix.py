"""The page under a path of a proxy, which passes the path on or removes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from nanoconf.cli.main import main
from nanoconf.gui.server.prefix import check_prefix
from tests.support.web import ASSET, Answer, WebServer, query_of

PREFIX, TOKEN = "/user/jo%40example.org/nano-conf/", "a-token-of-my-own"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    options = [f"--base-url={PREFIX}", "--allowed-host=page.example.org", "--max-pages=1"]
    home = tmp_path_factory.mktemp("prefix")
    with WebServer(home, options, {"NANOCONF_TOKEN": TOKEN}) as server:
        yield server


@pytest.fixture(scope="module")
def cookie(server: WebServer) -> str:
    return server.get(f"{PREFIX}?token={TOKEN}").cookie


@pytest.fixture(scope="module")
def page(server: WebServer, cookie: str) -> Iterator[Answer]:
    """A page that stays open."""
    page = server.get(PREFIX, Cookie=cookie)
    assert page.status == 200
    connection = server.connect(page.kernel, prefix=PREFIX.removesuffix("/"), cookie=cookie)
    yield page
    connection.close()


@pytest.mark.parametrize("text", ["/", "/nanoconf", "/a/b-c_d.e~f@g/%40h/"])
def test_a_path_is_accepted_with_or_without_its_last_slash(text):
    assert check_prefix(text) == text.rstrip("/") + "/"


BAD = """
nanoconf/ https://example.org/a/ //a/ /a//b/ /a?b=c /a#b/ /a/../b/ /./ /%4/ /(a)/ /ü/ /"/ /voila/
/api/x
"""


@pytest.mark.parametrize("text", [*BAD.split(), "/a b/"])
def test_anything_else_is_refused_on_one_line(capsys, text):
    with pytest.raises(SystemExit) as ended:
        main(["app", "--no-browser", f"--base-url={text}"])
    assert ended.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "--base-url" in last and "such as /nanoconf/" in last


def test_the_printed_address_has_the_prefix(server, page):
    assert f"The page is at http://localhost:{server.port}{PREFIX}?token=…" in server.output


def test_the_token_leads_to_the_prefix_and_stays_there(server):
    for path in (PREFIX, "/"):
        answer = server.get(f"{path}?h=3.4&token={TOKEN}")
        assert answer.status == 302 and answer.headers["Location"] == "./?h=3.4"
        assert f"Path={PREFIX};" in f"{answer.headers['Set-Cookie']};"
        login = server.get(f"{path}?h=3.4")
        assert login.headers["Location"].startswith(f"{PREFIX}login?")
        assert query_of(login.headers["Location"]) == urlencode({"next": f"{PREFIX}?h=3.4"})


def test_the_token_of_a_proxy_in_the_address_is_removed(server):
    """Jupyter's token, if Jupyter adds that of the page to every request."""
    header = {"Authorization": f"token {TOKEN}"}
    answer = server.get(f"{PREFIX}?token=of-jupyter", **header)
    assert answer.status == 302 and answer.headers["Location"] == "./"
    assert server.get(f"{PREFIX}queue?token=of-jupyter", **header).status == 400, "no ticket"
    assert server.get(f"{PREFIX}queue", Authorization="token wrong").status == 302


@pytest.mark.parametrize("path", [f"{PREFIX}login", "/login"])
def test_the_form_for_the_token_leads_back_to_the_prefix(server, path):
    form = server.get(path)
    assert f'action="{PREFIX}login?next={urlencode({"": PREFIX})[1:]}"' in form.body
    assert f"Path={PREFIX}" in form.headers["Set-Cookie"]


def test_the_prefix_without_its_last_slash_leads_to_the_page(server):
    answer = server.get(f"{PREFIX[:-1]}?run=0123abcd")
    assert answer.status == 302 and answer.headers["Location"] == f"{PREFIX}?run=0123abcd"
    assert server.get(PREFIX[:-1]).headers["Location"] == PREFIX
    assert server.get(f"{PREFIX[:-1]}x").status == 404


def test_everything_that_the_page_loads_is_under_the_prefix(server, cookie, page):
    loaded = re.findall(r'(?:src|href)="(/[^"]*)"', page.body)
    assert loaded and all(each.startswith(PREFIX) for each in loaded)
    assert f'"baseUrl": "{PREFIX}"' in page.body
    for address in loaded:
        assert server.get(address).status == 200, address
        assert server.get(address.removeprefix(PREFIX[:-1])).status == 200, address


def test_the_websocket_and_the_queue_are_under_the_prefix(server, cookie, page):
    inside = PREFIX.removesuffix("/")
    for path in ("", inside):
        server.connect(page.kernel, cookie=cookie, prefix=path).close()
    waiting = server.get(PREFIX, Cookie=cookie)
    assert waiting.status == 503
    queue = re.search(r'"([^"]*queue\?ticket=[^"]*)"', waiting.body)[1]
    assert queue.startswith(PREFIX)
    assert server.get(queue, Cookie=cookie).body == '{"ahead": 0}'


def test_the_api_endpoints_are_under_the_prefix(server):
    sent = {"Authorization": f"Bearer {TOKEN}"}
    for inside in ("/", PREFIX):
        described = json.loads(server.get(f"{inside}api/openapi.json", **sent).body)
        (place,) = described["servers"]
        assert place == {"url": PREFIX.removesuffix("/")}
    for path in ("/api/predict", "/api/runs"):
        assert path in described["paths"]
        assert server.get(place["url"] + path, **sent).status == 200
    keyed = {**sent, "X_Nanoconf_Key": "a-secret-of-a-student", "Content_Type": "application/json"}
    run = server.get(f"{PREFIX}api/runs", "POST", '{"ns": 10}', **keyed)
    assert run.status == 202 and run.headers["Location"].startswith(f"{PREFIX}api/runs/")
    assert server.get(run.headers["Location"], "DELETE", **keyed).status in (200, 202)


def test_links_in_the_api_documentation_are_under_the_prefix(server):
    sent = {"Authorization": f"Bearer {TOKEN}", "Host": f"page.example.org:{server.port}"}
    for path in ("api", "api/", "api/docs"):
        page = server.get(f"{PREFIX}{path}", **sent)
        assert page.status == 200
        for link in re.findall(r'(?:src|href)="([^"]*)"', page.body):
            if not link.startswith("data:"):
                assert link.startswith(PREFIX) and server.get(link, **sent).status == 200
        assert f"'http://page.example.org:{server.port}{PREFIX}api/predict?" in page.body
    login = server.get(f"{PREFIX}api/docs").headers["Location"]
    assert login == f"{PREFIX}login?{urlencode({'next': f'{PREFIX}api/docs'})}"


@pytest.mark.parametrize("path", ["/api/contents", f"{PREFIX}api/contents", "/tree", f"//x{ASSET}"])
def test_what_the_page_does_not_need_is_not_served(server, path):
    assert server.get(path).status == 404


def test_a_foreign_host_name_is_refused(server):
    for path in (PREFIX, PREFIX[:-1], "/"):
        assert server.get(path, Host="evil.example.org").status == 421
