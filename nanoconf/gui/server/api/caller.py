"""Visitor of the page's server who calls a verb: the permissions are those of the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.runs.archive import UnknownRun
from nanoconf.gui.services import permissions
from nanoconf.gui.services.clusters import Place
from nanoconf.gui.services.permissions import Action
from nanoconf.verbs.caller import Caller

if TYPE_CHECKING:
    from backend.runs.archive import Archive
    from backend.runs.run import Run
    from backend.settings import RunSettings
    from nanoconf.gui.server.api.limits import Submitted
    from nanoconf.gui.services.identity import Identity
    from nanoconf.verbs.caller import CurrentModel

RUN_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Person:
    """Sender of a request.

    Attributes
    ----------
    identity : Identity
        Identity that owns this person's runs.
    address : str
        IP address of the sender; empty for a user with a verified name.
    """

    identity: Identity
    address: str


class WebCaller(Caller):
    """Caller that may do what a page of the same person may do.

    Parameters
    ----------
    archive, model
        As for `Caller`.
    person : Person
        Sender of the request.
    submitted : Submitted
        Runs that were submitted from each address.
    """

    def __init__(self, archive: Archive, model: CurrentModel, person: Person, submitted: Submitted):
        super().__init__(archive, model)
        self._person, self._submitted = person, submitted
        self.owner = person.identity.owner

    def check_submission(self, settings: RunSettings, cluster: str | None) -> None:
        """Check the length and the cluster of a run; raise `InvalidInput` if one is not allowed."""
        permissions.check_length(settings)
        if cluster is not None:
            permissions.check_cluster(Place(cluster), self.archive)

    def admit(self) -> None:
        """Check the number of unfinished runs of this person, and from this address."""
        permissions.check_unfinished(self._person.identity, self.archive)
        if self._person.address:
            self._submitted.check(self._person.address, self.archive.runs())

    def submitted(self, run: Run) -> None:
        """Note a new run, for `admit`."""
        if self._person.address:
            self._submitted.add(self._person.address, run.id)

    def run(self, run_id: str, *, to_cancel: bool = False) -> Run:
        """Return a run that this person may open, or cancel.

        Raises
        ------
        NotAllowed
            The run belongs to someone else.
        UnknownRun
            There is no such run; the message contains no paths of this computer.
        """
        action = Action.CANCEL if to_cancel else Action.OPEN
        if not RUN_ID.fullmatch(run_id):
            raise UnknownRun(f"{run_id} is not a full run ID (32 hexadecimal digits)")
        try:
            return permissions.permitted(self.archive, self._person.identity, action, run_id)
        except UnknownRun:
            raise UnknownRun(f"there is no run {run_id}") from None

    def about(self, run: Run) -> dict[str, Any]:
        """Return whether the run is this person's own."""
        return {"mine": self._person.identity.owns(run)}
