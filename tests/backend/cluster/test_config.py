"""What is decided about clusters before one is reached."""

from __future__ import annotations

import getpass
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from backend.cluster import config, wire
from backend.cluster.config import EXAMPLE, LIMITS, VARIABLE, Cluster
from backend.cluster.here import endings, jobs, remote_run
from backend.cluster.here.intervals import after_quiet
from backend.cluster.here.jobs import Job
from backend.cluster.here.remote_run import RemoteRun
from backend.cluster.node.slurm import _task
from backend.cluster.problems import ClusterProblem
from backend.cluster.resources import resources
from backend.cluster.ssh import hosts
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from nanoconf.cli.main import main
from nanoconf.gui.services import clusters
from nanoconf.gui.services.clusters import SHARED, Place, check_room, usable
from tests.support.homes import submit

PLAIN = Cluster("one", "login.example.org")


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "clusters.toml"
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.delenv(SHARED, raising=False)
    return path


# --- the file -------------------------------------------------------------------------------


def test_the_example_is_valid_and_shows_every_default():
    commented = "\n".join(line.removeprefix("# ") for line in EXAMPLE.splitlines()[3:])
    text = commented.replace("On nanoHUB", "# On nanoHUB")
    entries = tomllib.loads("[clusters.example]\n" + text)["clusters"]
    assert Cluster.from_dict("nanohub", entries["nanohub"]) == Cluster("nanohub", submit=True)
    values = entries["example"]
    shown = Cluster.from_dict("example", values)
    plain = Cluster("example", values["host"])
    assert set(values) | set(entries["nanohub"]) == set(vars(plain)) - {"name"}
    optional = {"max_runs", "max_cores", "max_minutes", "port"}
    for key in set(values) - optional:
        assert getattr(shown, key) == getattr(plain, key), key


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ('colour = "red"', "clusters.one.colour = red: is unknown; known keys: host, port"),
        ("cores = 0", "clusters.one.cores = 0: must be 1 or more"),
        ('cores = "many"', "clusters.one.cores = many: must be a whole number"),
        ("cores = true", "clusters.one.cores = True: must be a whole number"),
        ('shared = "yes"', "clusters.one.shared = yes: must be true or false"),
        ('engine = "gromacs"', "must be one of numba, lammps"),
        ("port = 70000", "must be a port"),
        ('setup = "module load x"', "must be a list"),
        ('work_dir = " "', "must name a folder"),
        ('work_dir = "a:b"', "must not contain a colon"),
        ('account = "a\\u0000b"', "must not contain line breaks or control"),
        ("shared = true", "clusters.one.max_runs = 0: must be 1 or more if shared = true"),
    ],
)
def test_the_error_names_an_invalid_key_or_value(file, capsys, line, refusal):
    file.write_text(f'[clusters.one]\nhost = "login"\n{line}\n')
    assert main(["cluster", "list"]) == 2
    said = capsys.readouterr().err
    assert refusal in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("[clusters.one]\nuser = 'me'", "must name the login node"),
        ("[cluster.one]\nhost = 'login'", "entries are named [clusters.NAME]"),
        ("clusters = 3", "must be tables"),
        ("[clusters.one", "cannot be read"),
    ],
)
def test_malformed_files_are_refused(file, text, refusal):
    file.write_text(text)
    with pytest.raises(InvalidInput, match=refusal.replace("[", "\\[")):
        config.load()


def test_without_a_file_there_are_no_clusters(file, monkeypatch, tmp_path, capsys):
    with pytest.raises(InvalidInput, match="there is no such file"):
        config.load()
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config.load() == {}
    assert main(["simulate", "--cluster", "-o", str(tmp_path / "out")]) == 2
    assert "nanoconf cluster init" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_init_writes_an_example_once(file, capsys):
    assert main(["cluster", "init"]) == 0
    assert list(config.load()) == ["example"]
    assert main(["cluster", "init"]) == 2
    assert "already exists" in capsys.readouterr().err


