"""Malformed input of every kind is refused in one line, and leaves and starts nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import arguments, files, folders, frames  # noqa: F401  (they register their kinds)
from tests.fuzz.cases import KINDS

CASES = 500
MANY_CASES = 10_000


def check(name: str, numbers: range, folder: Path) -> None:
    """Execute cases of a kind; fail with all those in which something is wrong."""
    wrong = []
    for number in numbers:
        place = folder / str(number)
        place.mkdir()
        case = KINDS[name].case(number, place)
        problems = case.problems()
        wrong += [f"{name} {number}: {case!r:.500}\n  {problem}" for problem in problems]
    assert not wrong, f"{len(wrong)} problems, the first ones:\n" + "\n".join(wrong[:10])


def numbers(name: str, total: int) -> range:
    shares = sum(each.share for each in KINDS.values())
    return range(round(total * KINDS[name].share / shares))


@pytest.mark.parametrize("name", KINDS)
def test_malformed_input_is_refused_in_one_line_and_starts_nothing(name, tmp_path):
    check(name, numbers(name, CASES), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", KINDS)
def test_much_malformed_input_is_refused_in_one_line_and_starts_nothing(name, tmp_path):
    check(name, numbers(name, MANY_CASES), tmp_path)
