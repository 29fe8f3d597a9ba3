"""Retraining: runs that are eligible, when it starts, and promotion of the new model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html import escape

import numpy as np
import psutil
import pytest

from backend import extras
from backend.files import write_json
from backend.keeper import learning
from backend.keeper.keeper import Keeper
from backend.keeper.learning import Learning
from backend.keeper.local_runs import LocalRuns
from backend.locks import is_locked
from backend.profiles.bins import bin_centres
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.sampling.result import SimulationResult
from backend.sampling.summary import Agreement, Checks, Convergence, Summary
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from nanoconf.cli.main import main
from nanoconf.data import dataset
from nanoconf.data.published import SYSTEMS
from nanoconf.gui.tabs.about.model_table import about_model
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.domain import Domain, mean_density
from nanoconf.surrogate.lifecycle import collection, promotion, registry
from nanoconf.surrogate.lifecycle.promotion import Promotion
from nanoconf.surrogate.lifecycle.retraining import train_if_due
from nanoconf.surrogate.simulations import Simulations, system_key
from nanoconf.surrogate.training import NICENESS, train
from tests.support.homes import until
from tests.support.synthetic import profile, random_systems, synthetic_rows

EPOCHS = 60


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package with its own data and model."""
    folder = tmp_path_factory.mktemp("package")
    rows = synthetic_rows(78)
    dataset.save(folder / "data" / "grid", rows[:90], {})
    dataset.save(folder / "data" / "validation", rows[90:150], {})
    dataset.save(folder / "data" / "test", rows[150:], {})
    train(
        folder / "data" / "grid",
        folder / "models" / "model-1",
        validation_folder=folder / "data" / "validation",
        epochs=EPOCHS,
        progress=False,
        background=False,
    )
    return folder


@pytest.fixture
def home(package, tmp_path, monkeypatch):
    monkeypatch.setenv("NANOCONF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NANOCONF_RETRAIN_AFTER", "5")
    monkeypatch.delenv("NANOCONF_MODELS", raising=False)
    monkeypatch.setattr(registry, "package_models", lambda: package / "models")
    return tmp_path / "home"


def finished(home, system: SlitSystem, seed: int = 1, **changes):
    """A finished run with an analytic profile."""
    settings = RunSettings(seed=seed, **changes.pop("settings", {}))
    run = Archive(home).submit(system, settings)
    z = bin_centres(system)
    random = np.random.default_rng(seed)
    profiles = []
    for species in SPECIES:
        half = profile(system, species)
        error = np.full(150, 0.005 * mean_density(system, species))
        half = half + error * random.normal(size=150) * (half > 0.01)
        full = (np.concatenate([values, values[::-1]]) for values in (half, error))
        profiles.append(DensityProfile(z, *full))
    summary = Summary(
        convergence=Convergence(changes.get("converged", True), 0.004, 0.005, [], 1.0, {}),
        checks=Checks(
            temperature=changes.get("temperature", 1.0),
            autocorrelation_time_tau=1.0,
            block_length_tau=10.0,
            effective_samples=1000.0,
            force_to_count_ratio={},
            force_to_count_ratio_error={},
            estimators=Agreement(0.01, 1.0, changes.get("probability", 0.5)),
        ),
    )
    SimulationResult(system, settings, SlitProfiles(*profiles), summary).save(run.folder)
    write_json(run.folder / "result.json", {"summary": summary.to_dict()})
    return run


# --- eligible runs --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "changes", "eligible"),
    [
        ({}, {}, True),
        ({}, {"converged": False}, False),
        ({}, {"temperature": 1.05}, False),
        ({}, {"probability": 1e-6}, False),
        ({}, {"settings": {"engine": "lammps"}}, False),
        ({"wall": "plane"}, {}, False),
        ({"temperature": 310.0}, {}, False),
        ({"negative_diameter": 0.6}, {}, False),
        ({"surface_charge_density": -0.01}, {}, False),
        ({"confinement_length": 5.0}, {}, False),
    ],
)
def test_only_converged_runs_in_the_domain_are_eligible(home, system, changes, eligible):
    run = finished(home, SlitSystem(**system), **changes)
    assert collection.eligible(run, Surrogate.load().domain, ()) is eligible


def test_systems_of_the_test_set_are_not_eligible_for_training(home):
    domain = Surrogate.load().domain
    run = finished(home, SYSTEMS["I"])
    assert collection.eligible(run, domain, ())
    assert not collection.eligible(run, domain, {system_key(SYSTEMS["I"])})
    assert not collection.eligible(Archive(home).submit(SlitSystem(), RunSettings()), domain, ())


def test_systems_used_to_evaluate_the_shipped_model_are_not_trained_on(home, package):
    evaluating = [SYSTEMS["I"]]
    for name in ("validation", "test"):
        evaluating += Simulations.load(package / "data" / name).systems[:2]
    for system in evaluating:
        finished(home, system)
    assert "0 new runs" in train_if_due(epochs=EPOCHS)
    assert len(Learning.load(home).useless) == 5