def test_the_first_cluster_is_the_default(file):
    file.write_text('[clusters.b]\nhost = "x"\n[clusters.a]\nhost = "y"\n')
    assert config.get().name == "b"
    assert config.get("a").host == "y"
    with pytest.raises(InvalidInput, match="must be one of b, a"):
        config.get("c")


# --- ~/.ssh/config --------------------------------------------------------------------------

SSH_CONFIG = """\
Host big
    HostName login7.example.org
    Port 2222
    User alice
    IdentityFile ~/keys/big
    ProxyJump carol@gate:23,inner
    UserKnownHostsFile ~/known ~/other
Host inner
    HostName 10.0.0.1
Host round
    ProxyJump round
"""


@pytest.fixture
def ssh_config(tmp_path):
    path = tmp_path / "config"
    path.write_text(SSH_CONFIG)
    return path


def test_ssh_aliases_are_resolved(ssh_config):
    target = hosts.target_of(Cluster("c", "big"), ssh_config)
    assert (target.host, target.port, target.user) == ("login7.example.org", 2222, "alice")
    assert target.key_files[0].name == "big" and target.known_hosts.name == "known"
    assert target.key_name == "[login7.example.org]:2222"
    inner, gate = target.jump, target.jump.jump
    assert (inner.host, inner.user, inner.port) == ("10.0.0.1", getpass.getuser(), 22)
    assert (gate.host, gate.user, gate.port, gate.jump) == ("gate", "carol", 23, None)


def test_the_entry_overrides_the_ssh_config(ssh_config):
    cluster = Cluster("c", "big", port=22, user="bob", key_file="/k", jump_host="none")
    target = hosts.target_of(cluster, ssh_config)
    assert (target.port, target.user, target.jump) == (22, "bob", None)
    assert [str(path) for path in target.key_files] == ["/k"]


def test_circular_jump_hosts_are_refused(ssh_config):
    with pytest.raises(ClusterProblem, match="loop"):
        hosts.target_of(Cluster("c", "round"), ssh_config)


# --- what a run asks for --------------------------------------------------------------------


def test_cores_and_minutes_are_estimated_unless_given(file):
    settings = RunSettings(duration_ns=20.0, replicas=4)
    asked = resources(replace(PLAIN, cores=8), SlitSystem(), settings)
    assert asked["cores"] == 4 and asked["config"] == str(file)
    longer = resources(replace(PLAIN, cores=8), SlitSystem(), replace(settings, duration_ns=200.0))
    assert longer["minutes"] > asked["minutes"] >= 6
    assert resources(PLAIN, SlitSystem(), settings)["cores"] == 2
    chosen = resources(PLAIN, SlitSystem(), settings, cores=1, minutes=17)
    assert (chosen["cores"], chosen["minutes"]) == (1, 17)


@pytest.mark.parametrize(
    ("cluster", "asked", "refusal"),
    [
        (PLAIN, {"cores": 3}, "cores = 3: must lie between 1 and 2 on cluster one"),
        (PLAIN, {"minutes": 5000}, "walltime = 5000: must lie between 1 and 1440"),
        (replace(PLAIN, max_minutes=9), {"minutes": 10}, "between 1 and 9"),
        (replace(PLAIN, max_cores=1), {"cores": 2}, "between 1 and 1"),
    ],
)
def test_requests_beyond_the_limits_of_the_entry_are_refused(file, cluster, asked, refusal):
    with pytest.raises(InvalidInput, match=refusal):
        resources(cluster, SlitSystem(), RunSettings(), **asked)


def test_estimates_stay_within_the_limits_of_the_entry(file):
    settings = RunSettings(duration_ns=1000.0)
    assert resources(replace(PLAIN, max_minutes=9), SlitSystem(), settings)["minutes"] == 9


def test_sbatch_options_are_taken_from_the_entry():
    job = Job("nanoconf-x", "one", "", ["a", "b", "c"], tasks=3, cores=2, minutes=30)
    cluster = replace(PLAIN, partition="p q", account="a;b", qos="", gres="gpu:1", max_running=2)
    options = job.options(cluster, "numba")
    assert {"--time=30", "--cpus-per-task=2", "--partition=p q", "--account=a;b"} <= {*options}
    assert "--gres=gpu:1" in options
    assert "--array=0-2%2" in options and "--signal=B:USR1@120" in options
    assert not any(option.startswith("--qos") for option in options)
    one = replace(job, runs=["a"], tasks=1, minutes=1).options(cluster, "lammps")
    assert {"--ntasks=2", "--cpus-per-task=1", "--signal=B:USR1@15"} <= {*one}
    assert not any(option.startswith("--array") for option in one)


