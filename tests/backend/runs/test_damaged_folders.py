"""A damaged run folder is named once, set aside, and does not affect any other run.

One archive holds a folder for every kind of damage, next to intact runs. Each reader of run folders
works through it once; the tests check what became of each folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from backend.files import read_json, write_json
from backend.keeper.election import ensure_keeper
from backend.runs.archive import Archive, UnknownRun
from backend.runs.run import Run
from backend.runs.run_state import RunState
from nanoconf.cli.main import main
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.registry import RUNS
from nanoconf.gui.tabs.runs.model import History
from nanoconf.surrogate.trends import simulated_points
from tests.support.homes import PATIENCE, QUICK, clean_up, obey_permissions, submit, until

FIXTURE = Path(__file__).parents[2] / "fixtures" / "home" / "runs"

DONE, QUEUED = "f1c6dc36d5401585299f88444b2f6076", "2ab4471bdb7cf9b2184f26103daa23df"
"""Runs of the fixture; the first is eligible for training."""

GIANT = 100_000_000

Damage = Callable[[Path], None]


# --- kinds of damage ------------------------------------------------------------------------


def write(content: bytes | str) -> Damage:
    data = content.encode() if isinstance(content, str) else content

    def damage(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    return damage


def change(**values: object) -> Damage:
    """Change keys of a JSON file; a key is removed if its value is `...`."""

    def damage(path: Path) -> None:
        found = read_json(path) | values
        kept = {key: value for key, value in found.items() if value is not ...}
        path.write_text(json.dumps(kept))

    return damage


def system(**values: object) -> Damage:
    return lambda path: change(system=read_json(path)["system"] | values)(path)


def settings(**values: object) -> Damage:
    return lambda path: change(settings=read_json(path)["settings"] | values)(path)


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    content = path.read_bytes() if path.exists() else b'{"fraction": '
    path.write_bytes(content[: len(content) // 2].rstrip())


def make_giant(path: Path) -> None:
    with open(path, "wb") as stream:
        stream.truncate(GIANT)


def make_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def link_to(target: str) -> Damage:
    def damage(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return damage


def replace_word(old: str, new: str) -> Damage:
    return lambda path: write(path.read_text().replace(old, new, 1))(path)


def replace_folder(kind: Damage) -> Damage:
    """Put something else in the place of the folder that contains a file."""

    def damage(path: Path) -> None:
        shutil.rmtree(path.parent)
        kind(path.parent)

    return damage


def make_bomb(path: Path) -> None:
    """Write a small npz file that unpacks to many bytes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("residuals_M.npy", bytes(GIANT))
    write(buffer.getvalue())(path)


ANY_FILE: dict[str, Damage] = {
    "empty": write(""),
    "giant": make_giant,
    "folder": make_folder,
    "pipe": make_pipe,
    "broken link": link_to("nowhere"),
    "link to a device": link_to("/dev/zero"),
}
"""Damage to any file."""

ANY_JSON: dict[str, Damage] = {
    **ANY_FILE,
    "truncated": truncate,
    "not UTF-8": write(b'{"name": "\xff"}'),
    "number": write("5"),
    "null": write("null"),
    "nested": write("[" * 100_000),
    "NaN": write('{"fraction": NaN}'),
}
"""Damage to a JSON file."""

REQUEST: dict[str, Damage] = {
    **ANY_JSON,
    "missing": remove,
    "list": write("[]"),
    "without system": change(system=...),
    "system is a list": change(system=[]),
    "system with NaN": system(salt_concentration=float("nan")),
    "system with infinity": replace_word(
        '"salt_concentration": 0.6', '"salt_concentration": 1e999'
    ),
    "system with a huge number": replace_word('"wall"', f'"negative_ions": {"9" * 4000}, "wall"'),
    "system with text": system(salt_concentration="0.5"),
    "system with an unknown input": system(colour=1),
    "system that cannot be": system(positive_diameter=1.9),
    "system without its wall": system(wall={}),
    "without settings": change(settings=...),
    "settings with an unknown engine": settings(engine="steam"),
    "settings with a list": settings(engine=[]),
    "settings without end": settings(duration_ns=1e12),
    "unknown queue": change(queue="fast"),
    "queue is a list": change(queue=[]),
    "without id": change(id=...),
    "id is a number": change(id=5),
    "id of another run": change(id="0" * 32),
    "id is a path": change(id="../../elsewhere"),
    "hash is a number": change(inputs_hash=7),
    "created is not a time": change(created="yesterday"),
    "created is a number": change(created=5),
    "name is a number": change(name=5),
    "name is half a character": change(name="\ud800"),
    "owner is a list": change(owner=["me"]),
    "where is a number": change(where=5),
    "where without resources": change(where="test"),
    "resources without where": change(cluster={"config": "", "cores": 1, "minutes": 1}),
    "resources are text": change(where="test", cluster="all"),
    "resources without cores": change(where="test", cluster={"minutes": 1}),
    "resources with no cores": change(where="test", cluster={"cores": 0, "minutes": 1}),
    "where controls the terminal": change(where="\x1b[2J", cluster={"cores": 1, "minutes": 1}),
    "continues a path": change(continues="../x"),
    "folder is a file": replace_folder(write("x")),
    "folder is a pipe": replace_folder(make_pipe),
    "folder is a broken link": replace_folder(link_to("nowhere")),
}

