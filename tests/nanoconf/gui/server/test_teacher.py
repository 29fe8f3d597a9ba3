"""Teacher's view and names of users: what the server believes and passes to a page's kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest

from nanoconf.cli.main import main
from nanoconf.gui.server.proxies import TrustedProxies, check_proxy
from nanoconf.gui.server.teacher import COOKIE, Attempts, Teacher
from nanoconf.gui.services.visitor import ROLE, USER
from tests.support.homes import PATIENCE
from tests.support.web import ASSET, WebServer

TOKEN = "chalk-and-blackboard"

PROXY = "127.0.0.2"
"""Address of this computer from which requests come like those of a proxy."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    folder = tmp_path_factory.mktemp("class")
    (folder / "token").write_text(f"{TOKEN}\n")
    options = [f"--teacher-token-file={folder / 'token'}", f"--trusted-proxy=192.0.2.1,{PROXY}"]
    options.append("--allowed-host=page.example.org")  # headers of a proxy are read
    with WebServer(folder / "home", options) as server:
        yield server
        assert TOKEN not in server.output


def visitor(server: WebServer, path: str = "/", **options: str) -> tuple[str, str]:
    """Open a page, and return the name and the role that its kernel was given."""
    page = server.get(path, **options)
    assert page.status == 200
    environment = server.environment_of(page.kernel)
    assert TOKEN not in str(environment) and "NANOCONF_TEACHER" not in str(environment)
    server.end(page.kernel)
    return environment[USER], environment[ROLE]


# --- the teacher ----------------------------------------------------------------------------


def enter(server: WebServer, word: str, *, source: str = "", xsrf: str = ""):
    """Enter a token into the form."""
    form = server.get("/?teacher")
    found = re.search(r'name="_xsrf" value="([^"]+)"', form.body)[1]
    return server.get(
        "/teacher",
        "POST",
        urlencode({"password": word, "_xsrf": xsrf or found}),
        source=source,
        Cookie=f"_xsrf={found}",
        Content_Type="application/x-www-form-urlencoded",
    )


def test_the_token_opens_the_teachers_view_in_one_browser(server):
    before = len(server.kernels)
    form = server.get("/?teacher")
    assert form.status == 200 and 'type="password"' in form.body and TOKEN not in form.body
    assert len(server.kernels) == before, "the form needs no kernel"
    accepted = enter(server, TOKEN)
    assert accepted.status == 302 and accepted.headers["Location"] == "/?teacher"
    cookie = accepted.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and TOKEN not in cookie
    assert visitor(server, "/?teacher", Cookie=accepted.cookie) == ("", "teacher")
    assert visitor(server) == ("", "student")


def test_neither_a_wrong_token_nor_a_forged_cookie_or_form_opens_it(server):
    refused = enter(server, TOKEN[:-1])
    assert refused.status == 401 and "Set-Cookie" not in refused.headers
    assert "not the teacher&#x27;s token" in refused.body
    assert enter(server, TOKEN, xsrf="another").status == 403
    for forged in (TOKEN, "", "1"):
        form = server.get("/?teacher", Cookie=f"{COOKIE}={forged}")
        assert form.status == 200 and 'type="password"' in form.body
    assert visitor(server, Cookie=f"{COOKIE}={TOKEN}") == ("", "student")


def test_leaving_removes_the_cookie(server):
    left = server.get("/teacher?leave")
    assert left.status == 302 and left.headers["Location"] == "/"
    assert left.headers["Set-Cookie"].startswith(f'{COOKIE}="";')


