"""What takes time: asking for runs, watching them, finding stored ones. It reports to the state.

Nothing here runs on the kernel's main thread, so the page stays live; whatever touches the state is
handed to `post`, which runs it there.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backend.runs.archive import Archive
from backend.runs.run import LOCAL, DamagedRun
from backend.runs.state import RunState
from backend.system import InvalidInput, SlitSystem
from nanoconf.gui import words
from nanoconf.gui.services import clusters
from nanoconf.gui.services.answers import Answers
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.state import AppState, Offer, Simulation

if TYPE_CHECKING:
    from backend.runs.run import Run

POLL_SECONDS = 0.4
PROFILE_SECONDS = 1.0
KEEPER_SECONDS = 5.0
OFFER_SECONDS = 5.0
MOST_OFFERS = 3
LOG_TAIL = 60


def on_this_thread(action: Callable[[], None]) -> None:
    """The `post` of tests: run it here and now."""
    action()


class Work:
    """Does what the buttons say.

    Parameters
    ----------
    state : AppState
        What the page knows; everything is reported there.
    archive : Archive, optional
        Where the runs are.
    post : callable
        Runs a function on the main thread, soon.
    """

    def __init__(
        self,
        state: AppState,
        archive: Archive | None = None,
        post: Callable[[Callable[[], None]], None] = on_this_thread,
    ):
        self.state = state
        self.archive = archive or Archive()
        self.owner = ""
        self.deliver: Callable[[str, bytes, str], None] = lambda _name, _content, _kind: None
        self._post = post
        self.answers = Answers(state, self.post)
        self._runner = ThreadPoolExecutor(1, "nanoconf-run")
        self.background = ThreadPoolExecutor(1, "nanoconf-background")
        self._stored = Latest(self._runner, self._look_for_stored, self._not_stored)
        self._closed = threading.Event()
        self._watch_number = 0
        self._slowdown = 1.0
        state.observe(self._estimate, "values")
        state.observe(self._ask_for_stored, "values")
        state.observe(self._ask_cluster, ["values", "cluster_mode", "cluster", "cluster_typed"])
        self._estimate()

    def close(self) -> None:
        """Stop watching; runs go on."""
        self._closed.set()
        self._watch_number += 1
        self.answers.close()
        self._runner.shutdown(wait=False, cancel_futures=True)
        self.background.shutdown(wait=False, cancel_futures=True)

    def post(self, action: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Run it on the main thread, unless the page is gone."""
        if not self._closed.is_set():
            self._post(lambda: action(*arguments, **options))

    # --- simulating -------------------------------------------------------------------------

    def run(self) -> None:
        """Ask for a simulation of the inputs at the left."""
        state = self.state
        if state.runnable and not state.simulating:
            place = clusters.chosen(state)
            state.start()
            self._runner.submit(self._run, state.system, state.settings, place)

    def _run(self, system: Any, settings: Any, place: clusters.Place | None) -> None:
        from backend.runs.keeper import ensure_keeper

        try:
            where: dict[str, Any] = {}
            if place is not None:
                clusters.check_room(place, self.archive)
                settings, where = place.applied(system, settings)
            run = self.archive.submit(system, settings, owner=self.owner, **where)
            ensure_keeper(self.archive.home)
        except Exception as error:
            self.post(
                self.state.fail, f"The simulation could not be started: {words.one_line(error)}"
            )
            return
        # An equal run that was there already may be somebody else's.
        self._watch(run, mine=not run.joined or self.owns(run), new=not run.joined)

    def cancel(self) -> None:
        """End the simulation; one of another browser only when asked twice."""
        shown = self.state.simulation
        if shown is None or not shown.active:
            return
        if not shown.mine and not self.state.confirm_cancel:
            self.state.ask_before_cancelling()
            return
        self.state.cancel_requested()
        self._runner.submit(self._cancel, shown.run_id)

    def _cancel(self, run_id: str) -> None:
        try:
            self.archive.get(run_id).cancel()
        except (OSError, KeyError) as error:
            self.post(
                self.state.fail, f"The simulation could not be ended: {words.one_line(error)}"
            )

    def finish(self) -> None:
        """The simulation is good enough: end it with what there is."""
        shown = self.state.simulation
        if shown is not None and shown.active and not self.state.cancelling:
            self.state.finish_requested()
            self._runner.submit(self._finish, shown.run_id)

    def _finish(self, run_id: str) -> None:
        try:
            self.archive.get(run_id).finish()
        except (OSError, KeyError) as error:
            self.post(self.state.fail, f"The run cannot be finished: {words.one_line(error)}")

    def leave(self) -> None:
        """Stop watching the simulation; it goes on."""
        self._watch_number += 1
        self.state.leave()

    def attach(self, run_id: str) -> None:
        """Show a run of the archive, and watch it while it goes on."""
        self.state.look_at_simulation()
        self._runner.submit(self._attach, run_id)

    def _attach(self, run_id: str) -> None:
        try:
            run = self.archive.get(run_id)
            self._watch(run, mine=self.owns(run))
        except (OSError, KeyError, ValueError) as error:
            self.post(self.state.fail, f"The run cannot be opened: {words.one_line(error)}")

    # --- files of the run -------------------------------------------------------------------

    def trajectory_names(self) -> list[str]:
        """Names of the files with snapshots of the simulation on screen."""
        from backend.sampling.trajectory import FILES

        shown = self.state.simulation
        if shown is None or shown.result is None:
            return []
        folder = self.archive.folder / shown.run_id
        return [name for name in FILES if (folder / name).exists()]

    def run_file(self, name: str) -> bytes:
        """A file of the simulation on screen."""
        return (self.archive.folder / self.state.simulation.run_id / name).read_bytes()

    # --- what is stored ---------------------------------------------------------------------

    def _ask_for_stored(self, _change: Any = None) -> None:
        """The result of a system that was simulated before is shown at once."""
        if self.state.valid and self._lacks_result():
            self._stored.ask(self.state.system, self.state.settings)

    def _lacks_result(self) -> bool:
        """Whether no result of the inputs at the left is shown, nor on its way."""
        shown = self.state.simulation
        fresh = shown is not None and shown.result is not None and not self.state.simulation_stale
        return not (fresh or self.state.simulating)

    def _look_for_stored(self, system: SlitSystem, settings: Any) -> None:
        run = self.archive.best_result(system, settings)
        if run is not None:
            first = Simulation(run.id, run.system, run.settings, mine=self.owns(run), stored=True)
            self.post(self._show_stored, _look(run, first, profiles=True))

    def _not_stored(self, error: Exception) -> None:
        note = f"A stored result cannot be read: {words.one_line(error)}"
        self.post(self.state.note, note)

    def _show_stored(self, found: Simulation) -> None:
        if self._lacks_result() and self.state.chosen_system == found.system:
            self.state.show(found)

    def owns(self, run: Run) -> bool:
        """Whether this browser asked for a run."""
        return bool(self.owner) and run.request.get("owner") == self.owner

    # --- how long, and where ----------------------------------------------------------------

    def calibrate(self) -> None:
        """Learn from the last simulation how fast this computer is."""
        self._runner.submit(self._calibrate)

    def _calibrate(self) -> None:
        from backend.engines.cost import seconds_per_step

        for run in self.archive.runs():
            if run.state != RunState.DONE or run.where != "local":
                continue
            try:
                rate = run.result().summary["timings"]["steps_per_second"]
                at_once = min(run.settings.replicas, _cores())
                self._slowdown = at_once / rate / seconds_per_step(run.system, run.settings)
            except (RuntimeError, LookupError, ValueError, ZeroDivisionError):
                continue
            self.post(self._estimate)
            return

    def _estimate(self, _change: Any = None) -> None:
        from backend.engines.cost import estimated_seconds

        state = self.state
        state.estimate = (
            estimated_seconds(state.system, state.settings, _cores(), self._slowdown)
            if state.valid
            else None
        )

    def cluster_mode(self, wanted: bool) -> None:
        """Simulate on a cluster, where one may be used; else say what to do."""
        names, note = clusters.usable() if wanted else ((), "")
        with self.state.hold_trait_notifications():
            self.state.cluster_note = note
            self.state.clusters = names
            if self.state.cluster not in names:
                self.state.cluster = names[0] if names else ""
            self.state.cluster_mode = bool(names)

    def _ask_cluster(self, _change: Any = None) -> None:
        """What the inputs ask of the cluster, and whether it allows that."""
        state = self.state
        place = clusters.chosen(state)
        if place is None or not state.valid:
            state.cluster_asked, state.cluster_problem = {}, ""
            return
        try:
            _, where = place.applied(state.system, state.settings)
        except InvalidInput as refused:
            state.cluster_problem = str(refused)
        else:
            state.cluster_asked, state.cluster_problem = where["cluster"], ""

    # --- watching ---------------------------------------------------------------------------

    def _watch(self, run: Run, *, mine: bool, new: bool = False) -> None:
        """Report on a run, from a thread of its own, until it is over or another is watched."""
        first = Simulation(
            run.id,
            run.system,
            run.settings,
            mine=mine,
            joined=run.joined,
            stored=not new and run.state == RunState.DONE,
            where="" if run.where == LOCAL else run.where,
        )
        self._watch_number += 1
        watch = threading.Thread(
            target=self._report, args=(run, first, self._watch_number), daemon=True
        )
        watch.start()

    def _report(self, run: Run, simulation: Simulation, number: int) -> None:
        from backend.runs.keeper import ensure_keeper

        kept = profiled = float("-inf")
        while number == self._watch_number:
            try:
                now = time.monotonic()
                simulation = _look(run, simulation, profiles=now - profiled >= PROFILE_SECONDS)
                if now - profiled >= PROFILE_SECONDS:
                    profiled = now
                    simulation = replace(simulation, ahead=self._ahead_of(run, simulation))
                if simulation.active and now - kept >= KEEPER_SECONDS:
                    ensure_keeper(self.archive.home)
                    kept = now
            except Exception as error:
                self.post(
                    self._show_trouble, f"The run cannot be read: {words.one_line(error)}", number
                )
                return
            self.post(self._show, simulation, tuple(run.log_tail(LOG_TAIL)), number)
            if not simulation.active:
                return
            if self._closed.wait(POLL_SECONDS):
                return

    def _ahead_of(self, run: Run, simulation: Simulation) -> int:
        """How many runs wait before it for a free processor of this computer."""
        if simulation.state != RunState.QUEUED or simulation.where:
            return 0
        return self.archive.ahead_of(run)

    def _show(self, simulation: Simulation, log: tuple[str, ...], number: int) -> None:
        if number != self._watch_number:
            return
        if log != self.state.worker_log:
            self.state.worker_log = log
        self.state.show(simulation)

    def _show_trouble(self, what: str, number: int) -> None:
        if number == self._watch_number:
            self.leave()
            self.state.fail(what)

    # --- what goes on already ---------------------------------------------------------------

    def resume(self, last_run: str, *, predicted: bool) -> None:
        """Go on where this browser left off: its simulation, its prediction."""
        if predicted:
            self.answers.refresh()
        self._ask_for_stored()
        self._runner.submit(self._resume, last_run)

    def _resume(self, last_run: str) -> None:
        try:
            mine = [run for run in self.archive.runs() if self.owns(run)]
            going = [run for run in mine if not run.finished]
            last = [run for run in mine if run.id == last_run]
        except OSError as error:
            self.post(self.state.note, f"The archive cannot be read: {words.one_line(error)}")
            return
        for run in [*[each for each in going if each.id == last_run], *going, *last]:
            self._watch(run, mine=True)
            return

    def watch_archive(self) -> None:
        """Offer the simulations in progress that other pages have started, as long as we live."""
        threading.Thread(target=self._offer, daemon=True).start()

    def _offer(self) -> None:
        while True:
            try:
                offers = self.offers()
            except Exception:  # whatever it was, the next look may do
                offers = ()
            if offers != self.state.offers:
                self.post(setattr, self.state, "offers", offers)
            if self._closed.wait(OFFER_SECONDS):
                return

    def offers(self) -> tuple[Offer, ...]:
        """Interactive simulations in progress, the newest first, less the one on this page."""
        simulation = self.state.simulation
        shown = None if simulation is None else simulation.run_id
        found = []
        for run in self.archive.runs():
            if run.id == shown or run.queue != "interactive" or run.finished:
                continue
            progress = run.progress()
            found.append(Offer(run.id, run.system, run.state, progress.fraction if progress else 0))
            if len(found) == MOST_OFFERS:
                break
        return tuple(found)


