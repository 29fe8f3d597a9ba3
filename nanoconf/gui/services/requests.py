"""Requests from the page to runs: submit, cancel, finish, attach, resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nanoconf.gui import words
from nanoconf.gui.phase import RunPhase
from nanoconf.gui.services import clusters, linked_run, permissions
from nanoconf.gui.services.permissions import Action, NotAllowed

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
            permissions.check_length(settings)
            if place is not None:
                permissions.check_cluster(place, session.archive)
                settings, where = place.applied(system, settings)
            run = session.archive.submit(
                system,
                settings,
                owner=session.identity.owner,
                admit=lambda: permissions.check_unfinished(session.identity, session.archive),
                **where,
            )
            ensure_keeper(session.archive.home)
        except Exception as error:
            self._fail("The simulation could not be started", error)
            return
        self._watch.begin(run, new=not run.joined)

    # --- the run on screen ------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel the simulation, if it belongs to this browser."""
        if self._session.state.phase.allows(RunPhase.CANCELLING) and self._may(Action.CANCEL):
            self._session.state.cancel_requested()
            failure = "The simulation could not be cancelled"
            self._request(Action.CANCEL, lambda run: run.cancel(), failure)

    def finish(self) -> None:
        """Stop the simulation and keep the result so far, if it belongs to this browser."""
        if self._session.state.can_finish and self._may(Action.FINISH):
            self._session.state.finish_requested()
            failure = "The simulation could not be finished early"
            self._request(Action.FINISH, lambda run: run.finish(), failure)

    def _may(self, action: Action) -> bool:
        """Return True if this page may act on the run on screen; otherwise report the reason."""
        state = self._session.state
        reason = permissions.refusal_on_screen(action, state.simulation)
        if reason:
            state.report_problem(reason)
        return not reason

    def _request(self, action: Action, request: Callable[[Run], object], failure: str) -> None:
        run_id = self._session.state.simulation.run_id
        self._session.runner.submit(self._send, action, run_id, request, failure)

    def _send(
        self, action: Action, run_id: str, request: Callable[[Run], object], failure: str
    ) -> None:
        try:
            request(self._session.permitted(action, run_id))
        except (OSError, KeyError, NotAllowed) as error:
            self._fail(failure, error)

    # --- runs in the archive ----------------------------------------------------------------

    def attach(self, run_id: str) -> None:
        """Display a run from the archive, and watch it until it ends."""
        self._session.state.show_simulation_tab()
        self._session.runner.submit(self._attach, run_id)

    def _attach(self, run_id: str) -> None:
        try:
            self._watch.begin(self._session.permitted(Action.OPEN, run_id))
        except (OSError, KeyError, ValueError) as error:
            self._fail("The run cannot be opened", error)

    def follow(self, linked: str, last_run: str) -> None:
        """Display the run of a link, read-only; without it, restore the last run.

        Parameters
        ----------
        linked : str
            ID of the run in the link, or its beginning.
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
        session.runner.submit(self._watch.begin, run, read_only=True)

    def resume(self, last_run: str) -> None:
        """Display a run from this browser: an active one if possible, else the last one on screen.

        Parameters
        ----------
        last_run : str
            ID of the run that was on screen; it is preferred.
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
            self._watch.begin(run)
            return

    def _fail(self, failure: str, error: Exception) -> None:
        message = f"{failure}: {words.one_line(error)}"
        self._session.post(self._session.state.report_failure, message)
