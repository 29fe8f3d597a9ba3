"""Damaged run folders."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from tests.fuzz.cases import kind
from tests.fuzz.commands import Command
from tests.fuzz.files import damaged, no_file

RUNS = Path(__file__).parents[1] / "fixtures" / "home" / "runs"

READ = ("run.json", "result.json", "progress.json", "attempts.json", "failure.json", "blocks.npz")
"""Files that decide what becomes of a run; damage to the others is rarer here."""


@kind("folders", 0.1)
def folders(random: Random, folder: Path) -> Command:
    """Make an archive of one run, some of whose files are damaged, replaced or missing."""
    home = folder / "archive"
    original = random.choice(sorted(path for path in RUNS.iterdir() if path.is_dir()))
    run = shutil.copytree(original, home / "runs" / original.name)
    files = sorted(path for path in run.iterdir() if path.stat().st_size)
    likely = [path for path in files if path.name in READ]
    for file in random.sample(likely, random.randint(1, min(2, len(likely)))):
        _damage(random, file)
    intact = [path for path in files if path.is_file()]  # a damaged one may be a folder now
    if intact and random.random() < 0.3:
        _damage(random, random.choice(intact))
    verb = random.choice((["runs"], ["runs", "--json"], ["runs", "show", run.name]))
    return Command(verb, folder, {"NANOCONF_HOME": str(home)}, (0, 1, 2))


def _damage(random: Random, file: Path) -> None:
    content = file.read_bytes() if file.is_file() else b""
    file.unlink(missing_ok=True)
    if random.random() < 0.2:
        no_file(random, file)
    elif file.suffix == ".npz":
        start = random.randint(0, len(content))
        file.write_bytes(content[:start] + random.randbytes(8) + content[start + 8 :])
    else:
        file.write_bytes(damaged(random, content.decode("utf-8", "surrogateescape")))
