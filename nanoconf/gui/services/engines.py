"""Engines that the page offers for simulations on this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.engines import registry

if TYPE_CHECKING:
    from nanoconf.gui.services.session import Session


class EngineOffers:
    """Service that finds out which engines can be used here.

    Parameters
    ----------
    session : Session
        The page.
    """

    def __init__(self, session: Session):
        self._session = session

    def find(self) -> None:
        """Look for usable engines in the background; the default engine is always offered."""
        others = [
            engine
            for engine in registry.ENGINES.values()
            if engine.page_title and engine.name != registry.DEFAULT
        ]
        if others:
            self._session.background.submit(self._find, others)

    def _find(self, others: list[registry.Engine]) -> None:
        usable = tuple(engine.name for engine in others if _usable(engine))
        if usable:
            self._session.post(self._offer, (registry.DEFAULT, *usable))

    def _offer(self, names: tuple[str, ...]) -> None:
        self._session.state.engines = names


def _usable(engine: registry.Engine) -> bool:
    from backend.inputs import InvalidInput
    from backend.sampling.result import SimulationError

    try:
        engine.check()
    except (InvalidInput, SimulationError):
        return False
    return True
