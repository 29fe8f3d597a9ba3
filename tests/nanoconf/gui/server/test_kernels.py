"""Kernels of pages: how many there may be by default, when they end, and what is logged."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from nbclient.exceptions import DeadKernelError

from nanoconf.gui.server import kernels
from nanoconf.gui.server.kernels import (
    MAX_PAGES,
    PAGE_BYTES,
    PageKernels,
    default_pages,
    memory,
)


def test_half_of_the_memory_is_for_pages(monkeypatch):
    monkeypatch.delenv(MAX_PAGES, raising=False)
    monkeypatch.setattr(kernels, "memory", lambda: 20 * PAGE_BYTES)
    assert default_pages() == 10
    monkeypatch.setattr(kernels, "memory", lambda: PAGE_BYTES)
    assert default_pages() == 2, "a reloaded page needs a second place for a moment"


def test_the_memory_limit_of_a_container_is_respected(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(kernels, "CGROUP_LIMIT", limit)
    everything = memory()
    limit.write_text("1000000000\n")
    assert memory() == min(1e9, everything)
    limit.write_text("max\n")
    assert memory() == everything


def test_the_variable_sets_the_number_of_pages(monkeypatch):
    monkeypatch.setenv(MAX_PAGES, "7")
    assert default_pages() == 7
    for text in ("0", "-1", "many", "1.5"):
        monkeypatch.setenv(MAX_PAGES, text)
        with pytest.raises(ValueError, match=r"NANOCONF_MAX_PAGES=.* must be a whole number"):
            default_pages()


@pytest.mark.parametrize(("error", "lines"), [(DeadKernelError("Kernel died"), 0), (OSError(), 1)])
def test_the_traceback_of_a_page_whose_kernel_died_is_not_logged(caplog, error, lines):
    log = logging.getLogger("test of a server")
    PageKernels(log=log)
    try:
        raise error
    except type(error):
        log.exception("Error at server while executing cell")
    assert len(caplog.records) == lines


def test_a_page_that_asks_for_its_kernel_keeps_it(tmp_path):
    asyncio.run(ask_for_the_kernel(tmp_path))


async def ask_for_the_kernel(folder: Path) -> None:
    pages = PageKernels(root_dir=str(folder), max_pages=1, disconnected_seconds=0.0)
    page = await pages.start_kernel(kernel_name="python3")

    async def disconnect() -> None:
        pages.notify_connect(page)
        pages.notify_disconnect(page)
        await asyncio.sleep(0.01)

    await disconnect()
    pages.keep_for_page(page)
    await pages.cull_kernel_if_idle(page)
    assert page in pages
    await disconnect()
    await pages.cull_kernel_if_idle(page)
    assert page not in pages
