"""Choice of the engine, shown where there is more than one."""

from __future__ import annotations

from typing import Any

from backend.engines import registry
from nanoconf.gui.state import AppState
from nanoconf.gui.widgets.choice import Choice


class EngineChoice(Choice):
    """Engines that can simulate on this computer; in Cluster mode the cluster's entry decides."""

    def __init__(self, state: AppState):
        self._state = state
        super().__init__(**_choices(state), label="Simulate on")
        self.add_class("nc-switch")
        self.observe(self._chosen, "value")
        state.observe(self._show, ["engines", "engine", "cluster_mode"])
        self._show()

    def _chosen(self, change: dict[str, Any]) -> None:
        names = {_title(name): name for name in self._state.engines}
        self._state.engine = names[change["new"]]

    def _show(self, _change: Any = None) -> None:
        state = self._state
        with self.hold_trait_notifications():
            for name, value in _choices(state).items():
                setattr(self, name, value)
        offered = len(state.engines) > 1 and not state.cluster_mode
        self.layout.display = None if offered else "none"


def _choices(state: AppState) -> dict[str, Any]:
    titles = [_title(name) for name in state.engines]
    return {"groups": [titles], "value": _title(state.engine)}


def _title(name: str) -> str:
    return registry.get(name).page_title
