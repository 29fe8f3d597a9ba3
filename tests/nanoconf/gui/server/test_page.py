"""What the terminal shows of pages that fail to load."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress

import pytest

from nanoconf.gui.server.page import end, report_unless_kernel_died


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (RuntimeError("Kernel died before replying to kernel_info"), 0),
        (RuntimeError("Kernel didn't respond in 600 seconds"), 0),
        (RuntimeError("anything else"), 1),
        (ValueError("Kernel died"), 1),
    ],
)
def test_only_the_death_of_a_kernel_is_not_logged(caplog, error, lines):
    async def fail() -> None:
        raise error

    async def leave_alone() -> None:
        asyncio.get_running_loop().set_exception_handler(report_unless_kernel_died)
        task = asyncio.ensure_future(fail())
        await asyncio.wait({task})

    asyncio.run(leave_alone())
    gc.collect()
    assert len(caplog.records) == lines


def test_a_page_that_ignores_being_cancelled_once_has_ended_before_the_message_is_written(caplog):
    async def write() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        try:
            await asyncio.sleep(3600)
        finally:
            raise RuntimeError("Cannot write() after finish()")

    async def die() -> None:
        page = asyncio.ensure_future(write())
        await asyncio.sleep(0)
        await end(page)
        assert page.done()

    asyncio.run(die())
    gc.collect()
    assert not caplog.records