def test_the_rate_of_attempts_is_limited(server):
    statuses = [enter(server, "guess", source="127.0.0.3").status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    late = enter(server, TOKEN, source="127.0.0.3")
    assert late.status == 429 and "Set-Cookie" not in late.headers
    assert 1 <= int(late.headers["Retry-After"]) <= 10
    assert enter(server, TOKEN).status == 302, "another address is not affected"


def test_attempts_are_limited_for_an_address_and_in_total():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    assert [attempts.wait("a") for _ in range(6)] == [0] * 5 + [10]
    now[0] = 10.0
    assert attempts.wait("a") == 0 < attempts.wait("a")
    now[0] = 1000.0
    assert [attempts.wait(f"{i}") for i in range(31)] == [0] * 30 + [2]
    now[0] = 1002.0
    assert attempts.wait("another") == 0 < attempts.wait("and another")
    assert len(attempts._each) == 31, "only addresses with recent attempts are remembered"


def test_tokens_are_compared_as_a_whole():
    teacher = Teacher(TOKEN)
    assert teacher.accepts(TOKEN)
    for wrong in ("", TOKEN[:-1], f"{TOKEN} ", TOKEN.upper(), "ü"):
        assert not teacher.accepts(wrong)


def test_without_a_token_there_is_no_teachers_view(tmp_path):
    with WebServer(tmp_path / "home") as server:
        page = server.get("/?teacher", Cookie=f"{COOKIE}=1")
        assert "teacher" not in re.sub(r"\?teacher", "", page.body.lower())
        assert server.environment_of(page.kernel)[ROLE] == ""
        assert server.get("/teacher").status == 404
        assert server.get("/teacher", "POST", "password=x").status == 404


# --- names of users -------------------------------------------------------------------------


def test_the_name_that_a_trusted_proxy_passes_is_accepted(server):
    assert visitor(server, source=PROXY, X_Forwarded_User="alice") == ("alice", "student")
    assert visitor(server, source=PROXY) == ("", "student")


def test_the_name_from_any_other_address_is_ignored(server):
    forged = {"X_Forwarded_User": "alice", "X_Forwarded_For": PROXY, "X_Real_Ip": PROXY}
    assert visitor(server, **forged) == ("", "student")
    assert visitor(server, source="127.0.0.3", **forged) == ("", "student")


@pytest.mark.parametrize("names", [["mallory", "alice"], ["mallory,alice"], ["x" * 257]])
def test_a_proxy_that_lets_browsers_add_names_is_refused(server, names):
    before = len(server.kernels)
    connection = HTTPConnection(
        "127.0.0.1", server.port, timeout=PATIENCE, source_address=(PROXY, 0)
    )
    connection.putrequest("GET", "/")
    for name in names:
        connection.putheader("X-Forwarded-User", name)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 400 and text.count("\n") == 1 and "one name" in text
    assert len(server.kernels) == before


def test_addresses_and_networks_are_compared_as_numbers():
    proxies = TrustedProxies(["10.1.0.0/16", "192.0.2.7", "2001:db8::1"])
    for peer in ("10.1.2.3", "192.0.2.7", "::ffff:192.0.2.7", "2001:0db8:0::1"):
        assert proxies._trusts(peer), peer
    for peer in ("10.2.0.1", "192.0.2.70", "::1", "127.0.0.1", "", "unix", "192.0.2.7 "):
        assert not proxies._trusts(peer), peer


@pytest.mark.parametrize("text", ["", "proxy.example.org", "10.0.0.1/8", "0.0.0.0/0", "::/0", "1"])
def test_a_proxy_must_be_an_address_or_a_network(text):
    with pytest.raises(ValueError, match="must be an IP address or a network"):
        check_proxy(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trusted-proxy=proxy.example.org"], "must be an IP address or a network"),
        (["--trusted-proxy=192.0.2.1,"], "must be an IP address or a network"),
        (["--trusted-proxy=192.0.2.1", "--user-header=a b"], "must consist of letters"),
        (["--user-header=X-User"], "needs --trusted-proxy ADDRESS"),
        (["--teacher-token-file=/nowhere"], "Cannot read the token in /nowhere"),
        (["--teacher-token-file="], "must not be empty"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_an_invalid_option_is_explained_on_one_line(capsys, options, words):
    try:
        status = main(["app", "--no-browser", *options])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert words in capsys.readouterr().err.strip().splitlines()[-1]


def test_unusable_teacher_tokens_are_refused(monkeypatch, tmp_path):
    from nanoconf.gui.server.teacher import configured
    from nanoconf.gui.server.tokens import TokenError

    for text, words in (("short", "at least 8"), ("two words here", "one word"), ("", "one word")):
        monkeypatch.setenv("NANOCONF_TEACHER_TOKEN", text)
        with pytest.raises(TokenError, match=words):
            configured()
    monkeypatch.setenv("NANOCONF_TEACHER_TOKEN", TOKEN)
    assert configured() == TOKEN


def test_a_page_that_asks_for_its_own_token_asks_the_teacher_for_both(tmp_path):
    options, environment = ["--token"], {"NANOCONF_TOKEN": "of-the-page"}
    environment["NANOCONF_TEACHER_TOKEN"] = TOKEN
    with WebServer(tmp_path / "home", options, environment) as server:
        assert server.get(ASSET).status == 200
        for path in ("/?teacher", "/teacher"):
            assert server.get(path).headers["Location"].startswith("/login?")
        cookie = server.get("/?token=of-the-page").cookie
        assert 'type="password"' in server.get("/?teacher", Cookie=cookie).body
        page = server.get("/", Cookie=cookie)
        assert TOKEN not in str(server.environment_of(page.kernel)), "nor do kernels know it"
