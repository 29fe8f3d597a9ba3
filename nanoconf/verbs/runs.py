"""Simulations: submit, list, show and cancel runs."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from backend.inputs import SYSTEM, Input
from backend.runs.run import LOCAL
from backend.runs.run_state import RunState
from backend.settings import LONGEST_NS, SETTINGS
from nanoconf.verbs import arguments
from nanoconf.verbs.values import finite, profile_values, run_values
from nanoconf.verbs.verb import Answer, Verb

if TYPE_CHECKING:
    from backend.profiles.density import SlitProfiles
    from backend.runs.run import Run
    from nanoconf.verbs.caller import Caller

LONGEST_NAME = 120

LIMIT = Input(
    name="limit",
    term="Limit",
    help="maximum number of runs to return, newest first",
    default=20,
    low=1,
    high=1000,
    whole=True,
)

STATE = Input(
    name="state",
    term="State",
    help="return only runs in this state",
    unset="any state",
    choices=tuple(state.value for state in RunState),
)

# --- submit ---------------------------------------------------------------------------------


def _simulate(caller: Caller, given: dict[str, Any]) -> Answer:
    from backend.cluster.destination import default_engine
    from backend.keeper.election import ensure_keeper
    from backend.settings import RunSettings
    from backend.system import SlitSystem

    cluster = given.get("cluster")
    system = SlitSystem(**{name: given[name] for name in SYSTEM if name in given})
    chosen = {name: given[name] for name in SETTINGS if name in given}
    if chosen.get("target_error") is not None:
        chosen.setdefault("duration_ns", LONGEST_NS)
    caller.check_submission(RunSettings.from_dict(chosen), cluster)
    settings = RunSettings.from_dict({**default_engine(cluster), **chosen})
    run = caller.archive.submit(
        system,
        settings,
        name=given.get("name", ""),
        owner=caller.owner,
        admit=caller.admit,
        **caller.destination(cluster, system, settings),
    )
    if not run.joined:
        caller.submitted(run)
    ensure_keeper(caller.archive.home)
    return _shown(caller, run, profiles=False)


# --- list, show, cancel ---------------------------------------------------------------------


def _list(caller: Caller, given: dict[str, Any]) -> Answer:
    wanted, limit = given.get("state"), given.get("limit", LIMIT.default)
    found = []
    for run in caller.archive.runs():
        if wanted in (None, run.state):
            found.append(run)
        if len(found) == limit:
            break
    waiting = _waiting(caller, found)
    return Answer({"runs": [run_values(caller, run, waiting.get(run.id, "")) for run in found]})


def _waiting(caller: Caller, found: Sequence[Run]) -> dict[str, str]:
    """Return, in words, the queue position of each run queued on this computer, by ID."""
    from backend.keeper.open_runs import waits

    if not any(run.where == LOCAL and run.state == RunState.QUEUED for run in found):
        return {}
    return {wait.run.id: wait.in_words() for wait in waits(caller.archive)}


def _get(caller: Caller, given: dict[str, Any]) -> Answer:
    return _shown(caller, caller.run(given["id"]), profiles=given.get("profiles", True))


def _cancel(caller: Caller, given: dict[str, Any]) -> Answer:
    from backend.keeper.election import ensure_keeper

    run = caller.run(given["id"], to_cancel=True)
    run.cancel()
    if not run.finished:
        ensure_keeper(caller.archive.home, any_environment=True)  # it ends the worker or the job
    return _shown(caller, run, profiles=False)


def _shown(caller: Caller, run: Run, *, profiles: bool) -> Answer:
    """Return the answer about a run, with its result or the profiles so far."""
    waiting = _waiting(caller, [run])
    values, found = run_values(caller, run, waiting.get(run.id, "")), None
    if run.state == RunState.DONE:
        result = run.result()
        found = result.profiles
        values |= {"fraction": 1.0, "result": finite(result.summary.to_dict())}
    elif profiles:
        found = run.partial_profiles()
    if profiles and found is not None:
        values["profiles"] = profile_values(found)
    status = HTTPStatus.ACCEPTED if run.state.active else HTTPStatus.OK
    return Answer(values, csv=_csv(found), status=status, run=run)


def _csv(profiles: SlitProfiles | None) -> str:
    return "" if profiles is None else profiles.to_csv()


# --- the verbs ------------------------------------------------------------------------------

PROFILES = arguments.flag("profiles", True, "false leaves out the profiles")

SIMULATE = Verb(
    name="simulate",
    title="Simulate a system",
    description=(
        "Submit a molecular-dynamics simulation of ions between two walls and return its ID at "
        "once. The run is then queued, running (seconds to minutes), and finally done, failed "
        "or cancelled. An identical run that is done, running or queued is returned instead of a "
        "new one; another seed gives an independent run."
    ),
    arguments=(
        *arguments.of_inputs(SYSTEM),
        *arguments.of_inputs(SETTINGS),
        arguments.line("name", LONGEST_NAME, "label shown in lists of runs"),
        arguments.line(
            "cluster",
            LONGEST_NAME,
            "name of the configured cluster to simulate on (default: this computer)",
        ),
    ),
    execute=_simulate,
    method="POST",
    path="/runs",
    changes=True,
    waits=True,
)

LIST_RUNS = Verb(
    name="list_runs",
    title="List the simulations",
    description="List the simulations in the archive, newest first, with state and progress.",
    arguments=(arguments.of_input(STATE), arguments.of_input(LIMIT)),
    execute=_list,
    path="/runs",
)

GET_RUN = Verb(
    name="get_run",
    title="Show a simulation",
    description=(
        "Return state, progress and inputs of a simulation. If it is done: densities and pressures "
        "with standard errors, convergence, checks, and the density profiles. While it is running: "
        "the profiles so far."
    ),
    arguments=(arguments.run_id("ID of the run"), PROFILES),
    execute=_get,
    path="/runs/{id}",
    waits=True,
    has_csv=True,
)

CANCEL_RUN = Verb(
    name="cancel_run",
    title="Cancel a simulation",
    description="Cancel a simulation that has not finished. A finished one stays as it is.",
    arguments=(arguments.run_id("ID of the run"),),
    execute=_cancel,
    method="DELETE",
    path="/runs/{id}",
    changes=True,
)
