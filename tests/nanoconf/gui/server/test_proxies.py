"""Users that a real proxy logs in."""

from __future__ import annotations

import pytest

from tests.support.proxies import PREFIX, USER, Proxy
from tests.support.web import WebServer


@pytest.mark.parametrize("name", ["nginx", pytest.param("caddy", marks=pytest.mark.long)])
def test_the_proxy_names_the_user_and_no_browser_can(tmp_path, name):
    options = [f"--base-url={PREFIX}", "--allowed-host=localhost", "--no-token"]
    options.append("--trusted-proxy=127.0.0.1")
    with (
        WebServer(tmp_path / "home", options) as server,
        Proxy(name, tmp_path / "proxy", server.port, users=True) as proxy,
    ):
        bare = proxy.get(PREFIX.removesuffix("/"), user=USER)
        assert bare.status in (301, 302) and bare.headers["Location"].endswith(PREFIX)
        assert proxy.get().status == 401
        page = proxy.get(user=USER, X_Forwarded_User="bob")
        assert page.status == 200
        assert server.environment_of(page.kernel)["NANOCONF_USER"] == USER
