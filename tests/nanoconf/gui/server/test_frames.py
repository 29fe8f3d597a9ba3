"""Messages that the server accepts from a page."""

from __future__ import annotations

import json
import struct

import pytest

from nanoconf.gui.server.frames import Allowance, is_well_formed
from tests.support.web import assemble, frame

HEADER = json.dumps({"msg_type": "comm_msg"}).encode()
REST = [b"{}", b"{}", b"{}"]


def with_numbers(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


MALFORMED = {
    "an endless number of offsets": b"\xff" * 8,
    "nothing": b"",
    "less than a number": b"\x06\x00",
    "text": frame("comm_msg").decode("latin-1"),
    "no offsets": with_numbers(0),
    "offsets that are not there": with_numbers(6, 56),
    "offsets that fall": with_numbers(6, 56, 60, 58, 62, 64, 66) + b"x" * 10,
    "offsets beyond the end": with_numbers(6, 56, 60, 62, 64, 66, 2**63) + b"x" * 10,
    "a message shorter than its offsets": frame("comm_msg")[:-1],
    "a message longer than its offsets": frame("comm_msg") + b"x",
    "too many buffers": assemble([b"shell", HEADER, *REST, *[b""] * 1000]),
    "no content": assemble([b"shell", HEADER, b"{}", b"{}"]),
    "an unknown channel": frame("comm_msg", channel="secret"),
    "a channel that only the kernel writes to": frame("comm_msg", channel="iopub"),
    "a header that is not JSON": assemble([b"shell", b"{", *REST]),
    "a header that is not text": assemble([b"shell", b"\xff\xfe", *REST]),
    "a header that is a list": assemble([b"shell", b"[]", *REST]),
    "a header without a type": assemble([b"shell", b"{}", *REST]),
    "a header of endless depth": assemble([b"shell", b"[" * 10**5, *REST]),
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_message_is_recognized(message):
    assert not is_well_formed(message)


def test_messages_of_a_page_are_well_formed():
    assert is_well_formed(frame("comm_msg", {"data": {"value": 0.5}}))
    assert is_well_formed(frame("kernel_info_request", channel="control"))
    assert is_well_formed(assemble([b"shell", HEADER, *REST, b"a buffer", b"another"]))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_sixty_messages_a_second_are_never_delayed():
    clock = Clock()
    allowance = Allowance(clock=clock)
    delays = []
    for _ in range(60 * 60):
        clock.now += 1 / 60
        delays.append(allowance.delay(2000))
    assert max(delays) == 0


def test_a_flood_is_slowed_down_to_the_rate_and_causes_no_delay_afterwards():
    clock = Clock()
    allowance = Allowance(messages=100, clock=clock)
    for _ in range(5000):
        clock.now += allowance.delay(10)
    # The first ten seconds' worth come at once.
    assert clock.now == pytest.approx(5000 / 100 - 10, rel=0.01)
    clock.now += 10
    assert allowance.delay(10) == 0


def test_large_messages_count_by_their_size():
    clock = Clock()
    allowance = Allowance(messages=100, size=1000, clock=clock)
    for _ in range(100):
        clock.now += allowance.delay(500)
    assert clock.now == pytest.approx(100 * 500 / 1000 - 10, rel=0.05)
