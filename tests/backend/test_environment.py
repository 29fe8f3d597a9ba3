"""Environment variables are checked; a fingerprint tells one environment from another."""

import pytest

from backend.cluster.config import config_path
from backend.environment import check_environment, fingerprint, user_path
from backend.inputs import InvalidInput
from backend.runs import local
from backend.runs.archive import Archive, default_home


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("NANOCONF_CORES", ("", "0", "-1", "two", "1.5", "²", "9" * 400, "9" * 5000, " ")),
        ("NANOCONF_RETRAIN_AFTER", ("", "-1", "x", "9" * 5000)),
        ("NANOCONF_MAX_LENGTH", ("", "0", "-1", "nan", "inf", "1001", "ten", "9" * 400)),
        ("NANOCONF_MAX_RUNS", ("", "0", "-1", "1.5", "x", "9" * 5000)),
        ("NANOCONF_CHECKPOINT_SECONDS", ("", "-1", "nan", "inf", "soon")),
        ("NANOCONF_HOME", ("", "a\nb", "\x1b[31m", "\udcff", "~nobody-of-that-name/x")),
        ("NANOCONF_MODELS", ("", "a\rb", "~nobody-of-that-name/x")),
        ("NANOCONF_CLUSTER_CONFIG", ("", "a\nb", "~nobody-of-that-name/x")),
        ("NANOCONF_MPI", ("mpiexec 'one", "a\nb")),
    ],
)
def test_a_variable_with_a_bad_value_is_refused_by_name_in_one_line(monkeypatch, name, values):
    for value in values:
        monkeypatch.setenv(name, value)
        with pytest.raises(InvalidInput) as refused:
            check_environment()
        line = str(refused.value)
        assert line.startswith(f"{name} = ") and line.isprintable() and len(line) < 300, value


def test_a_bad_number_of_cores_is_ignored_where_it_cannot_be_reported(monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "two")
    assert local.cores() >= 1


def test_a_user_without_a_home_folder_is_asked_for_one(monkeypatch):
    monkeypatch.delenv("NANOCONF_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("NANOCONF_CLUSTER_CONFIG", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as without an account
    with pytest.raises(InvalidInput, match=r"NANOCONF_HOME.*is missing"):
        default_home()
    with pytest.raises(InvalidInput, match=r"NANOCONF_CLUSTER_CONFIG.*is missing"):
        config_path()


@pytest.mark.parametrize("home", ["", "a\nb", "~nobody-of-that-name/x"])
def test_an_implausible_archive_folder_is_refused(home):
    with pytest.raises(InvalidInput, match="home = "):
        Archive(home)


def test_paths_may_begin_with_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("home", "~/runs") == tmp_path / "runs"


def test_the_fingerprint_depends_on_everything_that_affects_a_keeper(monkeypatch):
    for name in ("NANOCONF_CORES", "NANOCONF_CLUSTER_CONFIG", "PYTHONPATH"):
        before = fingerprint()
        monkeypatch.setenv(name, "/another/value")
        assert fingerprint() != before, name
    before = fingerprint()
    monkeypatch.setenv("NANOCONF_HOME", "/another/value")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NANOCONF_MAX_LENGTH", "10")  # these concern the page only
    monkeypatch.setenv("NANOCONF_MAX_RUNS", "2")
    monkeypatch.setenv("NANOCONF_GATE", "1")  # set in the kernels of the page
    monkeypatch.setenv("NANOCONF_TOKEN", "secret")
    assert fingerprint() == before
    monkeypatch.setattr("sys.prefix", "/another/python")
    assert fingerprint() != before
