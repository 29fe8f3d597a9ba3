"""Clusters that the page may use, and the resources that a run requests."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from backend.cluster.destination import default_engine, destination
from backend.runs.run import LOCAL
from backend.system import InvalidInput

if TYPE_CHECKING:
    from backend.runs.archive import Archive
    from backend.settings import RunSettings
    from backend.system import SlitSystem
    from nanoconf.gui.state import AppState

SHARED = "NANOCONF_SHARED"
"""Environment variable, set if people other than the owner of this computer can reach the page."""

MAXIMUM_DIGITS = 9

STAYS = "Simulations run on this computer."


@dataclass(frozen=True)
class Place:
    """A cluster, with the resources that the user typed.

    Attributes
    ----------
    cluster : str
        Its name.
    cores, minutes : str
        As typed; empty to use the estimate.
    """

    cluster: str
    cores: str = ""
    minutes: str = ""

    def applied(
        self, system: SlitSystem, settings: RunSettings
    ) -> tuple[RunSettings, dict[str, Any]]:
        """Return the settings with the cluster's engine, and the destination for `Archive.submit`.

        Raises
        ------
        InvalidInput
            If the run requests more than the cluster allows.
        """
        from backend.sampling.trajectory import affordable_snapshots

        chosen = settings.with_engine(default_engine(self.cluster)["engine"])
        snapshots = affordable_snapshots(system, chosen, chosen.snapshots)
        chosen = replace(chosen, snapshots=min(snapshots, chosen.snapshots))
        typed = {
            name: _whole(name, text)
            for name, text in (("cores", self.cores), ("minutes", self.minutes))
            if text
        }
        return chosen, destination(self.cluster, system, chosen, **typed)


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= MAXIMUM_DIGITS):
        raise InvalidInput(name, text, "must be a whole number")
    return int(text)


def chosen(state: AppState) -> Place | None:
    """Return the cluster chosen on the page; None outside Cluster mode."""
    if not state.cluster_mode:
        return None
    return Place(state.cluster, **state.cluster_typed)


def shared() -> bool:
    """Return True if people other than the owner of this computer can reach the page."""
    return bool(os.environ.get(SHARED))


def usable() -> tuple[tuple[str, ...], str]:
    """Return the names of the clusters that the page may use.

    Returns
    -------
    names : tuple of str
        The names.
    note : str
        Reason why there are none, and what to do; empty otherwise.
    """
    from backend.cluster.config import VARIABLE, config_path, load

    try:
        clusters = load()
    except InvalidInput as refused:
        return (), f"{refused}. {STAYS}"
    if not clusters:
        line = f"No cluster is configured in {config_path()} ({VARIABLE})"
        return (), f"{line}: run nanoconf cluster init to add one. {STAYS}"
    names = tuple(name for name, each in clusters.items() if each.shared or not shared())
    if not names:
        line = "Other people can reach this page, so it uses only clusters configured with"
        return (), f"{line} shared = true and limits. {STAYS}"
    return names, ""


def check_room(place: Place, archive: Archive) -> None:
    """Check that the cluster accepts one more run.

    Raises
    ------
    InvalidInput
        If the number of active runs has reached the limit set in the cluster's entry.
    """
    from backend.cluster.config import get

    limit = get(place.cluster).max_runs
    if not limit:
        return
    active = sum(
        run.where == place.cluster and run.where != LOCAL and not run.finished
        for run in archive.runs()
    )
    if active >= limit:
        allowed = f"the limit is {limit} at a time; try again when one has finished"
        raise InvalidInput("runs on the cluster", active, allowed)


class ClusterChoice:
    """Service that switches Cluster mode on and off, and updates the resources that a run requests.

    Parameters
    ----------
    state : AppState
        Provides the inputs and stores the choice.
    """

    def __init__(self, state: AppState):
        self._state = state
        state.observe(self._refresh, ["values", "cluster_mode", "cluster", "cluster_typed"])

    def choose(self, wanted: bool) -> None:
        """Switch Cluster mode on or off; without a usable cluster, it stays off with a note."""
        names, note = usable() if wanted else ((), "")
        state = self._state
        with state.hold_trait_notifications():
            state.cluster_note, state.clusters = note, names
            if state.cluster not in names:
                state.cluster = names[0] if names else ""
            state.cluster_mode = bool(names)

    def _refresh(self, _change: Any = None) -> None:
        """Update the requested resources, and check them against the cluster's limits."""
        state, place = self._state, chosen(self._state)
        if place is None or not state.valid:
            state.cluster_asked, state.cluster_problem = {}, ""
            return
        try:
            _, where = place.applied(state.system, state.settings)
        except InvalidInput as refused:
            state.cluster_problem = str(refused)
        else:
            state.cluster_asked, state.cluster_problem = where["cluster"], ""
