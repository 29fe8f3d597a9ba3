"""Queries that Voila cannot serve: the browser is sent to the page with one that it can."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.web import Application, RequestHandler

from nanoconf.gui.links import LONGEST, parse
from nanoconf.gui.server.queries import MAX_HEADER_BYTES, accept_any_query, usable

SERVED = (
    "",
    "h=3.4&zp=2",
    "h=%E2%88%923",
    "h=%",
    "token=a%20b&fix=c,h",
    "h=" + "3" * (LONGEST - 2),
)
REPLACED = {
    "h=" + "3" * 1_000_000: "too-long=",
    "theme=%ff": "",
    "h=3.4&theme=%ff&template=../..&c=0.2": "h=3.4&c=0.2",
    "h=%ff&c=0.2": "h=%EF%BF%BD&c=0.2",
    "h=" + "%ff" * (LONGEST // 3 - 1): "too-long=",
}


class Echo(RequestHandler):
    def get(self) -> None:
        # As Voila does for each page.
        self.get_argument("template", None)
        self.get_argument("theme", None)
        self.write(self.request.query)


def fetched(*queries: str) -> list[str]:
    """Return the queries with which a page is served at last."""

    async def fetch() -> list[str]:
        app = Application([("/page", Echo)])
        accept_any_query(app)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = app.listen(port, "127.0.0.1", max_header_size=MAX_HEADER_BYTES)
        try:
            client = AsyncHTTPClient(force_instance=True)
            answers = [await client.fetch(f"http://127.0.0.1:{port}/page?{q}") for q in queries]
            return [answer.body.decode() for answer in answers]
        finally:
            server.stop()
            await server.close_all_connections()

    return asyncio.run(fetch())


def test_a_query_that_can_be_served_is_not_changed():
    assert fetched(*SERVED) == list(SERVED)


def test_the_page_is_served_whatever_its_query():
    assert fetched(*REPLACED) == list(REPLACED.values())


@pytest.mark.parametrize("query", REPLACED, ids=lambda query: query[:12])
def test_the_page_reports_what_was_replaced_except_the_keys_of_voila(query):
    replaced = usable(usable(query))
    assert usable(replaced) == replaced
    problems = parse(f"?{replaced}").problems
    assert len(problems) == (0 if "theme" in query else 1)
