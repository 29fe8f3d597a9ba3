"""Malformed input files: tables, configurations, JSON, datasets, and what is no file to read."""

from __future__ import annotations

import json
import os
import socket
from contextlib import chdir
from pathlib import Path
from random import Random
from typing import Any

from backend.cluster.config import EXAMPLE
from backend.inputs import SYSTEM
from tests.fuzz.cases import TEXTS, kind
from tests.fuzz.commands import Command

NOWHERE = ["-o", "/dev/null/nowhere"]
"""A folder that cannot be written, which is noticed after all input files have been read."""


# --- text -----------------------------------------------------------------------------------


def damaged(random: Random, text: str) -> bytes:
    """Return a text with a few random changes, in an encoding that may not be UTF-8."""
    for _ in range(random.randint(0, 3)):
        text = random.choice((_cut, _doubled, _swapped, _inserted))(random, text)
    encoding = random.choice(("utf-8",) * 6 + ("utf-16", "utf-8-sig", "latin-1"))
    return text.encode(encoding, "surrogateescape" if encoding == "utf-8" else "replace")


def _cut(random: Random, text: str) -> str:
    begin, end = sorted(random.randint(0, len(text)) for _ in range(2))
    return text[:begin] + text[end:]


def _doubled(random: Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    lines.insert(random.randint(0, len(lines)), random.choice(lines))
    return "".join(lines)


def _swapped(random: Random, text: str) -> str:
    old, new = (random.choice(',"=[]{}\n.;#0 ') for _ in range(2))
    return text.replace(old, new, random.randint(1, 5))


def _inserted(random: Random, text: str) -> str:
    place = random.randint(0, len(text))
    return text[:place] + random.choice(TEXTS) + text[place:]


# --- files that are none --------------------------------------------------------------------


def no_file(random: Random, path: Path) -> Path:
    """Make something that is no file to be read, or return the path of such a thing."""
    make = random.choice((_pipe, _socket, _loop, _sparse, _folder, lambda _path: None))
    if make(path) is None and not os.path.lexists(path):
        return Path(random.choice(("/dev/zero", "/dev/full", "/dev/stdout", str(path), "/proc")))
    return path


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, chdir(path.parent):
        listener.bind(path.name)  # a longer path may be too long for a socket


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _sparse(path: Path) -> None:
    with open(path, "wb") as stream:
        stream.truncate(1 << 40)


def _folder(path: Path) -> None:
    path.mkdir()


def _file(random: Random, folder: Path, name: str, text: str) -> str:
    """Write a damaged text to a file, or make something that is no file; return its path."""
    path = folder / name
    if random.random() < 0.15:
        return str(no_file(random, path))
    path.write_bytes(damaged(random, text))
    return str(path)


# --- kinds ----------------------------------------------------------------------------------


@kind("tables", 0.15)
def tables(random: Random, folder: Path) -> Command:
    """Make a table of systems with malformed cells, rows or columns."""
    names = random.sample(list(SYSTEM), random.randint(1, 4))
    if random.random() < 0.2:
        names.append(random.choice([*names, "colour", "", " h"]))
    rows = [",".join(_cell(random, name) for name in names) for _ in range(random.randint(0, 4))]
    file = _file(random, folder, "systems.csv", "\n".join([",".join(names), *rows, ""]))
    if random.random() < 0.5:
        return Command(["predict", "--batch", file, "-o", str(folder / "output")], folder)
    return Command(["sweep", "--plan", file, *NOWHERE], folder)


def _cell(random: Random, name: str) -> str:
    default = SYSTEM[name].default if name in SYSTEM else None
    if random.random() < 0.1:
        return random.choice(TEXTS)
    return "" if default is None else f"{default}"


@kind("clusters", 0.15)
def clusters(random: Random, folder: Path) -> Command:
    """Make a malformed configuration of clusters."""
    text = EXAMPLE.replace("# ", "", random.randint(0, 20))
    if random.random() < 0.5:
        key = random.choice(("host", "cores", "port", "setup", "python", "shared", "colour"))
        text += f"{key} = {_value(random)}\n"
    file = _file(random, folder, "clusters.toml", text)
    command = random.choice((["cluster", "list"], ["simulate", "--cluster", *NOWHERE]))
    return Command(command, folder, {"NANOCONF_CLUSTER_CONFIG": file})


def _value(random: Random) -> str:
    text = random.choice(TEXTS)
    return random.choice((json.dumps(text), text, f"[{json.dumps(text)}]", "[" * 5000, "{a=1}"))


@kind("json", 0.05)
def json_files(random: Random, folder: Path) -> Command:
    """Make a malformed JSON file."""
    measured: Any = {"cores": [{"cores": n, "seconds": 10 / n} for n in (1, 2)]}
    text = random.choice((json.dumps(measured), "[" * 100_000, "[1]", "null", '{"cores": [{}]}'))
    file = _file(random, folder, "scaling.json", text)
    return Command(["paper", "speed-up", "--scaling", file], folder)


@kind("datasets", 0.05)
def datasets(random: Random, folder: Path) -> Command:
    """Make a folder with a file of profiles that is damaged, or is none."""
    folder = folder / "work"
    data = folder / "data"
    data.mkdir(parents=True)
    _file(random, data, "profiles.parquet", "PAR1" + "x" * random.randint(0, 100) + "PAR1")
    verb = random.choice((["evaluate"], ["select-inputs"], ["train", "-o", "m"], ["compare"]))
    return Command([*verb, "--data", str(data)], folder)
