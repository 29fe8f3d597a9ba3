"""A home of version 0.1.0 opens, its runs can be resumed, and it supplies training data as before.

`tests/fixtures/README.md` lists the commands that made it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from backend import __version__
from backend.engines.numba import engine
from backend.files import read_json, write_json
from backend.keeper.election import ensure_keeper, follow
from backend.profiles.density import SlitProfiles
from backend.runs import local
from backend.runs.archive import Archive, inputs_hash
from backend.runs.run import Run
from backend.runs.run_state import RunState
from backend.sampling.result import SimulationResult
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem, canonical_hash
from nanoconf.cli.main import main
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.lifecycle import collection, registry
from nanoconf.surrogate.lifecycle.retraining import train_if_due

FIXTURES = Path(__file__).parents[2] / "fixtures"

VERSION = "0.1.0"
ENGINE = "0ec9d63a3594846e1f9d7a4cbcc184ad5f6035066e91c83eca6303ebd69bfb17"
"""Revision of the engine that wrote the checkpoints."""

CONVERGED, TRIVALENT = "f1c6dc36d5401585299f88444b2f6076", "af8544716f3b0d6417a20b436c1d1d3a"
NAMED, LAMMPS = "a4fb762cf481e66b56bbc432ba26f50e", "53205c7fc9bd31cea664e726f6a798d1"
FINISHED, CANCELLED = "95f8e515017002944a49a971d0257696", "4a6da66b01942b50bb9d2ed76163b75a"
ON_CLUSTER, FAILED = "50f6ed1c2bb5e4a173edb3d052d0acd2", "bea090c557c45c3e208ac285f011c312"
UNDISTURBED, INTERRUPTED = "708417f45c6a3a3ac2c6fc3e2461b16a", "aef5693ce3289d70c86d6e2401ddb048"
WAITING = "2ab4471bdb7cf9b2184f26103daa23df"

STATES = {
    WAITING: "queued",
    INTERRUPTED: "queued",
    UNDISTURBED: "done",
    ON_CLUSTER: "done",
    CANCELLED: "cancelled",
    FINISHED: "done",
    FAILED: "failed",
    LAMMPS: "done",
    NAMED: "done",
    TRIVALENT: "done",
    CONVERGED: "done",
}
"""States of all runs, newest first."""

CONTACT_DENSITIES = {
    CONVERGED: (0.4474020541107586, 0.4308494427747444),
    TRIVALENT: (0.04775661863249771, 0.22499130692807714),
    NAMED: (0.08930645921457274, 0.18762504422076262),
    LAMMPS: (0.8255829784494617, 0.7805708591536467),
    FINISHED: (0.18230713452299196, 0.18273563585845026),
    ON_CLUSTER: (0.22966281723913207, 0.23437441767027475),
    UNDISTURBED: (0.38428152680923144, 0.3733245681496006),
}
"""Contact densities of both species (M), for all runs that are done."""

TO_AN_ERROR = {"duration_ns": 50.0, "target_error": 0.08, "time_step": 0.01}

REQUESTS = {
    CONVERGED: (
        SlitSystem(3.0, 1, -1, 0.6, 0.65),
        RunSettings(seed=1, replicas=1, **TO_AN_ERROR),
        "786bc51f4811333caeb2bbe4276328b881620249ce6103471e003b6c7c408a2d",
    ),
    TRIVALENT: (
        SlitSystem(3.2, 3, -1, 0.5, 0.55),
        RunSettings(seed=2, replicas=2, **TO_AN_ERROR),
        "8d0ac7ceaa701682039307efe23f2b0df3a434125a8d0e2c5353ca5dfd05759b",
    ),
    NAMED: (
        SlitSystem(3.5, 2, -1, 0.4, 0.6),
        RunSettings(duration_ns=0.05, replicas=1, snapshots=2),
        "1966ee3938fb919d9a7da866f2f72611c52bbeb941afa810c220c3ceb0879d1d",
    ),
    LAMMPS: (
        SlitSystem(3.0, 1, -1, 0.8, 0.7),
        RunSettings(duration_ns=0.05, replicas=1, engine="lammps"),
        "dfec7632286589d7f7baeb53466cb5a188a352ee30915705af2a1c0a3b30d4ca",
    ),
    FINISHED: (
        SlitSystem(3.6, 1, -1, 0.35, 0.6),
        RunSettings(duration_ns=20.0, seed=3, replicas=1, time_step=0.01),
        "938c35ea1777a6b3d2f685a05209268f0727866dd6c1aea407e7475578a62363",
    ),
    ON_CLUSTER: (
        SlitSystem(3.3, 1, -1, 0.45, 0.55),
        RunSettings(seed=4, replicas=1, **TO_AN_ERROR),
        "9fc3a3af749b1eb0b44e5c988833a46ddb48efd29a5fdf8bafdb3e5a64ecee82",
    ),
    UNDISTURBED: (
        SlitSystem(3.0, 1, -1, 0.5, 0.7),
        RunSettings(duration_ns=0.2, seed=5, replicas=2, snapshots=1),
        "9b21228e02e33e12e14af13c2c997fc9396aeb76958bbefb45cd88801288361e",
    ),
}
"""System, settings and cache key of all runs that are done."""

STEPS_BEFORE, TALLIES_BEFORE = 22800, 7
"""Steps and tallies of each replica at the interruption."""

STEPS = 58400
"""Steps of both replicas together, at the end of that run."""

PREDICTED = {
    "positive": (0.4187352418899536, 0.3724382042884827, 0.3618285298347473),
    "negative": (0.932305097579956, 0.755239462852478, 0.7243366241455078),
}
"""Densities (M) in bins 36, 60 and 149 of 300, from the retrained model."""

PREDICTED_ERRORS = {"positive": 0.0006401380721477637, "negative": 0.0016960994357552179}
"""Errors (M) in bin 149."""

ELIGIBLE = {CONVERGED, TRIVALENT, FINISHED, ON_CLUSTER}


@pytest.fixture(autouse=True)
def archive(home: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Return the archive of a copy of the old home."""
    monkeypatch.delenv("NANOCONF_MODELS", raising=False)
    monkeypatch.setenv("NANOCONF_RETRAIN_AFTER", "100")
    shutil.copytree(FIXTURES / "home", home)
    return Archive(home)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the output of a command that succeeds."""
    capsys.readouterr()
    assert main(list(words)) == 0
    return capsys.readouterr().out


def assert_agree(one: SimulationResult, other: SimulationResult, errors: float) -> None:
    """Assert that contact densities differ by at most a number of standard errors."""
    for species in SPECIES:
        contact = [each.summary.densities_M[species]["contact"] for each in (one, other)]
        spread = [each.summary.density_errors_M[species]["contact"] for each in (one, other)]
        assert abs(contact[0] - contact[1]) <= errors * np.hypot(*spread)


# --- listing runs and results ---------------------------------------------------------------


def test_runs_are_listed_exactly_as_the_earlier_version_listed_them(home, capsys):
    listed = json.loads(printed(capsys, "runs", "--json"))
    assert {run["id"]: run["state"] for run in listed} == STATES
    recorded = read_json(FIXTURES / "runs.json")
    for run in recorded:
        run["folder"] = str(home / "runs" / run["id"])
    assert listed == recorded
    assert [run["id"] for run in listed] == list(STATES)


def test_failed_and_cancelled_runs_have_a_reason(archive):
    assert archive.get(FAILED).error == "ion-through-wall"
    assert archive.get(FAILED).reason == (
        "an ion went through a wall at step 4545 of replica 0: the time step is likely too large: "
        "try a smaller time step than 0.02 τ"
    )
    assert archive.get(CANCELLED).reason == "cancelled on request"
    assert archive.get(ON_CLUSTER).where == "test"
    assert archive.get(NAMED).name == "a second look"
    assert archive.get(FINISHED).finish_requested
    assert archive.get(INTERRUPTED).interrupted and not archive.get(WAITING).interrupted


def test_results_load_with_the_recorded_numbers(archive):
    for run_id, contact in CONTACT_DENSITIES.items():
        result = archive.get(run_id).result()
        for species, recorded in zip(SPECIES, contact, strict=True):
            profile = result.profiles.by_species()[species]
            assert result.summary.densities_M[species]["contact"] == recorded
            found = profile.contact_density(result.system, species)
            assert found == pytest.approx(recorded, rel=1e-5)
            variance = np.diag(result.covariance(species))
            np.testing.assert_allclose(np.sqrt(variance), profile.error, rtol=1e-4, atol=1e-6)
            counted = result.histogram.by_species()[species]
            mean = result.summary.densities_M[species]["mean"]
            assert counted.mean_density == pytest.approx(mean, rel=1e-5)


def test_files_of_a_result_are_written_unchanged(home, tmp_path, capsys):
    old, new = home / "runs" / NAMED, tmp_path / "files"
    printed(capsys, "runs", "show", NAMED, "-o", str(new))
    profiles = [name for pair in SlitProfiles.FILES.values() for name in pair]
    for name in (*profiles, "histogram.csv", "trajectory.xyz", "trajectory.lammpstrj"):
        assert (new / name).read_text() == (old / name).read_text(), name
    # recomputed from profiles that were rounded in their files
    tables = [np.genfromtxt(each / "charge.csv", delimiter=",", names=True) for each in (old, new)]
    assert tables[0].dtype == tables[1].dtype
    for column in tables[0].dtype.names:
        np.testing.assert_allclose(tables[1][column], tables[0][column], rtol=1e-5, atol=1e-6)


def test_identical_inputs_reuse_the_stored_result(archive):
    assert REQUESTS.keys() == CONTACT_DENSITIES.keys()
    for run_id, (system, settings, key) in REQUESTS.items():
        assert inputs_hash(system, settings) == key
        run = archive.submit(system, settings)
        # a run that was finished early is not reused for the full duration
        assert run.joined is (run_id != FINISHED)
        assert (run.id == run_id) is run.joined
        assert run.inputs_hash == key
    assert len(archive.runs()) == len(STATES) + 1


def test_the_command_line_reuses_a_stored_result(archive, tmp_path, capsys):
    typed = "-Z 3.5 -p 2 -c 0.4 -d 0.6 --duration-ns 0.05 --replicas 1 --snapshots 2"
    folder = tmp_path / "files"
    output = printed(capsys, "simulate", *typed.split(), "-o", str(folder))
    assert "positive ions: contact 0.089 ± 0.005 M, peak 0.254 ± 0.006 M" in output
    assert read_json(folder / "run.json")["id"] == NAMED
    assert len(archive.runs()) == len(STATES)


# --- resuming -------------------------------------------------------------------------------


def request_now(run: Run) -> Run:
    """Let this version request the run: workers refuse those of another version."""
    write_json(run.folder / "run.json", run.request | {"version": __version__})
    return Run(run.folder)


def kind_of(run: Run, engine_of_checkpoint: str) -> str:
    """Return the fingerprint in the checkpoints of a run: inputs, version and engine."""
    return canonical_hash(
        {
            "system": run.system.to_dict(),
            "settings": run.settings.to_dict(),
            "version": VERSION,
            "engine": engine_of_checkpoint,
        }
    )


def checkpoints(run: Run) -> list[dict[str, np.ndarray]]:
    loaded = []
    for path in sorted(run.checkpoint_folder.iterdir()):
        with np.load(path) as arrays:
            loaded.append(dict(arrays))
    return loaded


def test_the_checkpoints_belong_to_the_interrupted_run(archive):
    run = archive.get(INTERRUPTED)
    assert run.state == RunState.QUEUED
    for arrays in checkpoints(run):
        assert arrays["kind"][0] == kind_of(run, ENGINE)
        assert (arrays["steps_done"], arrays["tallies_done"]) == (STEPS_BEFORE, TALLIES_BEFORE)


def test_unfinished_runs_are_refused_and_can_be_repeated(archive, home):
    ensure_keeper(home)
    for run_id in (INTERRUPTED, WAITING):
        run = archive.get(run_id)
        assert follow(run) == RunState.FAILED
        assert run.error == "other-version"
        assert f"requested by nanoconf {VERSION}" in run.reason and "repeat the run" in run.reason
    repeated = archive.submit(run.system, run.settings)
    assert not repeated.joined
    ensure_keeper(home)
    assert follow(repeated) == RunState.DONE, repeated.reason


def test_the_keeper_completes_the_unfinished_runs(archive, home):
    interrupted, waiting = (request_now(archive.get(each)) for each in (INTERRUPTED, WAITING))
    ensure_keeper(home)
    assert follow(interrupted) == RunState.DONE, interrupted.reason
    assert follow(waiting) == RunState.DONE, waiting.reason
    log = (interrupted.folder / "worker.log").read_text()
    resumed = log.count(f"resumes from step {STEPS_BEFORE}")
    assert resumed == interrupted.settings.replicas
    assert interrupted.result().summary.timings.steps == STEPS
    assert [attempt["ended"] for attempt in interrupted.attempts()] == ["interrupted", "done"]
    assert not interrupted.checkpoint_folder.exists()
    assert_agree(interrupted.result(), archive.get(UNDISTURBED).result(), 4)
    for species in SPECIES:
        profile = waiting.result().profiles.by_species()[species]
        share = 2 if species == "positive" else 1
        assert profile.mean_density == pytest.approx(0.45 / share, rel=1e-3)


def test_the_interrupted_run_resumes_from_its_checkpoints(archive, tmp_path):
    """If this computer also reproduces the undisturbed run, the results agree bit for bit."""
    run, undisturbed = request_now(archive.get(INTERRUPTED)), archive.get(UNDISTURBED).result()
    shutil.copytree(run.checkpoint_folder, tmp_path / "checkpoint")
    assert local.start(run.folder, threads=2).wait() == 0
    log = (run.folder / "worker.log").read_text()
    for index in range(run.settings.replicas):
        assert f"replica {index} resumes from step {STEPS_BEFORE}\n" in log
    assert "starts from the beginning" not in log
    resumed = run.result()
    assert resumed.summary.timings.steps == STEPS
    assert_agree(resumed, undisturbed, 4)
    again = engine.run(run.system, run.settings, threads=2, checkpoint=tmp_path / "checkpoint")
    assert resumed.profiles.files() == again.profiles.files()
    whole = engine.run(run.system, run.settings, threads=2)
    if whole.profiles.files() == undisturbed.profiles.files():
        assert resumed.profiles.files() == undisturbed.profiles.files()
        trajectory = (run.folder / "trajectory.xyz").read_text()
        assert trajectory == (run.folder.parent / UNDISTURBED / "trajectory.xyz").read_text()


# --- training -------------------------------------------------------------------------------


def test_the_same_runs_are_eligible_for_training(archive):
    domain = Surrogate.load().domain
    found = [run for run in archive.runs() if collection.eligible(run, domain, ())]
    assert {run.id for run in found} == ELIGIBLE
    data = collection.simulations(found)
    for row, run in enumerate(found):
        for species in SPECIES:
            profile = run.result().profiles.by_species()[species]
            np.testing.assert_array_equal(data.density[species][row], profile.density[:150])
            np.testing.assert_array_equal(data.error[species][row], profile.error[:150])


@pytest.mark.parametrize("from_scratch", [False, True])
def test_runs_are_collected_for_training_as_before(home, capsys, from_scratch):
    recorded = read_json(home / "learning.json")
    assert set(recorded["learnt"]) == ELIGIBLE - {ON_CLUSTER}
    assert recorded["fresh"] == [ON_CLUSTER]
    if from_scratch:
        (home / "learning.json").unlink()
        recorded |= {"learnt": [], "fresh": sorted(ELIGIBLE), "outcome": ""}
    printed(capsys, "train", "--if-due")
    assert read_json(home / "learning.json") == recorded
    assert set(recorded["useless"]) == {CANCELLED, FAILED, LAMMPS, NAMED, UNDISTURBED}


def test_the_retrained_model_is_the_current_one(home, capsys):
    current, shipped = json.loads(printed(capsys, "models", "--json"))
    assert (current["name"], current["current"], current["source"]) == ("model-4", True, "home")
    assert current["folder"] == str(home / "models" / "model-4")
    assert current["kept_aside"] == "worse than model-3 by 0.063% (relative L2 error)"
    assert (shipped["name"], shipped["current"], shipped["source"]) == ("model-3", False, "package")
    printed(capsys, "models", "rollback")
    assert Surrogate.load().name == "model-3"
    printed(capsys, "models", "promote", "model-4")
    assert Surrogate.load().name == "model-4"


@pytest.mark.parametrize("runtime", ["litert", "tensorflow"])
def test_the_retrained_model_reproduces_its_predictions(runtime):
    prediction = Surrogate.load(runtime=runtime).predict(SlitSystem(3.3, 2, -1, 0.6, 0.65))
    assert prediction.model == "model-4"
    for species, profile in prediction.profiles.by_species().items():
        found = profile.density[[36, 60, 149]]
        assert found == pytest.approx(PREDICTED[species], rel=1e-4)
        assert profile.error[149] == pytest.approx(PREDICTED_ERRORS[species], rel=1e-3)


def test_the_next_retraining_continues_from_the_old_home(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_RETRAIN_AFTER", "1")
    outcome = train_if_due(epochs=1)
    assert outcome.startswith("model-5 ")
    card = read_json(home / "models" / "model-5" / "card.json")
    assert card["promotion"]["against"] == "model-4"
    assert card["data"]["archive_runs"] == len(ELIGIBLE)
    assert (
        card["data"]["training"]["systems"] == 3422
    )  # the data set already contains these systems
    state = read_json(home / "learning.json")
    assert (set(state["learnt"]), state["fresh"]) == (ELIGIBLE, [])
    assert state["outcome"] == outcome
    # a single pass through the data makes a poor model
    assert not card["promotion"]["promoted"] and Surrogate.load().name == "model-4"
    assert {model.name for model in registry.models()} == {"model-3", "model-4", "model-5"}