def test_repeats_are_weighted_by_their_standard_errors(home):
    one, other = (collection.simulations([finished(home, SlitSystem(), seed)]) for seed in (1, 2))
    other.error["positive"][:] *= 2
    both = collection.merged([one, other])
    assert len(both) == 1
    expected = (4 * one.density["positive"] + other.density["positive"]) / 5
    np.testing.assert_allclose(both.density["positive"], expected)
    np.testing.assert_allclose(both.error["positive"], one.error["positive"] * np.sqrt(16 + 4) / 5)


# --- start ----------------------------------------------------------------------------------


def test_training_waits_for_enough_new_runs_and_uses_them_all(home, package):
    for seed, system in enumerate(random_systems(4)):
        finished(home, system, seed)
    finished(home, SlitSystem(wall="plane"))
    assert "4 new runs" in train_if_due(epochs=EPOCHS)
    assert learning.may_be_due(Archive(home)) is False
    assert not (home / "models" / "model-2").exists()
    finished(home, SlitSystem(3.21, 2, -1, 0.5, 0.6), 9)
    assert learning.may_be_due(Archive(home))
    outcome = train_if_due(epochs=EPOCHS)
    assert "model-2" in outcome
    card = json.loads((home / "models" / "model-2" / "card.json").read_text())
    assert card["data"]["archive_runs"] == 5
    assert card["data"]["training"]["systems"] == 45 + 5
    assert Domain.from_dict(card["domain"]) == Surrogate.load(package / "models").domain
    state = Learning.load(home)
    assert (len(state.learnt), len(state.fresh), len(state.useless)) == (5, 0, 1)
    assert state.outcome == outcome
    assert "0 new runs" in train_if_due(epochs=EPOCHS)