def _look(run: Run, before: Simulation, *, profiles: bool) -> Simulation:
    """The simulation as its run folder tells it now."""
    from backend.profiles.charge import ChargeProfile

    state = run.state
    if state == RunState.DONE:
        result = run.result()
        return replace(
            before,
            state=state,
            progress=None,
            profiles=result.profiles,
            charge=result.charge,
            result=result,
            files=result_files(run, result),
        )
    if not (run.folder / "run.json").exists():  # without it, any run reads as queued
        raise DamagedRun("it has been removed")
    so_far = run.partial_profiles() if profiles else None
    return replace(
        before,
        state=state,
        reason=run.reason,
        on_cluster=clusters.status_in_words(run),
        progress=run.progress() or before.progress,
        profiles=so_far or before.profiles,
        charge=ChargeProfile.of(run.system, so_far) if so_far else before.charge,
    )


def result_files(run: Run, result: Any) -> dict[str, str]:
    """Text of each file of a result, by name: those of ``nanoconf simulate -o``."""
    from nanoconf.data.export import describe

    about = {**describe(run), "summary": result.summary}
    return {
        **result.profiles.files(),
        result.charge.FILE: result.charge.to_csv(),
        "run.json": json.dumps(about, indent=1) + "\n",
    }


def _cores() -> int:
    """Processor cores that this process, and so a simulation, may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
