"""The command line does what its help says, and refuses what it cannot do in one line."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.sampling.result import SimulationResult
from backend.system import SlitSystem
from nanoconf import cli
from nanoconf.cli import main as cli_main
from nanoconf.cli.main import VERBS, main
from tests.support.homes import (
    LONG,
    PATIENCE,
    STEADY,
    begun,
    clean_up,
    interruptible,
    python,
    simulated,
    submit,
    until,
)

QUICK = [
    "-p",
    "3",
    "-d",
    "0.5",
    "--duration-ns",
    "0.001",
    "--replicas",
    "1",
    "--set",
    "time_step=0.02",
]
"""The options of `homes.QUICK`."""

SYSTEM_FILES = {
    "positive_density.csv",
    "negative_density.csv",
    "p_density_profile.dat",
    "n_density_profile.dat",
    "charge.csv",
    "blocks.npz",
    "histogram.csv",
    "run.json",
}


def nanoconf(*arguments: object) -> int:
    """Carry out a command line in this process."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)


# --- help -----------------------------------------------------------------------------------


def test_help_returns_at_once_because_it_imports_nothing_heavy():
    code = """if True:
        import sys
        from nanoconf.cli.main import main
        try:
            main(["--help"])
        finally:
            heavy = {"numpy", "scipy", "numba", "pandas", "tensorflow", "ipywidgets"}
            sys.exit(f"loads {heavy & set(sys.modules)}" if heavy & set(sys.modules) else 0)
    """
    process = python(code)
    said, problem = process.communicate()
    assert process.returncode == 0, problem
    for verb in VERBS:
        name = verb.replace("_", "-")
        assert re.search(rf"^    {name}\s+\w", said, re.MULTILINE), name


def test_importing_nanoconf_imports_nothing_heavy():
    process = python("import nanoconf, sys; sys.exit('numpy' in sys.modules)")
    process.communicate()
    assert process.returncode == 0


