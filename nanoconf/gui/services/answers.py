"""Predictions of the surrogate and mean-field theory, updated when the inputs change."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from backend.system import SlitSystem
from nanoconf.gui import words
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.state import AppState, MachineLearning, MeanField

if TYPE_CHECKING:
    from nanoconf.surrogate import Surrogate

Post = Callable[..., None]


class Answers:
    """Service that predicts in its own thread.

    Parameters
    ----------
    state : AppState
        Provides the inputs and receives the predictions.
    post : callable
        Runs a function, with arguments, on the main thread.
    """

    def __init__(self, state: AppState, post: Post):
        self._state, self._post = state, post
        self.executor = ThreadPoolExecutor(1, "nanoconf-answers")
        self._prediction = Latest(self.executor, self._predict)
        self._theory = Latest(self.executor, self._solve, self._report_theory_failure)
        state.observe(self.refresh, "values")
        state.observe(self._refresh_theory, ["values", "mean_field_wanted"])

    def close(self) -> None:
        """Stop the thread."""
        self.executor.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def surrogate(self) -> Surrogate:
        """The current model, for use in the thread of `executor` only."""
        from nanoconf.surrogate import Surrogate

        return Surrogate.load()

    # --- the surrogate ----------------------------------------------------------------------

    def preload(self) -> None:
        """Load the network before the first request."""
        self.executor.submit(self._preload)

    def _preload(self) -> None:
        try:
            surrogate = self.surrogate
            self._post(setattr, self._state, "model", surrogate.card)
            for problem in surrogate.problems:
                self._post(self._state.report_damage, problem)
            surrogate.predict(SlitSystem())  # the first call is slow
        except Exception as error:
            problem = f"The surrogate cannot be loaded: {words.one_line(error)}"
            self._post(self._state.append_log, problem)
            self._post(setattr, self._state, "model_problem", problem)

    def predict(self) -> None:
        """Predict the profiles for the inputs, at the user's request."""
        if self._state.valid and not self._state.predicting:
            self._state.prediction_requested()
            self._prediction.request(self._state.system, time.perf_counter())

    def refresh(self, _change: Any = None) -> None:
        """Predict the profiles for the current inputs."""
        if self._state.valid:
            self._prediction.request(self._state.system, time.perf_counter())

    def _predict(self, system: SlitSystem, start: float) -> None:
        requested = self._state.predicting
        try:
            problems = self.surrogate.domain.problems(system)
            if problems:
                reason = words.outside_domain(problems, self.surrogate.card.domain)
                self._post(self._state.not_predicted, reason, requested=requested)
                return
            prediction = self._prediction_of(system, start)
        except Exception as error:
            reason = f"No prediction: {words.one_line(error)}"
            self._post(self._state.not_predicted, reason, requested=requested)
        else:
            self._post(self._state.predicted, prediction, requested=requested)

    def _prediction_of(self, system: SlitSystem, start: float) -> MachineLearning:
        from backend.profiles.charge import ChargeProfile

        profiles = self.surrogate.predict(system).profiles
        charge = ChargeProfile.of(system, profiles)
        return MachineLearning(system, profiles, charge, time.perf_counter() - start)

    # --- theory -----------------------------------------------------------------------------

    def _refresh_theory(self, _change: Any) -> None:
        if self._state.valid and self._state.mean_field_wanted:
            self._theory.request(self._state.system)

    def _solve(self, system: SlitSystem) -> None:
        from backend.poisson_boltzmann import poisson_boltzmann
        from backend.profiles.charge import ChargeProfile

        profiles = poisson_boltzmann(system)
        theory = MeanField(system, profiles, ChargeProfile.of(system, profiles))
        self._post(setattr, self._state, "mean_field", theory)

    def _report_theory_failure(self, error: Exception) -> None:
        self._post(self._state.append_log, f"Poisson-Boltzmann theory: {words.one_line(error)}")
