"""The paper's profiles: systems I to IV (Fig. 5) and trends in valency and concentration (Fig. 6).

The ten systems are excluded from all training data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from backend.inputs import Range, checked
from backend.profiles.bins import HALF, bin_centres, bin_edges
from backend.profiles.density import contact_density
from backend.system import InvalidInput, SlitSystem
from nanoconf.data.parsing import in_row, table
from nanoconf.data.published import SYSTEMS, TRENDS
from nanoconf.paper.accuracy import References, references_of, relative_error
from nanoconf.paper.published_network import INPUTS, SPECIES, Predict, paper_key
from nanoconf.paper.report import tidy
from nanoconf.surrogate.simulations import Simulations

PUBLISHED_COLUMNS = ("case", "h", "zp", "zn", "c", "d", "z_nm", "rho_plus_M")

LARGEST_DENSITY = 1e6
"""Largest density in a table that is accepted (M)."""

Published = dict[str, tuple[np.ndarray, np.ndarray]]
"""z (nm) and density (M) of the published network, shape (points,) each, by `paper_key`."""


@dataclass(frozen=True)
class Comparison:
    """Profile of positive ions in the left half of the slit, from the network and from MD.

    Attributes
    ----------
    name : str
        The paper's name of the system.
    system : SlitSystem
    z : ndarray, shape (150,)
        Bin centres (nm).
    predicted, density, error : ndarray, shape (150,)
        Density from the network, density from MD and its standard error (M).
    published : (ndarray, ndarray) or None
        z (nm) and density (M) of the published network.
    """

    name: str
    system: SlitSystem
    z: np.ndarray
    predicted: np.ndarray
    density: np.ndarray
    error: np.ndarray
    published: tuple[np.ndarray, np.ndarray] | None

    @property
    def deviation(self) -> dict[str, float]:
        """Relative L2 errors of the network; see `relative_error`."""
        return relative_error(self.predicted, self.density, self.error)

    @property
    def published_error(self) -> float | None:
        """Relative L2 error of the published network, in its own bins."""
        if self.published is None:
            return None
        z, density = self.published
        simulated = rebinned(self.system, self.density, z)
        return tidy(np.linalg.norm(density - simulated) / np.linalg.norm(simulated))

    def points(self) -> dict[str, dict[str, float]]:
        """Return contact, peak and midplane densities (M) from network and MD."""
        sources = {"network": self.predicted, "md": self.density}
        return {
            source: {
                "contact": tidy(contact_density(self.system, SPECIES, np.append(half, half[::-1]))),
                "peak": tidy(half.max()),
                "mid": tidy(half[-1]),
            }
            for source, half in sources.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; the published curve is represented by its error only."""
        return {
            "system": paper_key(self.system),
            "error": self.deviation,
            "published_error": self.published_error,
            "points": self.points(),
            "z_nm": tidy(self.z),
            "network_M": tidy(self.predicted),
            "md_M": tidy(self.density),
            "md_error_M": tidy(self.error, 3),
        }


def compare(
    predict: Predict, data: Simulations, published: Published | None = None
) -> dict[str, Comparison]:
    """Compare predictions for the paper's ten systems with simulations.

    Parameters
    ----------
    predict : callable
        Function from systems to densities (M) of positive ions, shape (systems, 150).
    data : Simulations
        Dataset that includes the ten systems. Of repeated runs, the most precise is used.
    published : Published, optional
        Profiles of the published network.

    Raises
    ------
    InvalidInput
        If the data lack one of the systems.
    """
    named = {**SYSTEMS, **TRENDS}
    simulated = references_of([data])
    for name, system in named.items():
        if paper_key(system) not in simulated:
            problem = f"lacks system {name} of the paper (h z₊ z₋ c d = {paper_key(system)})"
            raise InvalidInput("data", data.folder, problem)
    predicted = predict(list(named.values()))
    return {
        name: _comparison(name, system, predicted[row], simulated, published or {})
        for row, (name, system) in enumerate(named.items())
    }


def _comparison(
    name: str,
    system: SlitSystem,
    predicted: np.ndarray,
    simulated: References,
    published: Published,
) -> Comparison:
    key = paper_key(system)
    z = bin_centres(system)[:HALF]
    return Comparison(name, system, z, predicted, *simulated[key], published.get(key))


def read_published(file: str | Path) -> Published:
    """Read profiles of the published network from a CSV file.

    The columns are `PUBLISHED_COLUMNS`, in nm, e and M, with bins of equal width. The extra point
    at contact, z = −h/2 + d/2, overlaps its neighbours and is skipped.

    Raises
    ------
    InvalidInput
        If the file cannot be read or lacks a column.
    """
    try:
        rows = table(Path(file), "published", PUBLISHED_COLUMNS)
        numbers = [[float(row[name]) for name in PUBLISHED_COLUMNS[1:]] for row in rows]
    except InvalidInput:
        raise
    except (KeyError, ValueError) as error:  # a column is missing, or a cell is not a number
        columns = ",".join(PUBLISHED_COLUMNS)
        problem = f"must be a table of numbers with the columns {columns} ({error})"
        raise InvalidInput("published", str(file), problem) from error
    curves: dict[str, list[tuple[float, float]]] = {}
    for row, (h, zp, zn, c, d, z, density) in enumerate(numbers, 1):
        try:
            system = SlitSystem.from_dict(dict(zip(INPUTS, (h, zp, zn, c, d), strict=True)))
            checked("z_nm", z, Range(-h / 2, h / 2, "nm"))
            checked("rho_plus_M", density, Range(-LARGEST_DENSITY, LARGEST_DENSITY, "M"))
        except InvalidInput as error:
            raise in_row(error, Path(file), row) from error
        if abs(z + (h - d) / 2) > 1e-6:
            curves.setdefault(paper_key(system), []).append((z, density))
    return {key: _columns(curve) for key, curve in curves.items()}