def looks(first: float, last: float) -> int:
    """Looks at a job, from so many seconds after something has happened to so many."""
    count, quiet = 0, 0.0
    while quiet < last:
        count += quiet >= first
        quiet += after_quiet(quiet)
    return count


def test_polls_become_less_frequent_while_nothing_happens():
    assert (looks(0, 3600), looks(3600, 7200)) == (144, 60)


# --- how jobs end ---------------------------------------------------------------------------

RECORDED = {
    # scontrol -o show job, Slurm 22.05 and 23.11, shortened
    "OUT_OF_MEMORY": "JobId=7 JobName=x JobState=OUT_OF_MEMORY Reason=OutOfMemory Dependency=(null)"
    " Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:125",
    "TIMEOUT": "JobId=7 JobName=x JobState=TIMEOUT Reason=TimeLimit Dependency=(null)"
    " Restarts=0 ExitCode=0:15",
    "NODE_FAIL": "JobId=7 JobName=x JobState=NODE_FAIL Reason=NodeDown Dependency=(null)"
    " Restarts=0 ExitCode=0:15",
    "LAUNCH": "JobId=7 JobName=x JobState=FAILED Reason=JobLaunchFailure Dependency=(null)"
    " Restarts=1 ExitCode=0:9",
    "PREEMPTED": "JobId=7 JobName=x JobState=PREEMPTED Reason=None Dependency=(null)"
    " Restarts=0 ExitCode=0:15",
    "CANCELLED": "JobId=7 JobName=x JobState=CANCELLED Reason=None Dependency=(null)"
    " Restarts=0 ExitCode=0:15",
    "FAILED": "JobId=7 JobName=x JobState=FAILED Reason=NonZeroExitCode Dependency=(null)"
    " Restarts=0 ExitCode=3:0",
    "FINAL 75": "JobId=7 JobName=x JobState=FAILED Reason=NonZeroExitCode Dependency=(null)"
    " ExitCode=75:0",
}


@pytest.mark.parametrize(
    ("name", "state", "error", "words"),
    [
        ("OUT_OF_MEMORY", RunState.FAILED, "memory", "OutOfMemory"),
        ("TIMEOUT", RunState.FAILED, "time-limit", "--walltime"),
        ("NODE_FAIL", RunState.FAILED, "node-failed", "resume from its checkpoint"),
        ("LAUNCH", RunState.FAILED, "node-failed", "JobLaunchFailure"),
        ("PREEMPTED", RunState.FAILED, "preempted", "was preempted"),
        ("CANCELLED", RunState.CANCELLED, "", "not by nanoconf"),
        ("FAILED", RunState.FAILED, "job-failed", "exit code 3:0"),
        ("FINAL 75", RunState.FAILED, "interrupted", "was terminated"),
    ],
)
def test_slurm_states_have_names_reasons_and_advice(name, state, error, words):
    end = endings.ending(_task(RECORDED[name]), "", 7, 30)
    assert (end.state, end.error) == (state, error)
    assert words in end.reason and "job 7" in end.reason and "\n" not in end.reason


@pytest.mark.parametrize("state", [*endings.WAITING, *endings.WORKING])
def test_pending_and_running_jobs_have_not_ended(state):
    assert endings.ending({"state": state, "reason": "Priority"}, "", 7, 30) is None


def test_a_job_that_slurm_has_forgotten_is_lost():
    assert endings.ending({}, "", 7, 30).error == "job-lost"


def test_a_job_that_was_sent_the_time_limit_warning_is_reported_as_timed_out():
    assert endings.ending(_task(RECORDED["FINAL 75"]), "time-limit", 7, 30).error == "time-limit"


