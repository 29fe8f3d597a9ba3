"""Requests from the page to runs: submit, cancel, finish, attach, resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nanoconf.gui import words
from nanoconf.gui.phase import RunPhase
from nanoconf.gui.services import clusters, linked_run

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.session import Session
    from nanoconf.gui.services.watch import Watch


class RunRequests:
    """Service that passes requests from the buttons to the archive.

    Parameters
    ----------
    session : Session
        The page.
    watch : Watch
        Watches the submitted or opened run.
    """

    def __init__(self, session: Session, watch: Watch):
        self._session, self._watch = session, watch

    # --- a new run --------------------------------------------------------------------------

    def submit(self) -> None:
        """Submit a simulation for the inputs."""
        state = self._session.state
        if state.runnable and state.phase.allows(RunPhase.STARTING):
            place = clusters.chosen(state)
            state.start()
            self._session.runner.submit(self._submit, state.system, state.settings, place)

    def _submit(self, system: Any, settings: Any, place: clusters.Place | None) -> None:
        from backend.keeper.election import ensure_keeper

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
        # A joined run may belong to another browser.
        self._watch.begin(run, mine=not run.joined or session.owns(run), new=not run.joined)

    # --- the run on screen ------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel the simulation; one from another browser only after confirmation."""
        state = self._session.state
        shown, confirmed = state.simulation, state.phase is RunPhase.CONFIRMING
        if not state.may_end or not state.phase.allows(RunPhase.CANCELLING):
            return
        if not shown.mine and not confirmed:
            state.confirm_cancel()
            return
        state.cancel_requested()
        failure = "The simulation could not be cancelled"
        self._session.runner.submit(self._send, shown.run_id, lambda run: run.cancel(), failure)

    def finish(self) -> None:
        """Stop the simulation and keep the result so far."""
        state = self._session.state
        if state.may_end and state.phase.allows(RunPhase.FINISHING):
            state.finish_requested()
            run_id, failure = state.simulation.run_id, "The simulation could not be finished early"
            self._session.runner.submit(self._send, run_id, lambda run: run.finish(), failure)

    def _send(self, run_id: str, request: Callable[[Run], object], failure: str) -> None:
        try:
            request(self._session.archive.get(run_id))
        except (OSError, KeyError) as error:
            self._fail(failure, error)

    # --- runs in the archive ----------------------------------------------------------------

    def attach(self, run_id: str) -> None:
        """Display a run from the archive, and watch it until it ends."""
        self._session.state.show_simulation_tab()
        self._session.runner.submit(self._attach, run_id)

    def _attach(self, run_id: str) -> None:
        try:
            run = self._session.archive.get(run_id)
            self._watch.begin(run, mine=self._session.owns(run))
        except (OSError, KeyError, ValueError) as error:
            self._fail("The run cannot be opened", error)

    def follow(self, linked: str, last_run: str) -> None:
        """Display the run of a link, read-only; without it, restore the last run.

        Parameters
        ----------
        linked : str
            Id of the run in the link, or its beginning.
        last_run : str
            As in `resume`.
        """
        self._session.runner.submit(self._follow, linked, last_run)

    def _follow(self, linked: str, last_run: str) -> None:
        session = self._session
        try:
            run = linked_run.find(session.archive, linked)
        except (linked_run.NoLinkedRun, OSError) as error:
            session.post(session.state.report_link, words.one_line(error))
            self._resume(last_run)
            return
        session.post(self._show_linked, run)

    def _show_linked(self, run: Run) -> None:
        session = self._session
        session.state.choose_linked(run.system)
        # After the search for a stored result, which the new inputs have started in this thread.
        mine = session.owns(run)
        session.runner.submit(self._watch.begin, run, mine=mine, read_only=True)

    def resume(self, last_run: str) -> None:
        """Display a run from this browser: an active one if possible, else the last one on screen.

        Parameters
        ----------
        last_run : str
            Id of the run that was on screen; it is preferred.
        """
        self._session.runner.submit(self._resume, last_run)

    def _resume(self, last_run: str) -> None:
        session = self._session
        try:
            mine = [run for run in session.archive.runs() if session.owns(run)]
            active = [run for run in mine if not run.state.final]
            last = [run for run in mine if run.id == last_run]
        except OSError as error:
            note = f"The archive cannot be read: {words.one_line(error)}"
            session.post(session.state.append_log, note)
            return
        for run in [*[each for each in active if each.id == last_run], *active, *last]:
            self._watch.begin(run, mine=True)
            return

    def _fail(self, failure: str, error: Exception) -> None:
        message = f"{failure}: {words.one_line(error)}"
        self._session.post(self._session.state.report_failure, message)
