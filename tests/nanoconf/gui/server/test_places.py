"""Queue for a limited number of pages."""

from __future__ import annotations

import pytest

from nanoconf.gui.server.places import (
    FORGOTTEN_SECONDS,
    MOST_WAITING,
    PRESENT_SECONDS,
    RESERVED_SECONDS,
    Places,
)


class House:
    """Places for two pages, with a clock of its own."""

    def __init__(self) -> None:
        self.now, self.open = 0.0, 0
        self.places = Places(2, lambda: self.open, lambda: self.now)

    def enter(self, ticket: str | None = None) -> bool:
        entered = self.places.enter(ticket)
        self.open += entered
        return entered


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def full(house: House) -> House:
    assert house.enter() and house.enter()
    assert not house.enter()
    return house


def test_waiting_pages_are_admitted_in_order(full):
    ask = full.places.ask
    assert [ask("a"), ask("b"), ask("c")] == [0, 1, 2]
    full.open -= 1
    assert ask("b") == 1
    assert ask("a") is None
    assert full.enter("a")
    assert [ask("b"), ask("c")] == [0, 1]


def test_nobody_overtakes_those_who_wait(full):
    full.places.ask("a")
    full.open -= 1
    assert not full.enter(), "the place is for the page that waits"
    assert full.places.ask("a") is None
    assert not full.enter(), "it is reserved"
    assert full.enter("a") and full.open == 2


def test_a_place_is_reserved_for_one_page_only(full):
    full.places.ask("a")
    full.open -= 1
    assert full.places.ask("a") is None
    assert full.enter("a")
    full.open -= 1
    assert full.places.ask("b") is None
    assert not full.enter("a"), "its reservation is used up"


def test_a_page_that_has_left_the_queue_is_passed_over(full):
    full.places.ask("gone")
    full.now += PRESENT_SECONDS + 1
    assert full.places.ask("b") == 0
    full.open -= 1
    assert full.places.ask("b") is None


def test_a_hidden_page_that_rarely_polls_keeps_its_position(full):
    full.places.ask("hidden")
    full.now += 60
    assert full.places.ask("b") == 0
    assert full.places.ask("hidden") == 0 and full.places.ask("b") == 1
    full.now += FORGOTTEN_SECONDS + 1
    assert full.places.ask("b") == 0 and full.places.ask("hidden") == 1


def test_an_unused_reservation_expires(full):
    full.places.ask("a")
    full.open -= 1
    assert full.places.ask("a") is None
    assert full.places.ask("b") == 0
    full.now += RESERVED_SECONDS + 1
    assert full.places.ask("b") is None and full.enter("b")


def test_a_page_that_claims_its_place_too_late_keeps_its_position(full):
    ask = full.places.ask
    assert [ask(ticket) for ticket in "abc"] == [0, 1, 2]
    full.open -= 1
    assert ask("a") is None
    full.now += RESERVED_SECONDS + 1
    assert ask("b") is None, "nobody claimed the place"
    assert full.enter("b")
    assert not full.enter("a") and full.places.is_waiting("a")
    assert [ask("c"), ask("a"), ask("c")] == [0, 0, 1]
    full.open -= 1
    assert full.enter("a"), "a place is free, and nobody is ahead"
    assert not full.places.is_waiting("a") and ask("c") == 0


def test_the_position_of_a_page_that_never_claims_its_place_is_forgotten(full):
    assert full.places.ask("gone") == 0
    full.open -= 1
    assert full.places.ask("gone") is None
    full.now += RESERVED_SECONDS
    assert full.places.is_waiting("gone")
    full.now += FORGOTTEN_SECONDS
    assert not full.places.is_waiting("gone")


def test_the_queue_is_limited(full):
    for number in range(MOST_WAITING + 100):
        full.places.ask(f"ticket {number}")
    assert full.places.ask("last") == MOST_WAITING
