"""What answers at once, and follows the inputs: the surrogate, and mean-field theory."""

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
    """Predicts in a thread of its own.

    Parameters
    ----------
    state : AppState
        Whose inputs it follows, and where it reports.
    post : callable
        Runs a function, with arguments, on the main thread.
    """

    def __init__(self, state: AppState, post: Post):
        self._state, self._post = state, post
        self.executor = ThreadPoolExecutor(1, "nanoconf-answers")
        self._prediction = Latest(self.executor, self._predict)
        self._theory = Latest(self.executor, self._solve, self._not_solved)
        state.observe(self.refresh, "values")
        state.observe(self._follow_theory, ["values", "mean_field_wanted"])

    def close(self) -> None:
        """Answer no more."""
        self.executor.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def surrogate(self) -> Surrogate:
        """The current model; only for the thread of `executor`."""
        from nanoconf.surrogate import Surrogate

        return Surrogate.load()

    # --- the surrogate ----------------------------------------------------------------------

    def preload(self) -> None:
        """Load the network while the user still looks at the page."""
        self.executor.submit(self._preload)

    def _preload(self) -> None:
        try:
            surrogate = self.surrogate
            self._post(setattr, self._state, "model", surrogate.card)
            surrogate.predict(SlitSystem())  # warms it up
        except Exception as error:
            why = f"The surrogate is not ready: {words.one_line(error)}"
            self._post(self._state.note, why)
            self._post(setattr, self._state, "model_problem", why)

    def predict(self) -> None:
        """Ask the network about the inputs at the left."""
        if self._state.valid and not self._state.predicting:
            self._state.ask_prediction()
            self._prediction.ask(self._state.system, time.perf_counter())

    def refresh(self, _change: Any = None) -> None:
        """What is predicted follows the inputs."""
        if self._state.valid:
            self._prediction.ask(self._state.system, time.perf_counter())

    def _predict(self, system: SlitSystem, asked_at: float) -> None:
        asked = self._state.predicting
        try:
            problems = self.surrogate.domain.problems(system)
            if problems:
                self._post(self._state.not_predicted, words.unlearnt(problems), asked=asked)
                return
            answer = self._answer(system, asked_at)
        except Exception as error:
            reason = f"No prediction: {words.one_line(error)}"
            self._post(self._state.not_predicted, reason, asked=asked)
        else:
            self._post(self._state.predicted, answer, asked=asked)

    def _answer(self, system: SlitSystem, asked_at: float) -> MachineLearning:
        from backend.profiles.charge import ChargeProfile

        profiles = self.surrogate.predict(system).profiles
        charge = ChargeProfile.of(system, profiles)
        return MachineLearning(system, profiles, charge, time.perf_counter() - asked_at)

    # --- theory -----------------------------------------------------------------------------

    def _follow_theory(self, _change: Any) -> None:
        if self._state.valid and self._state.mean_field_wanted:
            self._theory.ask(self._state.system)

    def _solve(self, system: SlitSystem) -> None:
        from backend.poisson_boltzmann import poisson_boltzmann
        from backend.profiles.charge import ChargeProfile

        profiles = poisson_boltzmann(system)
        answer = MeanField(system, profiles, ChargeProfile.of(system, profiles))
        self._post(setattr, self._state, "mean_field", answer)

    def _not_solved(self, error: Exception) -> None:
        self._post(self._state.note, f"Poisson-Boltzmann theory: {words.one_line(error)}")