def _columns(curve: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    z, density = np.array(sorted(curve)).T
    return z, density


def rebinned(system: SlitSystem, density: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Average a profile over other bins.

    The function interpolates the number of ions between the wall and z rather than the density,
    which changes by half from bin to bin near the wall.

    Parameters
    ----------
    system : SlitSystem
    density : ndarray, shape (150,)
        Densities (M) in the left half.
    z : ndarray, shape (bins,)
        Centres (nm) of the new bins, evenly spaced.

    Returns
    -------
    ndarray, shape (bins,)
        Densities (M) in the new bins.
    """
    edges = bin_edges(system)[: HALF + 1]
    ions = np.append(0.0, np.cumsum(density * np.diff(edges)))
    width = float(np.median(np.diff(z)))
    below = PchipInterpolator(edges, ions)(np.clip(z - width / 2, edges[0], edges[-1]))
    above = PchipInterpolator(edges, ions)(np.clip(z + width / 2, edges[0], edges[-1]))
    return (above - below) / width


# --- tables and figures ---------------------------------------------------------------------


def rows(found: dict[str, Comparison]) -> list[list[str]]:
    """Table of errors and densities."""
    table = [
        [
            "system",
            "h z₊ z₋ c d",
            "L2 error %",
            "MD noise %",
            "without noise %",
            "published %",
            *(f"{point}, ML / MD (M)" for point in ("contact", "peak", "mid")),
        ]
    ]
    for name, one in found.items():
        error, points, published = one.deviation, one.points(), one.published_error
        table.append(
            [
                name,
                paper_key(one.system),
                *(f"{100 * error[key]:.2f}" for key in ("observed", "noise", "beyond_noise")),
                "" if published is None else f"{100 * published:.2f}",
                *(
                    f"{points['network'][point]:.3f} / {points['md'][point]:.3f}"
                    for point in ("contact", "peak", "mid")
                ),
            ]
        )
    return table


def draw_profiles(found: dict[str, Comparison]) -> Any:
    """Draw systems I to IV, one per panel (Fig. 5)."""
    from nanoconf.paper.report import COLOURS, figure

    picture, axes = figure(2, 2, size=(9.5, 7.0))
    for name, axis in zip(SYSTEMS, axes.flat, strict=True):
        one, system = found[name], SYSTEMS[name]
        _draw_md(axis, one, COLOURS[0], "s", "MD, standard error")
        axis.plot(
            one.z, one.predicted, "-", color=COLOURS[1], label="the paper's network, retrained"
        )
        if one.published is not None:
            axis.plot(*one.published, "--", color=COLOURS[2], label="the published network")
        axis.set_title(
            f"{name}: h = {system.confinement_length:g} nm, "
            f"{system.positive_valency}:{system.negative_valency}, "
            f"c = {system.salt_concentration:g} M, d = {system.positive_diameter:g} nm",
            fontsize=9,
        )
        axis.set_xlabel("z (nm)")
        axis.set_ylabel("density of positive ions (M)")
    axes[0, 0].legend(fontsize=8)
    return picture


def draw_trends(found: dict[str, Comparison]) -> Any:
    """Draw the six systems of Fig. 6, with a panel per concentration and a line per valency."""
    from nanoconf.paper.report import COLOURS, MARKERS, STYLES, figure

    concentrations = sorted({system.salt_concentration for system in TRENDS.values()})
    picture, axes = figure(1, len(concentrations), size=(9.5, 4.0))
    for concentration, axis in zip(concentrations, axes[0], strict=True):
        shown = [name for name, s in TRENDS.items() if s.salt_concentration == concentration]
        for index, name in enumerate(shown):
            one, colour = found[name], COLOURS[index]
            label = f"z₊ = {one.system.positive_valency}"
            _draw_md(axis, one, colour, MARKERS[index], f"{label}, MD")
            axis.plot(one.z, one.predicted, STYLES[index], color=colour, label=label)
            if one.published is not None:
                axis.plot(*one.published, linewidth=0.7, color="black", zorder=3)
        axis.set_title(f"c = {concentration:g} M, h = 3 nm, d = 0.7 nm", fontsize=9)
        axis.set_xlabel("z (nm)")
        axis.set_ylabel("density of positive ions (M)")
        if any(found[name].published is not None for name in shown):
            axis.plot([], [], linewidth=0.7, color="black", label="the published network")
        axis.legend(fontsize=8, loc="upper right", ncols=2)
    return picture


def _draw_md(axis: Any, one: Comparison, colour: str, marker: str, label: str) -> None:
    fourth = slice(None, None, 4)
    axis.errorbar(
        one.z[fourth],
        one.density[fourth],
        one.error[fourth],
        fmt=marker,
        color=colour,
        markersize=3.5,
        markerfacecolor="none",
        elinewidth=0.8,
        label=label,
    )
