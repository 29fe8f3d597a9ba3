"""``nanoconf mcp`` with the client of the MCP SDK, over standard input and output."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from backend.runs.archive import Archive
from backend.system import SlitSystem
from nanoconf.cli.main import main
from nanoconf.mcp.waiting import Waiting
from nanoconf.surrogate import Surrogate
from nanoconf.verbs import arguments
from nanoconf.verbs.registry import VERBS
from tests.support.browser import ROOT
from tests.support.homes import LONG, PATIENCE, submit, until

PYTHON = ROOT / ".venv-mcp" / "bin" / "python"
"""Interpreter with the SDK; ``make test`` builds its environment."""

SHORT = {"zp": 3, "d": 0.5, "ns": 0.001, "replicas": 1, "time_step": 0.02}
"""A run of a second or two."""


def session(home: Path, *calls: tuple[str, dict], mode: str = "auto") -> dict:
    """Carry out calls in one session; return the tools and the results."""
    assert PYTHON.exists(), "there is no .venv-mcp: build it with make .venv-mcp/.ready"
    process = subprocess.run(
        [PYTHON, str(ROOT / "tests" / "support" / "mcp_client.py"), mode],
        input=json.dumps(calls),
        env={**os.environ, "NANOCONF_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr, process.stderr
    return json.loads(process.stdout)


def test_an_agent_predicts_simulates_and_manages_runs(home):
    done = session(
        home,
        ("predict", {"h": 3.4, "positive_valency": 2}),
        ("predict", {"confinement_length": 8}),
        ("predict", {"h": 99}),
        ("simulate", {**SHORT, "wait_seconds": 600}),
        ("get_run", {"id": "ID", "profiles": False}),
        ("simulate", {**SHORT, "ns": 500}),
        ("get_run", {"id": "ID", "wait_seconds": 0.6}),
        ("cancel_run", {"id": "ID"}),
        ("list_runs", {"limit": 5}),
        ("get_run", {"id": "0" * 32}),
        ("get_run", {}),
        ("fly", {}),
    )
    predicted, outside, wrong, simulated, shown, long, waited, _, listed = done["results"][:9]

    system = SlitSystem(confinement_length=3.4, positive_valency=2)
    expected = Surrogate.load().predict(system)
    density = predicted["values"]["profiles"]["positive"]["density_M"]
    assert density == pytest.approx(expected.positive.density, rel=1e-5)
    assert json.loads(predicted["text"]) == predicted["values"]
    assert not outside["error"] and not outside["values"]["in_training_range"]
    assert wrong["error"] and wrong["values"] is None
    assert wrong["text"] == "confinement_length = 99: must lie between 0.6 and 30 nm"

    assert simulated["values"]["state"] == "done"
    assert len(simulated["values"]["profiles"]["z_nm"]) == 300
    fractions = [fraction for fraction, _ in simulated["progress"]]
    assert fractions and fractions == sorted(set(fractions)), "progress only increases"
    assert shown["values"]["result"] == simulated["values"]["result"]
    assert "profiles" not in shown["values"]

    assert long["values"]["state"] in ("queued", "running") and not long["progress"]
    assert waited["values"]["id"] == long["values"]["id"] and waited["progress"]
    ids = [each["id"] for each in listed["values"]["runs"]]
    assert ids == [long["values"]["id"], simulated["values"]["id"]]

    unknown, missing, no_tool = done["results"][9:]
    assert unknown["error"] and "there is no run 0000" in unknown["text"]
    assert missing["error"] and missing["text"] == "id is missing"
    assert "there is no tool fly; known: predict, simulate" in no_tool["refused"]

    assert [tool["name"] for tool in done["tools"]] == [verb.name for verb in VERBS]
    for tool, verb in zip(done["tools"], VERBS, strict=True):
        properties = dict(tool["inputSchema"]["properties"])
        assert ("wait_seconds" in properties) == verb.waits
        properties.pop("wait_seconds", None)
        assert properties == arguments.schema(verb.arguments)["properties"]
        assert tool["annotations"]["readOnlyHint"] == (not verb.changes)


def test_a_client_of_the_earlier_protocol_gets_the_same_answers(home):
    (answer,) = session(home, ("list_runs", {}), mode="legacy")["results"]
    assert answer["values"] == {"runs": []}


def test_the_server_ends_with_its_client_and_leaves_the_run_to_the_keeper(home):
    """Standard input closes while the client waits for a long run."""
    process = subprocess.Popen(
        [PYTHON, "-m", "nanoconf", "mcp"],
        env={**os.environ, "NANOCONF_HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    wanted = {"name": "simulate", "arguments": {"ns": 100, "wait_seconds": 3600}}
    for message in (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": wanted},
    ):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    process.stdin.flush()
    until(Archive(home).runs, "the run to be submitted")
    said, complaints = process.communicate(timeout=PATIENCE)  # closes standard input
    assert process.returncode == 0 and complaints == ""
    answers = [json.loads(line) for line in said.splitlines()]
    assert [each["id"] for each in answers if "result" in each] == [1], "the wait has no result"
    (run,) = Archive(home).runs()
    assert not run.finished and not run.cancel_requested


def test_without_the_sdk_the_command_prints_the_install_command(capsys, monkeypatch):
    assert find_spec("mcp") is None, "the tests' own environment lacks the SDK"
    assert main(["mcp"]) == 1
    said = capsys.readouterr()
    line = 'nanoconf: nanoconf mcp needs the MCP SDK: run pip install "nanoconf[mcp]"\n'
    assert said.err == line


def test_a_wait_starts_a_keeper_and_reports_progress_that_never_decreases(home, monkeypatch):
    now, started = [0.0], []
    monkeypatch.setattr(
        "nanoconf.mcp.waiting.ensure_keeper", lambda folder, **_: started.append(folder)
    )
    run = submit(home, LONG)
    waiting = Waiting(Archive(home), run, clock=lambda: now[0])
    assert (
        not waiting.poll() and waiting.news and (waiting.fraction, waiting.words) == (0, "queued")
    )
    assert not waiting.poll() and not waiting.news and not started
    now[0] = 6.0
    assert not waiting.poll() and started == [home]
    run.cancel()
    assert waiting.poll()