def test_names_in_the_readme_can_be_imported():
    from nanoconf import SlitSystem, simulate

    assert SlitSystem().confinement_length == 3.0
    assert callable(simulate)
    with pytest.raises(ImportError):
        from nanoconf import nothing_of_the_kind  # noqa: F401


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_has_a_help_text_that_fits_a_terminal(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    name = verb.replace("_", "-")
    assert nanoconf(name, "--help") == 0
    said = capsys.readouterr().out
    assert f"usage: nanoconf {name}" in said
    assert "examples:\n  nanoconf " in said
    assert max(map(len, said.splitlines())) <= 100


def test_every_command_has_one_module():
    modules = {file.stem for file in Path(cli.__file__).parent.glob("*.py")}
    assert modules - {"__init__", "main", "parser", "options"} == set(VERBS)


def test_one_line_adds_a_command(monkeypatch, capsys):
    verb = ModuleType("nanoconf.cli.greet")
    code = """if True:
        NAME, HELP, DESCRIPTION, EXAMPLES = "greet", "say hello", "Say hello.", ""
        def add_options(parser): parser.add_argument("whom")
        def execute(options): print("hello", options.whom); return 1
    """
    exec(code, vars(verb))
    monkeypatch.setitem(sys.modules, verb.__name__, verb)
    monkeypatch.setattr(cli_main, "VERBS", (*VERBS, "greet"))
    assert nanoconf("greet", "Ångström") == 1
    assert nanoconf("--help") == 0
    said = capsys.readouterr().out
    assert said.startswith("hello Ångström\n") and "say hello" in said


def test_flags_of_the_published_code_have_long_names(capsys):
    nanoconf("simulate", "--help")
    said = capsys.readouterr().out
    for short, long in {
        "-Z": "--confinement-length",
        "-p": "--positive-valency",
        "-n": "--negative-valency",
        "-c": "--salt-concentration",
        "-d": "--positive-diameter",
        "-a": "--negative-diameter",
        "-i": "--surface-charge",
        "-S": "--steps",
    }.items():
        assert re.search(rf"{short} \S+, {long}", said), short


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "refusal"),
    [
        ("-c 9", r"salt_concentration = 9: must lie between 0\.001 and 5 M"),
        ("-c abc", "salt_concentration = abc: is not a number; it must lie between "),
        ("-c nan", "salt_concentration = nan: must lie"),
        ("-c inf", "salt_concentration = inf: must lie"),
        ("-c -inf", "salt_concentration = -inf: must lie"),
        ("-c 1e999", "salt_concentration = 1e999: must lie"),
        ("-c 0,5", "salt_concentration = 0,5: is not a number; it must lie"),
        ("-c 0_5", "salt_concentration = 0_5: is not a number; it must lie"),
        ("-p 1.5", "positive_valency = 1.5: .*whole number"),
        ("-n 1", "negative_valency = 1: must lie"),
        ("-Z 0.7", "confinement_length = 0.7: must be at least .*fit between the walls"),
        ("-c 5 -d 0.9", "salt_concentration = 5: .*the limit is"),
        ("-i 0.1", "surface_charge_density = 0.1: must lie"),
        ("-i -1e3", "surface_charge_density = -1e3: must lie"),
        ("--wall brick", "wall = brick: must be one of ion, plane"),
        ("--duration-ns 0", "duration_ns = 0: must lie"),
        ("--duration-ns x", "duration_ns = x: is not a number; it must lie"),
        ("-S 0", "steps = 0: must be"),
        ("-S 1.5", "steps = 1.5: must be"),
        ("-S 100 --duration-ns 1", "not allowed with"),
        ("--seed -1", "seed = -1: must lie"),
        ("--seed 1.5", "seed = 1.5: .*whole number"),
        ("--replicas 0", "replicas = 0: must lie"),
        ("--engine gromacs", "engine = gromacs: must be one of"),
        ("--cluster", "cluster = .*start with nanoconf cluster init"),
        ("--cluster big", "cluster = big: .*start with nanoconf cluster init"),
        ("--set time_step", "set = time_step: must be NAME=VALUE"),
        ("--set color=1", "set = color=1: .*NAME is one of .*time_step"),
        ("--set time_step=fast", "time_step = fast: is not a number; it must lie"),
        ("-c", "expected one argument"),
        ("--frobnicate", "unrecognized arguments"),
    ],
)
def test_bad_input_prints_one_line_and_writes_nothing(
    flags, refusal, home, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("NANOCONF_CLUSTER_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    output = tmp_path / "output"
    assert nanoconf("simulate", *flags.split(), "-o", output) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(refusal, said.err), said.err
    assert said.err.startswith("nanoconf") and said.err.count("\n") == 1
    assert not output.exists()
    assert not home.exists()


@pytest.mark.parametrize(
    ("flags", "refusal"),
    [
        ("sweep --random 0", "random = 0: must be"),
        ("sweep --random x", "random = x: must be"),
        ("sweep --random 3 --seed x", "seed = x: must be"),
        ("sweep --random 3 --duration-ns 1 2", "duration_ns = .*one time.*or three"),
        ("sweep --random 3 --duration-ns -1", "duration_ns = -1: must lie"),
        ("sweep --plan nowhere.csv", "plan = nowhere.csv: cannot be read"),
        ("sweep", "one of the arguments .*--random .* is required"),
        ("predict --batch nowhere.csv", "batch = nowhere.csv: cannot be read"),
        ("predict -c 9", "salt_concentration = 9: must lie"),
    ],
)
def test_bad_input_to_other_commands_prints_one_line(flags, refusal, home, tmp_path, capsys):
    output = tmp_path / "output"
    assert nanoconf(*flags.split(), "-o", output) == 2
    said = capsys.readouterr().err
    assert re.search(refusal, said), said
    assert said.count("\n") == 1
    assert not output.exists()


def test_an_output_that_cannot_be_a_folder_is_refused_before_anything_starts(
    home, tmp_path, capsys
):
    (tmp_path / "file").write_text("mine")
    assert nanoconf("simulate", *QUICK, "-o", tmp_path / "file") == 2
    assert "output = " in capsys.readouterr().err
    assert Archive(home).runs() == []
    assert (tmp_path / "file").read_text() == "mine"


def test_an_unwritable_home_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NANOCONF_HOME", "/dev/null/home")
    assert nanoconf("simulate", *QUICK, "-o", tmp_path / "output") == 2
    said = capsys.readouterr().err
    assert "NANOCONF_HOME" in said and said.count("\n") == 1
    assert not (tmp_path / "output").exists()


def test_without_a_command_nanoconf_prints_the_usage(capsys):
    assert nanoconf() == 2
    assert "nanoconf --help" in capsys.readouterr().err


# --- simulate -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive_with_a_result(tmp_path_factory):
    home = tmp_path_factory.mktemp("simulated") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NANOCONF_HOME", str(home))
        assert nanoconf("simulate", *QUICK, "-o", home / "output") == 0
    clean_up(home)
    return home


@pytest.fixture
def stored(home, archive_with_a_result):
    """A home with the result of `QUICK`, and the files that the command wrote."""
    shutil.copytree(archive_with_a_result / "runs", home / "runs")
    return archive_with_a_result / "output"


def test_simulate_writes_all_files_of_the_result(home, tmp_path, capsys):
    output = tmp_path / "new" / "folder"
    assert nanoconf("simulate", *QUICK, "-o", output) == 0
    assert set(os.listdir(output)) == SYSTEM_FILES
    with open(output / "positive_density.csv", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["z_nm", "density_M", "error_M"] and len(rows) == 301
    dat = np.loadtxt(output / "p_density_profile.dat")
    np.testing.assert_array_equal(dat, np.array(rows[1:], dtype=float))
    values = json.loads((output / "run.json").read_text())
    assert (values["state"], values["seed"], values["engine"]) == (RunState.DONE, 1, "numba")
    assert values["system"]["positive_diameter"] == 0.5
    summary = values["summary"]
    assert {"densities_M", "checks", "timings", "versions"} <= set(summary)
    assert {"contact", "mid", "peak"} <= set(summary["densities_M"]["positive"])
    result = SimulationResult.load(output)
    assert result.summary.to_dict() == summary
    variance = np.diag(result.covariance("negative"))
    np.testing.assert_allclose(np.sqrt(variance), result.negative.error, rtol=1e-4, atol=1e-6)
    assert result.positive.mean_density == pytest.approx(0.5 / 3)
    assert "contact" in capsys.readouterr().out


def test_repeating_the_command_reuses_the_stored_result(home, stored, tmp_path):
    assert nanoconf("simulate", *QUICK, "-o", tmp_path / "2") == 0
    assert len(Archive(home).runs()) == 1
    assert nanoconf("simulate", *QUICK, "--again", "-o", tmp_path / "3") == 0
    assert len(Archive(home).runs()) == 2
    folders = (stored, tmp_path / "2", tmp_path / "3")
    texts = {(folder / "negative_density.csv").read_text() for folder in folders}
    assert len(texts) == 1


def test_numbers_may_be_negative_and_in_exponential_notation(home, tmp_path):
    flags = ["-n", "-1", "-i", "-1e-2", "-a", "6e-1"]
    assert nanoconf("simulate", *QUICK, *flags, "-o", tmp_path) == 0
    system = Archive(home).runs()[0].system
    assert system.surface_charge_density == -0.01
    assert system.negative_diameter == 0.6


def test_step_counts_are_in_units_of_the_published_time_step(home, tmp_path):
    flags = ["-p", "3", "-d", "0.5", "-S", "1000", "--replicas", "1", "--set", "time_step=0.02"]
    assert nanoconf("simulate", *flags, "-o", tmp_path) == 0
    run = Archive(home).runs()[0]
    assert run.settings.duration_ns == pytest.approx(run.system.time_unit_ns)


def test_a_failed_run_prints_the_reason_and_leaves_no_older_profile(stored, tmp_path, capsys):
    shutil.copytree(stored, tmp_path / "o")
    unstable = [
        "-p",
        "3",
        "-d",
        "0.5",
        "--duration-ns",
        "0.01",
        "--replicas",
        "1",
        "--set",
        "time_step=0.02",
    ]
    for setting in ("thermostat=none", "coulomb_split=9"):
        unstable += ["--set", setting]
    capsys.readouterr()
    assert nanoconf("simulate", *unstable, "-o", tmp_path / "o") == 1
    said = capsys.readouterr().err
    assert "smaller time step" in said and said.count("\n") == 1
    values = json.loads((tmp_path / "o" / "run.json").read_text())
    assert values["state"] == "failed" and "smaller time step" in values["reason"]
    assert not set(os.listdir(tmp_path / "o")) & (SYSTEM_FILES - {"run.json"})


def test_interrupting_the_command_cancels_its_run(home, tmp_path):
    command = [sys.executable, "-m", "nanoconf", "simulate", "--duration-ns", "100"]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "output")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    until(lambda: Archive(home).runs() and begun(Archive(home).runs()[0]))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert Archive(home).runs()[0].state == RunState.CANCELLED
    assert said == "nanoconf: cancelled\n"
    assert json.loads((tmp_path / "output" / "run.json").read_text())["state"] == RunState.CANCELLED


def test_interrupting_a_command_that_joined_a_run_does_not_stop_the_run(home, tmp_path):
    run = Archive(home).submit(SlitSystem(), LONG)
    command = [sys.executable, "-m", "nanoconf", "simulate", "--duration-ns", "100"]
    process = subprocess.Popen(
        [*command, "--replicas", "1", "-o", str(tmp_path / "output")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    until(lambda: begun(run))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "continues" in said
    assert run.state == RunState.RUNNING
    run.cancel()
    assert run.wait(PATIENCE) == RunState.CANCELLED


def test_the_run_of_a_killed_command_continues_and_the_next_command_joins_it(home, tmp_path):
    command = [sys.executable, "-m", "nanoconf", "simulate", *QUICK, "-o", str(tmp_path)]
    process = subprocess.Popen(command)
    until(lambda: Archive(home).runs() and Archive(home).runs()[0].attempts())
    process.kill()
    process.wait()
    assert nanoconf("simulate", *QUICK, "-o", tmp_path) == 0
    assert [run.state for run in Archive(home).runs()] == [RunState.DONE]


# --- runs -----------------------------------------------------------------------------------


def test_runs_are_listed_in_human_and_machine_readable_form(home, capsys):
    waiting = submit(home, name="mine")
    failed = submit(home, LONG)
    failed.settle(RunState.FAILED, "an ion went through a wall", error="ion-through-wall")
    assert nanoconf("runs") == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 3
    assert table[1].startswith(failed.id[:8]) and "an ion went through a wall" in table[1]
    assert "queued" in table[2] and "mine" in table[2]
    assert nanoconf("runs", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [failed.id, waiting.id]
    assert rows[0]["state"] == "failed" and rows[0]["reason"] == "an ion went through a wall"
    assert rows[0]["error"] == "ion-through-wall"
    assert rows[1]["where"] == "local" and rows[1]["name"] == "mine"
    assert rows[1]["inputs"]["positive_diameter"] == 0.5
    assert nanoconf("runs", "--newest", 1, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_finished_runs_are_listed_with_their_simulated_length(home, capsys):
    early = simulated(home, STEADY, early=True)
    waiting = submit(home, LONG)
    waiting.cancel()
    queued = submit(home, STEADY, reuse=False)
    assert nanoconf("runs") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    column = head.index("NS")
    lengths = {row[:8]: row[column:].split()[0] for row in rows}
    assert lengths == {
        early.id[:8]: f"{early.result().summary.simulated_ns:.3g}",
        waiting.id[:8]: "100",
        queued.id[:8]: "2",
    }
    assert 0.15 < float(lengths[early.id[:8]]) < 0.25


def test_an_empty_archive_is_not_an_error(home, capsys):
    assert nanoconf("runs") == 0
    assert "no runs in" in capsys.readouterr().out
    assert nanoconf("runs", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_runs_can_be_shown_and_cancelled_and_removed(home, tmp_path, capsys):
    run = submit(home)
    assert nanoconf("runs", "cancel", run.id[:8]) == 0
    assert run.state == RunState.CANCELLED
    assert nanoconf("runs", "show", run.id[:8]) == 0
    assert "cancelled on request" in capsys.readouterr().out
    assert nanoconf("runs", "remove", run.id) == 0
    assert not run.folder.exists()
    assert nanoconf("runs", "remove", run.id) == 2
    assert "there is no run" in capsys.readouterr().err
    assert nanoconf("runs", "show") == 2


def test_the_files_of_an_archived_run_can_be_written_again(home, stored, tmp_path):
    run = Archive(home).runs()[0]
    assert nanoconf("runs", "show", run.id, "-o", tmp_path / "2") == 0
    assert set(os.listdir(tmp_path / "2")) == SYSTEM_FILES


# --- from Python ----------------------------------------------------------------------------


def test_simulate_from_python_waits_for_the_result(home):
    from nanoconf import SlitSystem, simulate

    system = SlitSystem(positive_valency=3, positive_diameter=0.5)
    result = simulate(system, duration_ns=0.001, seed=5, replicas=1, time_step=0.02)
    assert result.positive.z.shape == result.negative.density.shape == (300,)
    assert result.settings.seed == 5


def test_simulate_from_python_raises_an_error_with_the_reason(home):
    from backend.sampling.result import SimulationError
    from backend.system import InvalidInput
    from nanoconf import SlitSystem, simulate
    from tests.support.homes import UNSTABLE

    system = SlitSystem(positive_valency=3, positive_diameter=0.5)
    with pytest.raises(SimulationError, match="smaller time step"):
        simulate(system, **UNSTABLE.to_dict())
    with pytest.raises(InvalidInput, match="duration_ns = -1"):
        simulate(system, duration_ns=-1)
    with pytest.raises(InvalidInput, match="colour = 1: is not a setting"):
        simulate(system, colour=1)


def test_a_long_simulation_shows_its_progress(home, tmp_path):
    said = tmp_path / "said"
    code = "import nanoconf as n; n.simulate(n.SlitSystem(), duration_ns=100, progress=True)"
    with said.open("w") as stream:
        process = subprocess.Popen([sys.executable, "-c", code], stderr=stream)
    shown = re.compile(r"(equilibrating|sampling) +\d+ %.*s left")
    until(lambda: shown.search(said.read_text()), "a progress bar")
    Archive(home).runs()[0].cancel()
    assert process.wait(PATIENCE) == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["train"], "output is missing: specify -o DIR"),
        (["runs", "show"], "id is missing: `nanoconf runs` lists the runs"),
        (["models", "promote"], "name is missing: `nanoconf models` lists the models"),
    ],
)
def test_the_error_for_a_missing_argument_names_it_without_a_value(home, capsys, arguments, line):
    assert nanoconf(*arguments) == 2
    assert capsys.readouterr().err == f"nanoconf: {line}\n"