def test_array_tasks_are_found_in_ranges_of_task_ids():
    tasks = [{"task": "0-3,7", "state": "PENDING"}, {"task": "5", "state": "RUNNING"}]
    found = [endings.of_task(tasks, i).get("state") for i in (0, 3, 4, 5, 7)]
    assert found == ["PENDING", "PENDING", None, "RUNNING", "PENDING"]
    assert endings.of_task([{"task": "", "state": "RUNNING"}], 0)["state"] == "RUNNING"


def test_an_unrecognised_response_is_not_mistaken_for_a_lost_job():
    with pytest.raises(ClusterProblem) as problem:
        _task("JobId=7 JobName=x State=RUNNING")
    assert problem.value.passing


# --- what is written here -------------------------------------------------------------------


def test_jobs_belong_to_the_file_that_describes_their_cluster(tmp_path):
    job = Job("nanoconf-x", "one", "/mine.toml", ["a"], tasks=1, cores=1, minutes=1)
    job.save(tmp_path)
    assert jobs.load(tmp_path, "one", Path("/mine.toml")) == [job]
    assert jobs.load(tmp_path, "one", Path("/another.toml")) == []
    assert jobs.load(tmp_path, "two", Path("/mine.toml")) == []


@pytest.mark.parametrize("name", ["tasks", "cores"])
def test_a_job_file_without_tasks_or_cores_is_ignored(tmp_path, name):
    job = Job("nanoconf-x", "one", "/mine.toml", ["a"], tasks=1, cores=1, minutes=1)
    job.save(tmp_path)
    path = tmp_path / "jobs" / "nanoconf-x.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: 0}))
    assert jobs.load(tmp_path, "one", Path("/mine.toml")) == []


def test_the_log_is_written_before_the_profiles(home, monkeypatch):
    written = []
    for name in ("_write", "write_json"):
        monkeypatch.setattr(remote_run, name, lambda path, _: written.append(path.name))
    found = {"partial": {"x.csv": ""}, "log": "sampling\n", "progress": {"updated": "now"}}
    RemoteRun(submit(home)).store_progress(found)
    assert written == ["worker.log", "x.csv", "progress.json"]


# --- messages -------------------------------------------------------------------------------


def test_incomplete_messages_are_refused():
    message = wire.pack({"text": "ä" * 1000})
    assert wire.unpack(b"Welcome to the cluster!\n" + message) == {"text": "ä" * 1000}
    for length in (0, 10, len(message) // 2, len(message) - 1):
        with pytest.raises(wire.Broken):
            wire.unpack(message[:length])


# --- the page -------------------------------------------------------------------------------


def test_on_a_shared_server_only_shared_clusters_are_offered(file, monkeypatch):
    limits = "\n".join(f"{name} = 2" for name in LIMITS)
    file.write_text(f'[clusters.a]\nhost="x"\n[clusters.b]\nhost="y"\nshared=true\n{limits}\n')
    assert usable()[0] == ("a", "b")
    monkeypatch.setenv(SHARED, "1")
    assert usable()[0] == ("b",)
    file.write_text('[clusters.a]\nhost="x"\n')
    names, note = usable()
    assert not names and "shared = true" in note and "run on this computer" in note


def test_a_shared_cluster_limits_the_number_of_runs(file, home):
    limits = "\n".join(f"{name} = 2" for name in LIMITS)
    file.write_text(f'[clusters.b]\nhost="y"\nshared=true\n{limits}\n')
    archive, place = Archive(home), Place("b")
    for seed in (1, 2):
        check_room(place, archive)
        settings, where = place.applied(SlitSystem(), RunSettings(seed=seed))
        archive.submit(SlitSystem(), settings, **where)
    with pytest.raises(InvalidInput, match="the limit is 2 at a time"):
        check_room(place, archive)


@pytest.mark.parametrize("text", ["many", "-1", "1.5"])
def test_invalid_minutes_are_refused(file, text):
    file.write_text('[clusters.a]\nhost="x"\n')
    with pytest.raises(InvalidInput, match="minutes"):
        clusters.Place("a", minutes=text).applied(SlitSystem(), RunSettings())