UNFINISHED: dict[str, dict[str, Damage]] = {
    "attempts.json": {
        **ANY_JSON,
        "list of numbers": write("[5]"),
        "object": write("{}"),
        "without boot": write('[{"ended": null}]'),
        "ended is a number": write('[{"boot": "", "ended": 3}]'),
    },
    "progress.json": {
        **ANY_JSON,
        "list": write("[]"),
        "without fraction": write('{"phase": "sampling"}'),
        "unknown phase": write('{"phase": "dreaming", "fraction": 0.5}'),
        "fraction over one": write('{"phase": "sampling", "fraction": 1e6}'),
        "fraction is text": write('{"phase": "sampling", "fraction": "half"}'),
    },
    "worker.log": {name: ANY_FILE[name] for name in ("folder", "pipe", "link to a device")},
    "worker.lock": {name: ANY_FILE[name] for name in ("folder", "pipe", "link to a device")},
    "failure.json": {
        **ANY_JSON,
        "without state": write('{"a": 1}'),
        "unknown state": write('{"state": "lost", "reason": ""}'),
        "state of a result": write('{"state": "done", "reason": ""}'),
        "without reason": write('{"state": "failed"}'),
        "reason is a number": write('{"state": "failed", "reason": 5}'),
    },
}
"""Damage because of which a queued run does not start."""

RESULT: dict[str, dict[str, Damage]] = {
    "result.json": {
        **ANY_JSON,
        "list": write("[]"),
        "without summary": write("{}"),
        "summary is a list": write('{"summary": []}'),
        "summary with text": write('{"summary": {"simulated_ns": "long"}}'),
        "checks with text": write('{"summary": {"checks": "good"}}'),
        "densities are numbers": write('{"summary": {"densities_M": {"positive": 5}}}'),
    },
    "positive_density.csv": {
        **ANY_FILE,
        "missing": remove,
        "truncated": truncate,
        "not UTF-8": write(b"\xff\n"),
        "NaN": replace_word("\n", "\n-1.5,nan,0\n"),
        "more columns": replace_word("\n", "\n-1.5,0,0,0\n"),
        "zeros": write(bytes(5000)),
    },
    "blocks.npz": {**ANY_FILE, "truncated": truncate, "text": write("x\n"), "bomb": make_bomb},
    "histogram.csv": {**ANY_FILE, "truncated": truncate},
}
"""Damage to a result, which is not used any more."""

BYSTANDER: dict[str, dict[str, Damage]] = {
    "name": {**ANY_FILE, "not UTF-8": write(b"caf\xe9")},
    "attempts.json": {"list of numbers": write("[5]")},
    "progress.json": {"empty": write("")},
    "cluster.json": {"list": write("[5]"), "text": write('{"job_id": "7"}')},
    "charge.csv": {"empty": write("")},
    "worker.lock": {"pipe": make_pipe},
    "trajectory.xyz": {"pipe": make_pipe, "folder": make_folder},
}
"""Damage beside an intact result, which stays in use."""
del BYSTANDER["name"]["empty"]


@dataclass(frozen=True)
class Case:
    """A copy of a run of the fixture with a damaged file."""

    id: str
    of: str
    file: str
    kind: str
    damage: Damage

    def make(self, runs: Path) -> None:
        folder = runs / self.id
        shutil.copytree(FIXTURE / self.of, folder)
        # before the intact run, so that it would be preferred
        change(id=self.id, created="2026-01-01T00:00:00+00:00")(folder / "run.json")
        self.damage(folder / self.file)


def cases(number: int, of: str, damages: dict[str, dict[str, Damage]]) -> list[Case]:
    pairs = [(file, kind) for file, kinds in damages.items() for kind in kinds]
    return [
        Case(f"{number:01x}{i:031x}", of, file, kind, damages[file][kind])
        for i, (file, kind) in enumerate(pairs, 1)
    ]


UNREADABLE = cases(1, DONE, {"run.json": REQUEST})
NOT_STARTED = cases(2, QUEUED, UNFINISHED)
NO_RESULT = cases(3, DONE, RESULT)
STILL_USED = cases(4, DONE, BYSTANDER)
ALL = [*UNREADABLE, *NOT_STARTED, *NO_RESULT, *STILL_USED]


