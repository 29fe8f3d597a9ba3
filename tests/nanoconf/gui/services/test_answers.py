"""Predictions that are updated when the inputs change."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from backend.system import InvalidInput, Range, SlitSystem
from nanoconf.gui.services.answers import Answers
from nanoconf.gui.tabs.downloads import model as files
from nanoconf.gui.widgets.header import HeaderPanel
from nanoconf.surrogate.card import KIND, Card, Metrics
from nanoconf.surrogate.domain import Domain
from tests.support.homes import until
from tests.support.models import put_three
from tests.support.profiles import profiles


class Surrogate:
    """A surrogate for 0.3 to 0.8 M whose predictions can be delayed."""

    card = Card(
        *("1", KIND, ""),
        metrics=Metrics("1", "", 1, 0.01, 0.02, {}, {}),
        domain=Domain({"salt_concentration": Range(0.3, 0.8, "M")}, {}),
    )

    class domain:
        @staticmethod
        def problems(system):
            if system.salt_concentration <= 0.8:
                return []
            learnt = "must lie between 0.3 and 0.8 M, the training range of the surrogate"
            return [InvalidInput("salt_concentration", system.salt_concentration, learnt)]

    def __init__(self):
        self.asked = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def predict(self, system):
        self.asked.append(system)
        self.may_answer.wait()
        return SimpleNamespace(profiles=profiles(system))


def test_a_prediction_outside_the_training_range_is_explained(state, work, monkeypatch):
    monkeypatch.setattr(Answers, "surrogate", Surrogate())
    work.answers.preload()
    work.answers.predict()
    until(lambda: state.prediction)
    assert state.prediction.system == SlitSystem()
    assert set(files.predicted_files(state)) >= {"ml_positive_density.csv", "ml_charge.csv"}
    assert state.model.name == "1"
    state.type("salt_concentration", "0.9")
    until(lambda: state.prediction_problem)
    assert state.prediction is None and state.mood != "bad"  # not requested by the user
    work.answers.predict()
    until(lambda: state.mood == "bad")
    reason = "No ML prediction here: it needs c of 0.3-0.8 M. Press Run to simulate."
    assert state.status == reason and not state.predicting
    state.type("salt_concentration", "0.8")
    until(lambda: state.prediction and not state.prediction_problem)


def test_the_prediction_follows_the_inputs_and_skips_outdated_ones(state, work, monkeypatch):
    surrogate = Surrogate()
    surrogate.may_answer.clear()
    monkeypatch.setattr(Answers, "surrogate", surrogate)
    for i in range(40):
        state.type("salt_concentration", f"{0.3 + 0.01 * i:.2f}")
    surrogate.may_answer.set()
    until(lambda: state.prediction and state.prediction.system == state.system)
    assert state.prediction.system.salt_concentration == 0.69
    assert len(surrogate.asked) <= 2


def test_a_damaged_model_is_named_and_the_previous_one_predicts(state, work, home):
    put_three(home / "models")
    (home / "models" / "model-5" / "profiles.tflite").write_bytes(b"")
    work.answers.preload()
    until(lambda: state.model and state.notice)
    assert state.model.name == "model-4"
    assert "model-5 holds no usable model: profiles.tflite is damaged" in state.status
    assert state.status.endswith("; model-4 is used") and state.mood == "bad"
    assert any(state.status in line for line in state.log)
    work.answers.predict()
    until(lambda: state.prediction)


def test_without_a_usable_model_the_page_says_what_is_wrong(state, work, tmp_path, monkeypatch):
    (tmp_path / "models" / "model-1").mkdir(parents=True)
    (tmp_path / "models" / "model-1" / "card.json").write_text("{")
    monkeypatch.setenv("NANOCONF_MODELS", str(tmp_path / "models"))
    work.answers.preload()
    until(lambda: state.model_problem)
    assert "model-1 holds no usable model: its card is not valid JSON" in state.model_problem
    work.answers.predict()
    until(lambda: state.prediction_problem)
    assert "model-1" in state.status and "\n" not in state.status
    assert state.model is None


def test_a_model_without_metrics_is_shown_by_its_name(state):
    header = HeaderPanel(state)
    state.model = Card("model-7", KIND, "")
    assert "model 7" in header.model.value and "error" not in header.model.value.split(">")[1]
