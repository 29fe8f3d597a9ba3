"""Clusters that the page may use, the one that is chosen, and what a run asks of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
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
"""Set where others than the owner of this computer may reach the page."""

STAYS = "Run stays on this computer."


@dataclass(frozen=True)
class Place:
    """A cluster, and what was typed for it.

    Attributes
    ----------
    cluster : str
        Its name.
    cores, minutes : str
        As typed; empty where the estimate stands.
    """

    cluster: str
    cores: str = ""
    minutes: str = ""

    def applied(
        self, system: SlitSystem, settings: RunSettings
    ) -> tuple[RunSettings, dict[str, Any]]:
        """Settings with the cluster's engine, and what `Archive.submit` is told of the cluster.

        Raises
        ------
        InvalidInput
            More than the cluster allows.
        """
        from backend.settings import RunSettings

        chosen = RunSettings.from_dict({**settings.to_dict(), **default_engine(self.cluster)})
        asked = {
            name: _whole(name, text)
            for name, text in (("cores", self.cores), ("minutes", self.minutes))
            if text
        }
        return chosen, destination(self.cluster, system, chosen, **asked)


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(name, text, "must be a whole number")
    return int(text)


def chosen(state: AppState) -> Place | None:
    """The cluster that is chosen on the page, in Cluster mode."""
    if not state.cluster_mode:
        return None
    return Place(state.cluster, **state.cluster_typed)


def usable() -> tuple[tuple[str, ...], str]:
    """Names of the clusters that the page may use; or why there are none, and what to do."""
    from backend.cluster.config import VARIABLE, config_path, load

    try:
        clusters = load()
    except InvalidInput as refused:
        return (), f"{refused}. {STAYS}"
    if not clusters:
        line = f"No cluster is described in {config_path()} ({VARIABLE})"
        return (), f"{line}: type nanoconf cluster init. {STAYS}"
    shared = bool(os.environ.get(SHARED))
    names = tuple(name for name, each in clusters.items() if each.shared or not shared)
    if not names:
        line = "Others can reach this page, and no cluster's entry says shared = true, with limits"
        return (), f"{line}. {STAYS}"
    return names, ""


def check_room(place: Place, archive: Archive) -> None:
    """See that the cluster takes one more run.

    Raises
    ------
    InvalidInput
        As many as its entry allows are under way.
    """
    from backend.cluster.config import get

    most = get(place.cluster).max_runs
    if not most:
        return
    going = sum(
        run.where == place.cluster and run.where != LOCAL and not run.finished
        for run in archive.runs()
    )
    if going >= most:
        allowed = f"are under way, as many as there may be: try again when one is over ({most})"
        raise InvalidInput("runs on the cluster", going, allowed)


class ClusterChoice:
    """Turns Cluster mode on and off, and follows what the inputs ask of the chosen cluster.

    Parameters
    ----------
    state : AppState
        Where the choice stands.
    """

    def __init__(self, state: AppState):
        self._state = state
        state.observe(self._refresh, ["values", "cluster_mode", "cluster", "cluster_typed"])

    def choose(self, wanted: bool) -> None:
        """Simulate on a cluster, where one may be used; else say what to do."""
        names, note = usable() if wanted else ((), "")
        state = self._state
        with state.hold_trait_notifications():
            state.cluster_note, state.clusters = note, names
            if state.cluster not in names:
                state.cluster = names[0] if names else ""
            state.cluster_mode = bool(names)

    def _refresh(self, _change: Any = None) -> None:
        """Ask what the inputs need of the cluster, and whether it allows that."""
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