def name_of(case: Case) -> str:
    return f"{case.file}: {case.kind}"


# --- one archive with all of them -----------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What each reader of run folders made of the archive."""

    archive: Archive
    keeper_log: str
    listed: list[dict]
    table: str
    learning: dict
    entries: list[str]
    note: str
    points: list[str]
    best: str
    joined: str
    new: Run


def printed(*words: str) -> str:
    """Return the output of a command that succeeds."""
    command = [sys.executable, "-m", "nanoconf", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    home = tmp_path_factory.mktemp("damaged") / "home"
    runs = home / "runs"
    runs.mkdir(parents=True)
    shutil.copytree(FIXTURE / DONE, runs / DONE)
    for case in ALL:
        case.make(runs)
    (runs / os.fsdecode(b"\xff" * 8)).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NANOCONF_HOME", str(home))
        patch.setenv("NANOCONF_RETRAIN_AFTER", "1000")
        patch.delenv("NANOCONF_MODELS", raising=False)
        try:
            yield observed(home)
        finally:
            clean_up(home)


def observed(home: Path) -> Outcome:
    archive = Archive(home)
    new = submit(home, QUICK)
    ensure_keeper(home, idle_seconds=0.5)
    assert new.wait(PATIENCE) == RunState.DONE, new.reason
    until(lambda: "exiting" in (home / "keeper.log").read_text(), "the keeper to exit")
    later = submit(home, replace(QUICK, seed=2))
    ensure_keeper(home, idle_seconds=0.5)
    assert later.wait(PATIENCE) == RunState.DONE, later.reason
    listed = json.loads(printed("runs", "--json"))
    table = printed("runs")
    printed("train", "--if-due")
    intact = archive.get(DONE)
    state = AppState()
    work = Work(state, archive)
    try:
        state.tab = RUNS
        history = History(state, work)
        until(lambda: history.entries, "the entries of the Runs tab")
        assert work.offers() == ()
        entries, note = [entry.run_id for entry in history.entries], history.note
    finally:
        work.close()
    points = simulated_points(archive.runs(), intact.system, "salt_concentration")
    best = archive.best_result(intact.system, intact.settings)
    same = archive.submit(intact.system, intact.settings)
    return Outcome(
        archive,
        (home / "keeper.log").read_text(),
        listed,
        table,
        read_json(home / "learning.json"),
        entries,
        note,
        [point.run_id for point in points],
        best.id,
        same.id,
        new,
    )


# --- what became of each folder -------------------------------------------------------------


@pytest.mark.parametrize("case", ALL, ids=name_of)
def test_the_keeper_names_a_damaged_folder_once(outcome, case):
    named = [line for line in outcome.keeper_log.splitlines() if f"{case.id}: damaged: " in line]
    assert len(named) == 1
    assert case.file in named[0] or case.kind.startswith("folder is")
    assert str(outcome.archive.folder / case.id) in named[0]
    assert "Traceback" not in outcome.keeper_log


@pytest.mark.parametrize("case", ALL, ids=name_of)
def test_runs_lists_a_damaged_folder_with_its_reason(outcome, case):
    (values,) = [run for run in outcome.listed if run["id"] == case.id]
    assert case.file in values["damage"] or case.kind.startswith("folder is")
    assert values["folder"] == str(outcome.archive.folder / case.id)
    lines = [line for line in outcome.table.splitlines() if values["folder"] in line]
    assert len(lines) == 1 and "damaged" in lines[0] and values["damage"] in lines[0]


@pytest.mark.parametrize("case", UNREADABLE, ids=name_of)
def test_a_folder_without_a_valid_request_is_not_a_run(outcome, case):
    assert case.id not in [run.id for run in outcome.archive.runs()]
    assert case.id not in outcome.entries
    with pytest.raises(UnknownRun, match=f"run {case.id} is damaged"):
        outcome.archive.get(case.id)


@pytest.mark.parametrize("case", NOT_STARTED, ids=name_of)
def test_a_queued_run_with_a_damaged_file_fails_and_is_not_started(outcome, case):
    run = outcome.archive.get(case.id)
    assert run.state == RunState.FAILED
    assert case.file in run.reason and "\n" not in run.reason
    assert f"{case.id}: started" not in outcome.keeper_log


@pytest.mark.parametrize("case", NO_RESULT, ids=name_of)
def test_a_damaged_result_is_not_used(outcome, case):
    assert not outcome.archive.get(case.id).has_intact_result()
    assert case.id not in outcome.learning["fresh"]
    assert case.id in outcome.entries


@pytest.mark.parametrize("case", STILL_USED, ids=name_of)
def test_an_intact_result_is_used_whatever_lies_beside_it(outcome, case):
    assert outcome.archive.get(case.id).has_intact_result()
    assert case.id in outcome.learning["fresh"]


def test_intact_runs_are_used_as_if_there_were_no_others(outcome):
    intact = {DONE, *(case.id for case in STILL_USED)}
    assert set(outcome.learning["fresh"]) == intact
    assert outcome.best in intact and outcome.joined in intact
    assert len(outcome.points) == 1 and set(outcome.points) <= intact
    assert {DONE, outcome.new.id} <= set(outcome.entries)
    assert f"{len(UNREADABLE)} damaged folders are not shown" in outcome.note


# --- repair, permissions, marks -------------------------------------------------------------


def test_a_repaired_folder_is_a_run_again(home):
    archive, run = Archive(home), submit(home)
    content = (run.folder / "run.json").read_bytes()
    (run.folder / "run.json").write_text("{")
    assert [folder.id for folder in archive.damaged()] == [run.id] and archive.runs() == []
    (run.folder / "run.json").write_bytes(content)
    assert [found.id for found in archive.runs()] == [run.id] and archive.damaged() == []
    (run.folder / "attempts.json").write_text("[5]")
    assert (run.state, run.error) == (RunState.FAILED, "damaged")
    assert "delete this file" in run.reason
    ensure_keeper(home)
    until(lambda: f"{run.id}: damaged" in (home / "keeper.log").read_text(), "the log")
    (run.folder / "attempts.json").unlink()
    assert run.wait(PATIENCE) == RunState.DONE


def test_unreadable_folders_are_reported_as_damaged(home):
    folders = [submit(home, replace(QUICK, seed=seed)).folder for seed in range(3)]
    (folders[0] / "run.json").chmod(0)
    folders[1].chmod(0)
    command = [sys.executable, "-m", "nanoconf", "runs", "--json"]
    done = subprocess.run(
        command, preexec_fn=obey_permissions, capture_output=True, text=True, check=True
    )
    folders[1].chmod(0o700)
    damaged = {run["id"]: run.get("damage") for run in json.loads(done.stdout)}
    assert damaged.pop(folders[2].name) is None
    assert set(damaged) == {folder.name for folder in folders[:2]}
    assert all("Permission denied" in reason for reason in damaged.values())


def test_removing_a_damaged_run_succeeds_or_names_the_folder_to_delete(home, capsys):
    removable, locked = (submit(home, replace(QUICK, seed=seed)) for seed in (1, 2))
    (removable.folder / "attempts.json").write_text("[5]")
    assert main(["runs", "remove", removable.id]) == 0
    assert not removable.folder.exists()
    (locked.folder / "worker.lock").mkdir()
    assert main(["runs", "remove", locked.id]) == 1
    assert f"delete {locked.folder}" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "pipe", "broken link"])
