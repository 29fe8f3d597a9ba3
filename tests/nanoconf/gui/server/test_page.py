"""What the terminal shows of pages that fail to load."""

from __future__ import annotations

import asyncio
import gc

import pytest

from nanoconf.gui.server.page import report_unless_kernel_died


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (RuntimeError("Kernel died before replying to kernel_info"), 0),
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
