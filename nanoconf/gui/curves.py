"""The curves of a figure as plain data, for drawing and for whoever reads the page otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from nanoconf.gui.state import AppState

MD, ML = "MD", "ML"
IONS = {"positive": "positive ions", "negative": "negative ions"}


@dataclass(frozen=True)
class Curve:
    """One density profile in a figure.

    Attributes
    ----------
    source : {"MD", "ML"}
        A simulation, or a prediction.
    species : {"positive", "negative"}
        Which ions.
    label : str
        What the legend says.
    z, density, error : ndarray
        Position (nm), density and its error (M).
    width : float
        Slit width h of its system (nm).
    stale : bool
        It belongs to other inputs than those at the left.
    """

    source: str
    species: str
    label: str
    z: np.ndarray
    density: np.ndarray
    error: np.ndarray
    width: float
    stale: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, five digits each."""
        return {
            "source": self.source,
            "species": self.species,
            "label": self.label,
            "stale": self.stale,
            "z_nm": _rounded(self.z),
            "density_M": _rounded(self.density),
            "error_M": _rounded(self.error),
        }


def density_curves(state: AppState, species: str) -> list[Curve]:
    """Simulation and prediction of one ion."""
    return [*_simulated(state, species), *_predicted(state, species, "ML prediction")]


def prediction_curves(state: AppState) -> list[Curve]:
    """Prediction of every ion that the network has learnt."""
    return [
        curve
        for species, ions in IONS.items()
        for curve in _predicted(state, species, f"ML, {ions}")
    ]


def _simulated(state: AppState, species: str) -> list[Curve]:
    shown = state.simulation
    if shown is None or shown.profiles is None:
        return []
    profile = getattr(shown.profiles, species)
    label = "MD simulation" + (" (so far)" if shown.result is None else "")
    return [_curve(MD, species, label, profile, shown.system, state.simulation_stale)]


def _predicted(state: AppState, species: str, label: str) -> list[Curve]:
    predicted = state.prediction
    profile = getattr(predicted, species, None)
    if profile is None:
        return []
    return [_curve(ML, species, label, profile, predicted.system, state.prediction_stale)]


def _curve(source: str, species: str, label: str, profile: Any, system: Any, stale: bool) -> Curve:
    return Curve(
        source,
        species,
        f"{label} (other inputs)" if stale else label,
        profile.z,
        profile.density,
        profile.error,
        system.confinement_length,
        stale,
    )


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
