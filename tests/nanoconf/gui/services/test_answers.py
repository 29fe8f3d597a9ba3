"""Predictions that follow the inputs."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from backend.system import InvalidInput, SlitSystem
from nanoconf.gui.services.answers import Answers
from nanoconf.gui.tabs.downloads import model as files
from nanoconf.surrogate.card import KIND, Card, Metrics
from tests.support.homes import until
from tests.support.profiles import profiles


class Surrogate:
    """Knows systems up to 0.8 M, and is as slow as it is told to be."""

    card = Card("1", KIND, "", metrics=Metrics("1", "", 1, 0.01, 0.02, {}, {}))

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
    until(lambda: state.unlearnt)
    assert state.prediction is None and state.mood != "bad"  # nobody has asked
    work.answers.predict()
    until(lambda: state.mood == "bad")
    assert "c = 0.90 M must lie between 0.3 and 0.8 M" in state.status and not state.predicting
    state.type("salt_concentration", "0.8")
    until(lambda: state.prediction and not state.unlearnt)


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
