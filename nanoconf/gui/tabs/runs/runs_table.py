"""Table of runs; the browser sorts it and selects its rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anywidget import AnyWidget
from traitlets import TraitError, Tuple, Unicode, validate

from backend.runs.archive import RUN_ID
from nanoconf.gui.services.permissions import LONGEST_SELECTION
from nanoconf.gui.tabs.runs.model import Entry


class RunsTable(AnyWidget):
    """A table with one row for each run, newest first until another column is chosen.

    Attributes
    ----------
    rows : tuple of dict
        Texts and sort keys of each run: see `row`.
    chosen : tuple of str
        IDs of the selected runs.
    note : str
        Text below the table; if empty, the number of runs is shown.
    """

    _esm = Path(__file__).with_name("runs_table.js")

    rows = Tuple().tag(sync=True)
    chosen = Tuple().tag(sync=True)
    note = Unicode().tag(sync=True)

    @validate("chosen")
    def _run_ids(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        chosen = proposal["value"]
        if len(chosen) > LONGEST_SELECTION or not all(map(_is_run_id, chosen)):
            raise TraitError(f"chosen: must be the IDs of at most {LONGEST_SELECTION} runs")
        return chosen

    def show(self, entries: Iterable[Entry], note: str) -> None:
        """Show the given runs; selected runs that are not among them are deselected."""
        rows = tuple(map(row, entries))
        listed = {each["id"] for each in rows}
        with self.hold_sync():  # the browser must not select rows that no longer exist
            self.rows, self.note = rows, note
            self.chosen = tuple(run_id for run_id in self.chosen if run_id in listed)


def _is_run_id(value: Any) -> bool:
    return isinstance(value, str) and RUN_ID.fullmatch(value) is not None


def row(entry: Entry) -> dict[str, Any]:
    """Return a run as JSON values for ``runs_table.js``."""
    return {
        "id": entry.run_id,
        "title": entry.title,
        "system": entry.system,
        "length": entry.length if entry.simulated else f"{entry.length} requested",
        "simulated": entry.simulated,
        "ns": entry.length_ns,
        "error": entry.error,
        "relative": entry.relative_error,
        "not_converged": entry.converged is False,
        "state": entry.place,
        "owner": entry.submitter,
        "created": entry.when,
    }