def test_zero_turns_retraining_off(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_RETRAIN_AFTER", "0")
    finished(home, SlitSystem())
    assert not learning.may_be_due(Archive(home))
    assert "off" in train_if_due()


@pytest.mark.parametrize("text", ["often", "-1", "1.5", ""])
def test_an_invalid_number_of_runs_gives_a_one_line_error(home, monkeypatch, capsys, text):
    monkeypatch.setenv("NANOCONF_RETRAIN_AFTER", text)
    for command in (["train", "--if-due"], ["app", "--no-browser"]):
        assert main(command) == 2
        line = capsys.readouterr().err
        assert f"NANOCONF_RETRAIN_AFTER = {text or repr('')}: must be a whole number" in line
        assert line.count("\n") == 1


class Recorder:
    """A function that records its results."""

    def __init__(self, function):
        self.function, self.results = function, []

    def __call__(self, *arguments):
        self.results.append(self.function(*arguments))
        return self.results[-1]


def test_the_keeper_starts_one_training_process_after_its_runs_have_ended(home, monkeypatch):
    started = []
    monkeypatch.setattr(learning, "start_training", lambda where: started.append(where))
    archive = Archive(home)
    runs = [archive.submit(SlitSystem(), RunSettings(seed=seed)) for seed in range(5)]
    keeper = Keeper(archive)
    monkeypatch.setattr(LocalRuns, "_start", lambda *_: False)
    assert keeper.poll()
    for run in runs:
        run.settle(RunState.FAILED, "a test", "", "test")
    assert not keeper.poll()
    assert started == [home]
    keeper.poll()
    assert started == [home]


def test_without_the_packages_for_training_the_keeper_logs_the_install_command_once(
    home, monkeypatch, capsys
):
    monkeypatch.setitem(extras.EXTRAS, "train", ("TensorFlow", ("no_such_module",)))
    monkeypatch.setenv("NANOCONF_RETRAIN_AFTER", "1")
    monkeypatch.setattr(LocalRuns, "_start", lambda *_: False)
    archive, line = Archive(home), 'retraining needs TensorFlow: run pip install "nanoconf[train]"'
    keeper = Keeper(archive)
    for seed in range(3):
        run = archive.submit(SlitSystem(), RunSettings(seed=seed))
        assert keeper.poll()
        run.settle(RunState.FAILED, "a test", "", "test")
        assert not keeper.poll()
    assert capsys.readouterr().out.count(line) == 1
    assert not (home / "training.log").exists()
    assert f"Off: {escape(line)}" in about_model(Surrogate.load().card)
    assert main(["models"]) == 0
    assert line in capsys.readouterr().out


def test_training_runs_in_a_separate_process_at_low_priority(tmp_path, monkeypatch):
    """The test uses the shipped model and data, and stops the training after it has started."""
    monkeypatch.setenv("NANOCONF_HOME", str(tmp_path))
    monkeypatch.setenv("NANOCONF_RETRAIN_AFTER", "5")
    monkeypatch.delenv("NANOCONF_MODELS", raising=False)
    monkeypatch.setattr(learning, "start_training", starting := Recorder(learning.start_training))
    monkeypatch.setattr(LocalRuns, "_start", lambda *_: False)
    keeper, systems = Keeper(Archive(tmp_path)), random_systems(5)
    Archive(tmp_path).submit(systems[0], RunSettings(seed=0))
    assert keeper.poll()
    for seed, system in enumerate(systems):
        finished(tmp_path, system, seed)
    assert not keeper.poll()
    (started,) = starting.results
    trainer = psutil.Process(started.pid)
    try:
        until(lambda: len(Learning.load(tmp_path).fresh) == 5, "the training to begin")
        until(lambda: is_locked(tmp_path / "models" / "training.lock"), "its lock")
        until(lambda: trainer.nice() >= NICENESS, "its lower priority")
        assert os.getsid(trainer.pid) == trainer.pid
    finally:
        started.kill()
        started.wait()


@pytest.mark.long
def test_a_killed_training_process_leaves_the_current_model_and_its_runs(home):
    for seed, system in enumerate(random_systems(5)):
        finished(home, system, seed)
    code = """
import os, signal, sys
from pathlib import Path
from nanoconf.surrogate.lifecycle import registry, retraining
from nanoconf.surrogate import training
registry.package_models = lambda: Path(sys.argv[1])
training.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
retraining.train_if_due(epochs=1)
"""
    package = registry.package_models()
    killed = subprocess.run([sys.executable, "-c", code, str(package)], env=dict(os.environ))
    assert killed.returncode == -9
    assert Surrogate.load().name == "model-1"
    assert len(Learning.load(home).fresh) == 5
    assert "model-2" in train_if_due(epochs=EPOCHS)
    assert [path.name for path in (home / "models").glob(".model*")] == []


# --- promotion ------------------------------------------------------------------------------


def decided(promoted: bool) -> Promotion:
    return Promotion(promoted, "model-1", "a test", 0.0, 0.5, 0.9)


@pytest.mark.parametrize("promoted", [True, False])
def test_a_worse_model_is_rejected_with_the_reason(home, monkeypatch, promoted):
    monkeypatch.setattr(
        "nanoconf.surrogate.lifecycle.retraining.decide", lambda *_: decided(promoted)
    )
    for seed, system in enumerate(random_systems(5)):
        finished(home, system, seed)
    train_if_due(epochs=1)
    assert Surrogate.load().name == ("model-2" if promoted else "model-1")
    rejected = {model.name: model.rejected for model in registry.models()}
    assert rejected == {"model-1": "", "model-2": "" if promoted else "a test"}


def test_models_are_promoted_and_rolled_back(home, package):
    with pytest.raises(registry.ModelNotFound, match="no previous model"):
        registry.roll_back()
    with pytest.raises(registry.ModelNotFound, match="no model model-9; known: model-1"):
        registry.promote("model-9")
    for name in ("model-2", "model-3"):
        folder = home / "models" / name
        folder.mkdir(parents=True)
        for source in (package / "models" / "model-1").iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
        card = json.loads((folder / "card.json").read_text())
        write_json(folder / "card.json", card | {"name": name})
        registry.promote(name)
        assert Surrogate.load().name == name
    assert registry.roll_back().name == "model-2"
    assert Surrogate.load().name == "model-2"
    registry.promote("model-1")  # in the package
    assert Surrogate.load().name == "model-1"
    assert registry.roll_back().name == "model-2"


class Shifted:
    """A model with a constant relative error of all densities."""

    def __init__(self, model: Surrogate, share: float, name: str = "shifted"):
        self._model, self._share, self.name, self.card = model, share, name, model.card

    def predict_halves(self, systems):
        halves = self._model.predict_halves(systems)
        return halves._replace(density=halves.density * (1 + self._share))

    def ensemble(self, systems):
        mean, spread, place = self._model.ensemble(systems)
        return mean * (1 + self._share), spread, place


@pytest.fixture(scope="module")
def compared(package):
    model = Surrogate.load(package / "models")
    return model, Simulations.load(package / "data" / "validation")


def test_a_worse_model_is_distinguished_from_an_equal_one(compared):
    model, validation = compared
    equal = promotion.decide(model, model, validation)
    assert equal.promoted and equal.difference == 0.0
    worse = promotion.decide(Shifted(model, 0.05), model, validation)
    assert not worse.promoted
    assert worse.difference > 0 and worse.probability_worse > 0.95
    assert worse.reason.startswith("worse than model-1")
    better = promotion.decide(model, Shifted(model, 0.05), validation)
    assert better.promoted and better.difference < 0


def test_a_model_whose_band_is_too_narrow_is_rejected(compared, monkeypatch):
    model, validation = compared
    monkeypatch.setattr(promotion, "cross_coverage", lambda *_: 0.8)
    decision = promotion.decide(model, model, validation)
    assert not decision.promoted
    assert "80.0%" in decision.reason
