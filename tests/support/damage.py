"""Damage to a file, as a bad disk, an interrupted copy or an editor may do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

Damage = Callable[[Path], None]


def whole_file() -> dict[str, Damage]:
    """Damage that does not depend on what the file holds."""
    return {
        "missing": Path.unlink,
        "a folder": lambda file: (file.unlink(), file.mkdir()),
        "a dangling link": lambda file: (file.unlink(), file.symlink_to("nowhere")),
        "empty": lambda file: file.write_bytes(b""),
        "not UTF-8": lambda file: file.write_bytes(b"\xff\xfe\x00{"),
        "zeros": lambda file: file.write_bytes(bytes(len(file.read_bytes()))),
        **{f"first {share:.0%}": _truncated(share) for share in (0.001, 0.2, 0.5, 0.9)},
        "without the last bytes": lambda file: file.write_bytes(file.read_bytes()[:-3]),
        "appended to": lambda file: file.write_bytes(file.read_bytes() + b"\x00"),
    }


def wrong_json() -> dict[str, Damage]:
    """Text that is not the JSON object that a file should hold."""
    texts = ("{", "[]", "3", '"text"', "null", "NaN", "{}", '{"model": NaN}', "[" * 100_000)
    return {f"JSON {text[:16]}": _replaced(text.encode()) for text in texts}


def flips(count: int, seed: int = 1) -> dict[str, Damage]:
    """Single flipped bits, spread over the whole file."""
    random = np.random.default_rng(seed)
    return {
        f"bit {bit} at {share:.4f}": _flipped(share, bit)
        for share, bit in zip(
            random.uniform(size=count), random.integers(8, size=count), strict=True
        )
    }


def damaged(file: Path, damages: dict[str, Damage]) -> Iterator[str]:
    """Damage a file in each way and restore it afterwards; yield the name of the damage."""
    content = file.read_bytes()
    for name, damage in damages.items():
        damage(file)
        yield name
        if file.is_dir():
            shutil.rmtree(file)
        file.unlink(missing_ok=True)
        file.write_bytes(content)


def _truncated(share: float) -> Damage:
    return lambda file: file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])


def _replaced(content: bytes) -> Damage:
    return lambda file: file.write_bytes(content) and None


def _flipped(share: float, bit: int) -> Damage:
    def flip(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[int(share * len(content))] ^= 1 << int(bit)
        file.write_bytes(content)

    return flip