def test_a_cancel_file_of_any_kind_cancels_the_run(home, kind):
    run = submit(home)
    ANY_FILE[kind](run.folder / "cancel")
    ensure_keeper(home)
    assert run.wait(PATIENCE) == RunState.CANCELLED


def test_names_and_reasons_cannot_control_the_terminal(home, capsys):
    run = submit(home, reuse=False)
    (run.folder / "name").write_text("\x1b[2Jmine\n\n")
    failed = submit(home, replace(QUICK, seed=2))
    failure = {"state": "failed", "reason": "\x1b[2Jtwo\nlines"}
    write_json(failed.folder / "failure.json", failure)
    (failed.folder / "worker.log").write_text("\x1b[2Jlog\n")
    assert (run.name, failed.reason) == ("[2Jmine", "[2Jtwo lines")
    assert main(["runs"]) == 0 and main(["runs", "show", failed.id]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_table_that_lacks_rows_is_not_used(home):
    for number, name in enumerate(("histogram.csv", "negative_density.csv")):
        folder = home / "runs" / f"{number:032x}"
        shutil.copytree(FIXTURE / DONE, folder)
        change(id=folder.name)(folder / "run.json")
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(lines[:-10]))
        assert not Archive(home).get(folder.name).has_intact_result()


def test_an_array_that_needs_more_memory_than_is_available_is_refused(home):
    folder = home / "runs" / DONE
    shutil.copytree(FIXTURE / DONE, folder)
    header = BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 2, 150)}
    )
    with zipfile.ZipFile(folder / "blocks.npz", "w") as archive:
        archive.writestr("residuals_M.npy", header.getvalue() + bytes(2400))
    run = Archive(home).get(DONE)
    assert run.damage() == ""  # the content is checked when it is loaded
    assert not run.has_intact_result()
