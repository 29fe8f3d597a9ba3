"""Text that no option can mean is refused in one line, before anything is started or written."""

import errno
import os
import re
import subprocess
import sys

import pytest

from nanoconf.cli.main import main
from tests.support.homes import obey_permissions

LONG_NUMBER = "9" * 400
NOBODY = "~nobody-of-that-name/x"


@pytest.fixture
def refused(home, tmp_path, capsys, monkeypatch):
    """Return a function that executes a command that must be refused, and returns its line."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NANOCONF_CLUSTER_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))

    def line_of(*arguments: str) -> str:
        try:
            status = main(list(arguments))
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        line = said.err.removesuffix("\n")
        assert (status, said.out) == (2, ""), said
        assert line.startswith("nanoconf") and line.isprintable() and len(line) < 700, line
        assert not home.exists() and sorted(tmp_path.rglob("*")) == before
        return line

    return line_of


@pytest.mark.parametrize("option", ["max-length", "max-runs"])
@pytest.mark.parametrize("text", ["0", "-1", "nan", "many", "", LONG_NUMBER])
def test_limits_of_the_page_are_refused_before_it_is_served(refused, option, text):
    line = refused("app", "--no-browser", f"--{option}={text}")
    name = option.replace("-", "_")
    assert line.startswith(f"nanoconf: {name} = ") and "must" in line
    assert f"NANOCONF_{name.upper()}" not in os.environ


def test_the_page_inherits_its_limits(monkeypatch):
    served = []

    def serve(*_arguments, **_options):
        served.extend((os.environ["NANOCONF_MAX_LENGTH"], os.environ["NANOCONF_MAX_RUNS"]))

    monkeypatch.setattr("nanoconf.gui.serve.serve", serve)
    for name in ("NANOCONF_MAX_LENGTH", "NANOCONF_MAX_RUNS"):
        monkeypatch.setenv(name, "1")  # restored afterwards
    assert main(["app", "--max-length", "2.5", "--max-runs", "3"]) == 0
    assert served == ["2.5", "3"]


@pytest.mark.parametrize("flag", ["-Z", "-p", "-n", "-c", "-d", "-a", "-i", "-S", "--duration-ns"])
@pytest.mark.parametrize("number", [LONG_NUMBER, "-" + LONG_NUMBER, "9" * 5000])
def test_numbers_of_any_length_are_refused_and_shortened(refused, flag, number):
    line = refused("simulate", flag, number, "-o", "output")
    assert "999…999" in line and "must" in line


@pytest.mark.parametrize(
    "command",
    [
        f"simulate --target-error {LONG_NUMBER}% -o output",
        f"simulate --set time_step={LONG_NUMBER} -o output",
        f"simulate --cores {LONG_NUMBER} -o output",
        f"sweep --random {LONG_NUMBER} -o output",
        f"sweep --random 3 --duration-ns 1 2 {LONG_NUMBER} -o output",
        f"uncertainty --uniform c 0.4 {LONG_NUMBER}",
        f"uncertainty --gaussian h {LONG_NUMBER} 1",
        f"uncertainty --at {LONG_NUMBER}",
        f"uncertainty --samples {LONG_NUMBER}",
        f"runs --newest {LONG_NUMBER}",
        f"runs show {LONG_NUMBER}",
        f"models promote {LONG_NUMBER}",
        f"paper train --epochs {LONG_NUMBER} -o output",
    ],
)
def test_every_command_refuses_numbers_of_any_length(refused, command):
    assert "999…999" in refused(*command.split())


@pytest.mark.parametrize(
    ("command", "parameter"),
    [
        (("simulate", "-Z", ""), "confinement_length"),
        (("simulate", "--wall", ""), "wall"),
        (("simulate", "--wall="), "wall"),
        (("simulate", "-o", ""), "output"),
        (("simulate", "--cluster", "", "-o", "output"), "cluster"),
        (("simulate", "--seed", "", "-o", "output"), "seed"),
        (("predict", "-c", "", "-o", "output"), "salt_concentration"),
        (("predict", "--batch", "", "-o", "output"), "batch"),
        (("predict", "--model", "", "-o", "output"), "model"),
        (("sweep", "--plan", "", "-o", "output"), "plan"),
        (("evaluate", "--data", ""), "data"),
        (("train", "-o", ""), "output"),
        (("compare", "--keep", ""), "keep"),
        (("runs", "show", ""), "ids"),
        (("runs", ""), "action"),
        (("models", "promote", ""), "name"),
        (("cluster", "check", ""), "name"),
        (("paper", "accuracy", "--network", ""), "network"),
    ],
)
def test_empty_text_is_not_taken_for_the_default(refused, command, parameter):
    assert f"{parameter} = '': must not be empty" in refused(*command)


@pytest.mark.parametrize("option", ["--data", "--model"])
def test_a_separator_is_not_a_value(refused, option):
    assert f"{option.strip('-')} = --: is missing" in refused("evaluate", f"{option}=--")


@pytest.mark.parametrize(
    "text", ["a\nb", "a\rb", "\x1b[31mred", "\x07", "\x85", "\u2028", "\0", "\udcff"]
)
@pytest.mark.parametrize(
    "command",
    [
        ("simulate", "-o", "output", "--name"),
        ("simulate", "-o"),
        ("simulate", "-Z"),
        ("simulate", "--wall"),
        ("predict", "--batch"),
        ("runs", "show"),
        ("models", "promote"),
        ("evaluate", "--model"),
        ("nothing",),
        ("simulate", "-o", "output", "more"),
        ("--no-such-option",),
    ],
)
def test_control_characters_and_invalid_utf8_are_refused_and_not_echoed(refused, command, text):
    refused(*command, text)
    refused(*command[:-1], f"{command[-1]}={text}")


def test_invalid_utf8_on_a_real_command_line_is_refused(home):
    command = [sys.executable, "-m", "nanoconf", "simulate", "--name", b"\xff\xfe", "-o", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == r"nanoconf: name = '\udcff\udcfe': must be valid UTF-8 text" + "\n"


@pytest.mark.parametrize("file", ["/dev/zero", "pipe", "folder"])
@pytest.mark.parametrize(
    "command",
    [("predict", "-o", "output", "--batch"), ("sweep", "-o", "output", "--plan"), "cluster list"],
)
def test_only_regular_files_are_read(home, tmp_path, monkeypatch, capsys, command, file):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.mkdir("folder")
    if command == "cluster list":
        monkeypatch.setenv("NANOCONF_CLUSTER_CONFIG", file)
        assert main(command.split()) == 2
    else:
        assert main([*command, file]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert sorted(os.listdir()) == ["folder", "pipe"]


@pytest.mark.parametrize("number", ["-1", "0", "x", "1.5"])
def test_the_number_of_runs_to_list_is_at_least_1(refused, number):
    assert f"newest = {number}: must be a whole number" in refused("runs", "--newest", number)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("models", "promote", "model-77"), "there is no model model-77"),
        (("models", "rollback"), "no previous model"),
        (("evaluate", "--model", "nowhere"), "there is no trained model in nowhere"),
        (("evaluate", "--model", NOBODY), "model = .*home folder"),
        (("predict", "--model", "nowhere", "-o", "output"), "there is no trained model in nowhere"),
        (("paper", "accuracy", "--results", "/dev/null/x"), "output = /dev/null/x: cannot be"),
        (
            ("paper", "train", "--data", "nowhere", "--results", "new", "-o", "output"),
            "holds no dataset",
        ),
        (("train", "--data", "nowhere", "-o", "/dev/null/x"), "output = /dev/null/x: cannot be"),
        (("simulate", "-o", "a" * 300), "output = a.*: cannot be written"),
    ],
)
def test_missing_models_and_unusable_paths_are_refused_before_anything_is_written(
    refused, command, words
):
    assert re.search(words, refused(*command))


@pytest.mark.parametrize("value", ["two", "", "-1", "9" * 5000])
def test_a_bad_variable_is_refused_before_anything_is_started(refused, monkeypatch, value):
    monkeypatch.setenv("NANOCONF_CORES", value)
    assert "NANOCONF_CORES = " in refused("simulate", "-o", "output")


# --- output ---------------------------------------------------------------------------------


def shell(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", script.replace("nanoconf", f"{sys.executable} -m nanoconf")]
    environment = os.environ | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_write_error_on_standard_output_is_reported_in_one_line(home):
    done = shell("nanoconf runs > /dev/full")
    assert done.returncode == 1
    assert os.strerror(errno.ENOSPC) in done.stderr and done.stderr.count("\n") == 1


def test_a_closed_pipe_is_not_an_error(home):
    done = shell("{ nanoconf simulate --help; echo $? >&2; } | head -1")
    assert done.stderr == "0\n" and done.stdout.count("\n") == 1


def test_characters_that_the_terminal_cannot_show_are_printed_as_escapes(
    home, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    done = shell("nanoconf simulate -Z é -o x", PYTHONIOENCODING="ascii:strict")
    assert done.returncode == 2 and r"\xe9" in done.stderr
    done = shell("nanoconf models compare; nanoconf predict -o é", PYTHONIOENCODING="ascii:strict")
    assert "Traceback" not in done.stderr, done.stderr


# --- folders that cannot be written ---------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "variables", "advice"),
    [
        ("simulate -o output", {}, "choose another with NANOCONF_HOME"),
        ("app --no-browser --port 0", {}, "choose another with NANOCONF_HOME"),
        ("app --no-browser --port 0", {"NANOCONF_HOME": "archive"}, "set JUPYTER_DATA_DIR to"),
    ],
)
def test_an_unwritable_home_folder_is_reported_before_anything_starts(
    tmp_path, command, variables, advice
):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    unset = ("NUMBA_CACHE_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "NANOCONF_HOME")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in unset and not name.startswith("XDG_")
    }
    paths = {name: str(tmp_path / value) for name, value in variables.items()}
    done = subprocess.run(
        [sys.executable, "-m", "nanoconf", *command.split()],
        env={**environment, "HOME": str(locked), **paths},
        cwd=tmp_path,
        preexec_fn=obey_permissions,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert advice in done.stderr and done.stderr.count("\n") == 1
    assert "The page is at" not in done.stdout
    assert not list(tmp_path.glob("archive/runs/*")) and not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    "option", ["--data folder", "--validation folder", "--epochs 3", "--seed 2", "-o output"]
)
def test_options_that_retraining_does_not_use_are_refused(refused, option):
    assert refused("train", "--if-due", *option.split()).endswith(
        "cannot be combined with --if-due; omit one of them"
    )
