"""Initial positions of a simulation."""

from __future__ import annotations

import math

import numpy as np

from backend.system import SlitSystem


def lattice(
    system: SlitSystem, rng: np.random.Generator, height: float | None = None
) -> np.ndarray:
    """Return positions (nm), shape (3, ions), on the sites of a lattice between the walls.

    Of all simple lattices with enough sites, the one with the largest nearest-neighbour distance
    is used.

    Parameters
    ----------
    system : SlitSystem
    rng : Generator
        Distributes the ions over the sites.
    height : float, optional
        Extent in z (nm), symmetric about the midplane; by default that of the slit.
    """
    count, length = system.ion_count, system.box_length
    height = height or 2 * min(system.contact_planes)

    def spacing(layers: int) -> float:
        across = length / math.ceil(math.sqrt(count / layers))
        return min(across, height / (layers - 1)) if layers > 1 else across

    layers = max(range(1, 200), key=spacing)
    side = math.ceil(math.sqrt(count / layers))
    sites = rng.permutation(side * side * layers)[:count]
    plane, layer = np.divmod(sites, layers)
    row, column = np.divmod(plane, side)
    z = height * (layer / (layers - 1) - 0.5) if layers > 1 else np.zeros(count)
    return np.array([row * length / side, column * length / side, z])
