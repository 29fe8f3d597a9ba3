"""Owners of runs: a browser is recognised by its key, which no output contains."""

from __future__ import annotations

import io
import json
import zipfile
from hashlib import sha256

import pytest

from backend.files import write_json
from backend.runs.run import Run
from backend.sampling.result import SimulationResult
from nanoconf.cli import main
from nanoconf.data import export
from nanoconf.gui.services.identity import HASHED, Identity
from nanoconf.gui.services.reading import result_files
from nanoconf.gui.services.watch import Watch
from nanoconf.gui.tabs.downloads.panel import DownloadsPanel
from nanoconf.gui.tabs.lessons.record import lab_record
from nanoconf.gui.tabs.registry import DOWNLOADS
from tests.support.homes import QUICK, SYSTEM, until
from tests.support.profiles import profiles

KEY, OTHER = "0f" * 16, "a1" * 16


def submitted(work, owner: str) -> Run:
    """Return a finished run with an artificial result."""
    run = work.archive.submit(SYSTEM, QUICK, owner=owner, reuse=False)
    SimulationResult(SYSTEM, QUICK, profiles(SYSTEM)).save(run.folder)
    write_json(run.folder / "result.json", {"summary": {}})
    return run


def test_a_run_belongs_to_the_browser_with_its_key(work):
    mine = Identity.of_browser({"key": KEY})
    run = submitted(work, mine.owner)
    assert mine.owns(run) and mine.submitter(run) == "this browser"
    for memory in ({"key": OTHER}, {"owner": OTHER}, {}, {"key": [KEY]}, {"key": ""}):
        assert not Identity.of_browser(memory).owns(run)
    assert Identity.of_browser({}).owner != Identity.of_browser({}).owner
    assert not mine.owns(submitted(work, "")) and not Identity.of_browser({}).owns(run)


def test_the_contents_of_a_run_folder_are_not_accepted_as_a_key(work):
    run = submitted(work, Identity.of_browser({"key": KEY}).owner)
    text = (run.folder / "run.json").read_text()
    stored = json.loads(text)["owner"]
    assert KEY not in text and stored == HASHED + sha256(KEY.encode()).hexdigest()
    for stolen in (stored, stored.removeprefix(HASHED)):
        assert not Identity.of_browser({"owner": stolen, "key": stolen}).owns(run)


def test_a_key_that_earlier_versions_published_identifies_only_their_runs(work):
    old, mine = submitted(work, KEY), Identity.of_browser({"owner": KEY, "key": OTHER})
    new, thief = submitted(work, mine.owner), Identity.of_browser({"owner": KEY})
    assert mine.owns(old) and mine.owns(new)
    assert not thief.owns(new)
    assert not Identity.of_browser({"owner": OTHER}).owns(old)
    assert not Identity.of_browser({"key": OTHER}).owns(old)


@pytest.mark.parametrize("stored", [KEY, Identity.of_browser({"key": KEY}).owner])
def test_no_output_identifies_the_browser(state, work, tmp_path, capsys, monkeypatch, stored):
    work.identity = Identity.of_browser({"owner": KEY, "key": KEY})
    run = submitted(work, stored)
    assert work.owns(run)
    state.choose(SYSTEM)
    Watch(work).begin(run)
    until(lambda: state.simulation and state.simulation.files)
    state.tab = DOWNLOADS
    sent: dict[str, bytes] = {}
    monkeypatch.setattr(state, "deliver", lambda name, content, _kind: sent.update({name: content}))
    panel = DownloadsPanel(state, work)
    panel._everything()
    folder = tmp_path / "output"
    export.prepare(folder)
    export.write_run(folder, run)
    assert main.main(["runs", "--json"]) == 0
    assert main.main(["runs", "show", run.id]) == 0
    packed = zipfile.ZipFile(io.BytesIO(next(iter(sent.values()))))
    outputs = {
        "export": json.dumps(export.describe(run)),
        "downloads": "".join(result_files(run, run.result()).values()),
        "zip": "".join(packed.read(name).decode("latin-1") for name in packed.namelist()),
        "-o": "".join(
            file.read_bytes().decode("latin-1") for file in tmp_path.iterdir() if file.is_file()
        ),
        "command": capsys.readouterr().out,
        "lab record": lab_record(state, work),
        "page": repr(panel.get_state()) + panel.simulated.value + "".join(state.log),
    }
    assert "run.json" in packed.namelist() and run.id in outputs["command"]
    for name, text in outputs.items():
        for secret in (KEY, sha256(KEY.encode()).hexdigest()):
            assert secret not in text, name
    assert export.describe(run)["owner"] == "page"
