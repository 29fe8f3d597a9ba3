"""Background work that only serves the latest request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from nanoconf.gui.services.latest import Latest
from tests.support.homes import until


def test_a_failure_is_reported_and_the_next_request_is_served():
    done: list[int] = []
    told: list[Exception] = []

    def action(number: int) -> None:
        if number == 1:
            raise LookupError("not the first")
        done.append(number)

    with ThreadPoolExecutor(1) as executor:
        latest = Latest(executor, action, told.append)
        latest.request(1)
        until(lambda: told)
        latest.request(2)
        until(lambda: done)
    assert [str(error) for error in told] == ["not the first"] and done == [2]
