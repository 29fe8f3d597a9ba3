"""Host names, frame ancestors and interfaces."""

from __future__ import annotations

import re

import pytest

from nanoconf.gui.server import host_names
from nanoconf.gui.server.headers import check_ancestor, policy
from nanoconf.gui.server.host_names import address, check_name, foreign_hosts, is_loopback


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "page.org"])
def test_own_and_allowed_names_are_served(name):
    assert not re.match(foreign_hosts(["page.org"]), name)


@pytest.mark.parametrize(
    "name",
    [
        "evil.org",
        "localhost.evil.org",
        "evil-localhost",
        "127.0.0.1.evil.org",
        "128.0.0.1",
        "pagexorg",
        "sub.page.org",
        "page.org\n",
        "",
    ],
)
def test_other_names_are_foreign(name):
    assert re.match(foreign_hosts(["page.org"]), name)


def test_an_address_is_not_a_host_name():
    assert check_name("Page.Example.org") == "page.example.org"
    for text in ("https://page.org", "page.org:80", "page.org/path", "", "*", ".org", "a b"):
        with pytest.raises(ValueError, match="must be a name without a scheme or port"):
            check_name(text)


def test_only_origins_may_be_frame_ancestors():
    assert check_ancestor("none") == "'none'" and check_ancestor("'self'") == "'self'"
    for origin in ("https://a.org", "http://a.org:8080", "https://*.a.org"):
        assert check_ancestor(origin) == origin
    for text in ("a.org", "https://a.org; script-src *", "https://a.org b.org", "*", "", "https:"):
        with pytest.raises(ValueError, match="must be self, none or an origin"):
            check_ancestor(text)


def test_frame_ancestors_are_self_unless_others_are_given():
    assert policy({"default-src": "'none'"}, []) == "default-src 'none'; frame-ancestors 'self'"
    assert "frame-ancestors https://a.org https://b.org" in policy(
        {}, ["https://a.org", "https://b.org"]
    )


def test_loopback_addresses_are_recognized():
    assert all(is_loopback(host) for host in ("", "localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "192.168.0.2", "page.org"))
    assert address("127.0.0.1", 80) == "http://localhost:80"
    assert address("2001:db8::1", 80) == "http://[2001:db8::1]:80"


@pytest.mark.parametrize(
    ("name", "in_container", "printed"),
    [
        ("7326a47a09c0", True, "localhost"),
        ("7326a47a09c0", False, "7326a47a09c0"),
        ("page", True, "page"),
    ],
)
def test_the_id_of_a_container_is_no_address(tmp_path, monkeypatch, name, in_container, printed):
    mark = tmp_path / ".dockerenv"
    if in_container:
        mark.touch()
    monkeypatch.setattr(host_names, "CONTAINER_MARKS", (mark,))
    monkeypatch.setattr(host_names.socket, "gethostname", lambda: name)
    assert address("0.0.0.0", 8866) == f"http://{printed}:8866"
