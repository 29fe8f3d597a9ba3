"""Requests about runs: submit, cancel, finish early, open, resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nanoconf.gui import words
from nanoconf.gui.phase import RunPhase
from nanoconf.gui.services import clusters

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.session import Session
    from nanoconf.gui.services.watch import Watch


class RunRequests:
    """Passes to the archive what the buttons ask for.

    Parameters
    ----------
    session : Session
        The page.
    watch : Watch
        Follows the run that was submitted or opened.
    """

    def __init__(self, session: Session, watch: Watch):
        self._session, self._watch = session, watch

    # --- a new run --------------------------------------------------------------------------

    def submit(self) -> None:
        """Ask for a simulation of the inputs on screen."""
        state = self._session.state
        if state.runnable and state.phase.allows(RunPhase.STARTING):
            place = clusters.chosen(state)
            state.start()
            self._session.runner.submit(self._submit, state.system, state.settings, place)

    def _submit(self, system: Any, settings: Any, place: clusters.Place | None) -> None:
        from backend.runs.keeper import ensure_keeper

        session = self._session
        try:
            where: dict[str, Any] = {}
            if place is not None:
                clusters.check_room(place, session.archive)
                settings, where = place.applied(system, settings)
            run = session.archive.submit(system, settings, owner=session.owner, **where)
            ensure_keeper(session.archive.home)
        except Exception as error:
            self._fail("The simulation could not be started", error)
            return
        # An equal run that was there already may be somebody else's.
        self._watch.begin(run, mine=not run.joined or session.owns(run), new=not run.joined)

    # --- the run on screen ------------------------------------------------------------------

    def cancel(self) -> None:
        """End the simulation; one of another browser only when asked twice."""
        state = self._session.state
        shown, confirmed = state.simulation, state.phase is RunPhase.CONFIRMING
        if not state.phase.allows(RunPhase.CANCELLING):
            return
        if not shown.mine and not confirmed:
            state.ask_before_cancelling()
            return
        state.cancel_requested()
        what = "The simulation could not be ended"
        self._session.runner.submit(self._tell, shown.run_id, lambda run: run.cancel(), what)

    def finish(self) -> None:
        """End the simulation with the result so far."""
        state = self._session.state
        if state.phase.allows(RunPhase.FINISHING):
            state.finish_requested()
            run_id, what = state.simulation.run_id, "The run cannot be finished"
            self._session.runner.submit(self._tell, run_id, lambda run: run.finish(), what)

    def _tell(self, run_id: str, request: Callable[[Run], object], what: str) -> None:
        try:
            request(self._session.archive.get(run_id))
        except (OSError, KeyError) as error:
            self._fail(what, error)

    # --- runs of the archive ----------------------------------------------------------------

    def attach(self, run_id: str) -> None:
        """Show a run of the archive, and watch it while it goes on."""
        self._session.state.look_at_simulation()
        self._session.runner.submit(self._attach, run_id)

    def _attach(self, run_id: str) -> None:
        try:
            run = self._session.archive.get(run_id)
            self._watch.begin(run, mine=self._session.owns(run))
        except (OSError, KeyError, ValueError) as error:
            self._fail("The run cannot be opened", error)

    def resume(self, last_run: str) -> None:
        """Show the run that this browser left: the one on screen if it goes on, else any other."""
        self._session.runner.submit(self._resume, last_run)

    def _resume(self, last_run: str) -> None:
        session = self._session
        try:
            mine = [run for run in session.archive.runs() if session.owns(run)]
            going = [run for run in mine if not run.state.final]
            last = [run for run in mine if run.id == last_run]
        except OSError as error:
            note = f"The archive cannot be read: {words.one_line(error)}"
            session.post(session.state.note, note)
            return
        for run in [*[each for each in going if each.id == last_run], *going, *last]:
            self._watch.begin(run, mine=True)
            return

    def _fail(self, what: str, error: Exception) -> None:
        self._session.post(self._session.state.fail, f"{what}: {words.one_line(error)}")
