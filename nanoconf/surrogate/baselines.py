"""Baselines for the network: interpolation of the paper's grid, and Gaussian processes.

Both predict the profiles of both ions over the left half of the slit. They model
y = ρ exp(βU_wall)/ρ̄, which is smooth through the soft wall and of order one, as a function of
t = |z|/(h/2 − d/2), in which the midplane (0) and the contact plane (1) of all systems coincide.
Each pair of valencies has a model of its own. The inputs determine the mean density ρ̄, and
predictions are normalised to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from backend.inputs import InvalidInput
from backend.profiles.bins import BINS, HALF, bin_centres
from backend.system import SPECIES, SlitSystem
from backend.walls import binned_boltzmann_factor
from nanoconf.surrogate.domain import Domain, continuous_inputs, input_values, mean_density
from nanoconf.surrogate.simulations import Simulations

PLACES = np.linspace(0.0, 1.04, 160)
"""Values of t at which y is modelled, spaced as finely as the bins. Few ions lie beyond."""

MINIMUM_FACTOR = 0.05
"""Minimum Boltzmann factor of the wall in a bin; y is too noisy in the others."""

NEIGHBOURS = 30
MINIMUM_FILLING = 0.05
"""Minimum share of simulated points in a grid."""

COMPONENTS = 10
MAXIMUM_POINTS = 1200
POINTS_FOR_KERNEL = 300
LEAST_DENSITY = 1e-4
"""Smaller values of y are replaced by this before the logarithm is taken."""

Valencies = tuple[int, int]


class Baseline(Protocol):
    """Model that predicts profiles."""

    def predict(self, systems: Sequence[SlitSystem]) -> dict[str, np.ndarray]:
        """Predict densities (M) by species, shape (systems, 150), from the wall to the midplane."""
        ...


# --- common coordinate ----------------------------------------------------------------------


def to_common(system: SlitSystem, species: str, density: np.ndarray) -> np.ndarray:
    """Convert a profile (M) starting at the wall, shape (150,), to y at `PLACES`, shape (160,)."""
    from scipy.interpolate import CubicSpline

    factor, t = _wall_factor(system, species), _place(system, species)
    used = factor > MINIMUM_FACTOR
    y = density[used] / factor[used] / mean_density(system, species)
    curve = CubicSpline(t[used][::-1], y[::-1])
    return curve(PLACES.clip(t[used].min(), t[used].max()))


def from_common(system: SlitSystem, species: str, y: np.ndarray) -> np.ndarray:
    """Convert y at `PLACES`, shape (160,), to a profile (M), shape (150,); inverts `to_common`."""
    from scipy.interpolate import CubicSpline

    t = _place(system, species).clip(PLACES[0], PLACES[-1])
    density = CubicSpline(PLACES, y)(t) * _wall_factor(system, species)
    return density * mean_density(system, species) / density.mean()


def _wall_factor(system: SlitSystem, species: str) -> np.ndarray:
    return binned_boltzmann_factor(system, species, BINS)[:HALF]


def _place(system: SlitSystem, species: str) -> np.ndarray:
    """Return t of each bin, shape (150,)."""
    plane = system.contact_planes[SPECIES.index(species)]
    return np.abs(bin_centres(system)[:HALF]) / plane


# --- shared by both baselines ---------------------------------------------------------------


def _domain(data: Simulations) -> Domain:
    try:
        return Domain.of(data.systems)
    except ValueError as problem:
        raise InvalidInput("data", data.folder, str(problem)) from None


def _coordinates(systems: Sequence[SlitSystem]) -> np.ndarray:
    """Return the coordinates (h, c, d) in nm, M and nm, shape (systems, 3)."""
    return input_values(systems, continuous_inputs())


def _by_valencies(systems: Sequence[SlitSystem]) -> dict[Valencies, np.ndarray]:
    """Return the rows of the systems with each pair of valencies."""
    pairs: dict[Valencies, list[int]] = {}
    for row, system in enumerate(systems):
        pairs.setdefault(system.valencies, []).append(row)
    return {pair: np.array(rows) for pair, rows in sorted(pairs.items())}


def _profiles(data: Simulations, rows: np.ndarray) -> np.ndarray:
    """Return y of the simulations in these rows, shape (rows, 2, 160), positive ions first."""
    return np.array(
        [
            [
                to_common(data.systems[row], species, data.density[species][row])
                for species in SPECIES
            ]
            for row in rows
        ]
    )


class _ByValencies:
    """Baseline with one model for each pair of valencies."""

    def __init__(self, domain: Domain, models: dict[Valencies, Any]):
        self._domain, self._models = domain, models

    def predict(self, systems: Sequence[SlitSystem]) -> dict[str, np.ndarray]:
        """Predict the profiles of several systems.

        Parameters
        ----------
        systems : sequence of SlitSystem
            Systems within the ranges of the training data.

        Returns
        -------
        dict of str to ndarray, shape (systems, 150)
            Densities (M) by species, from the wall to the midplane.

        Raises
        ------
        InvalidInput
            If a system lies outside these ranges.
        """
        for system in systems:
            self._check(system)
        densities = {species: np.empty((len(systems), HALF)) for species in SPECIES}
        for pair, rows in _by_valencies(systems).items():
            members = [systems[row] for row in rows]
            y = self._models[pair](_coordinates(members))
            for row, system, both in zip(rows, members, y, strict=True):
                for species, curve in zip(SPECIES, both, strict=True):
                    densities[species][row] = from_common(system, species, curve)
        return densities

    def _check(self, system: SlitSystem) -> None:
        self._domain.check(system)
        if system.valencies not in self._models:
            known = ", ".join("{}:{}".format(*pair) for pair in self._models)
            value = "{}:{}".format(*system.valencies)
            raise InvalidInput("positive_valency", value, f"must be one of {known}, as in the data")


# --- interpolation --------------------------------------------------------------------------


class GridInterpolation(_ByValencies):
    """Multilinear interpolation in (h, c, d) of simulations on a grid.

    Attributes
    ----------
    filled : dict of (int, int) to int
        Number of missing grid points that were filled from their neighbours, by valencies (z₊, z₋).
    """

    def __init__(self, domain: Domain, models: dict[Valencies, Any], filled: dict[Valencies, int]):
        super().__init__(domain, models)
        self.filled = filled

    @classmethod
    def fit(cls, simulations: Simulations) -> Self:
        """Fit simulations on a grid. Some points of the grid may be missing.

        A missing point is filled by a thin-plate spline with a linear term through the thirty
        nearest points. Simulations of the same system are averaged.

        Raises
        ------
        InvalidInput
            If the simulations do not lie on a grid, or differ in an input that the network does not
            have.
        """
        domain, models, filled = _domain(simulations), {}, {}
        for pair, rows in _by_valencies(simulations.systems).items():
            grid = _Grid.of(_coordinates([simulations.systems[row] for row in rows]), simulations)
            values = grid.averaged(_profiles(simulations, rows))
            filled[pair] = int(np.isnan(values[..., 0, 0]).sum())
            models[pair] = _interpolator(grid.axes, grid.completed(values))
        return cls(domain, models, filled)


def _interpolator(axes: list[np.ndarray], values: np.ndarray) -> Any:
    from scipy.interpolate import RegularGridInterpolator

    return RegularGridInterpolator(axes, values, bounds_error=False, fill_value=None)


@dataclass(frozen=True)
class _Grid:
    """Grid of points in (h, c, d).

    Attributes
    ----------
    axes : list of ndarray
        Values of h, c and d, ascending.
    places : tuple of ndarray of int
        Index of each point on each axis.
    folder : str
        Folder of the data.
    """

    axes: list[np.ndarray]
    places: tuple[np.ndarray, ...]
    folder: str

    @classmethod
    def of(cls, points: np.ndarray, data: Simulations) -> Self:
        found = [np.unique(column.round(9), return_inverse=True) for column in points.T]
        axes, places = [axis for axis, _ in found], tuple(place for _, place in found)
        size = np.prod([len(axis) for axis in axes])
        if min(len(axis) for axis in axes) < 2 or len(points) < MINIMUM_FILLING * size:
            problem = "must lie on a grid in h, c and d with at least two values of each"
            raise InvalidInput("data", data.folder, problem)
        return cls(axes, places, data.folder)

    def averaged(self, values: np.ndarray) -> np.ndarray:
        """Average values on the grid, shape (h, c, d, …); nan at missing points."""
        shape = tuple(len(axis) for axis in self.axes)
        total, count = np.zeros(shape + values.shape[1:]), np.zeros(shape)
        np.add.at(total, self.places, values)
        np.add.at(count, self.places, 1)
        count[count == 0] = np.nan
        return total / count.reshape(shape + (1,) * (values.ndim - 1))

    def completed(self, values: np.ndarray) -> np.ndarray:
        """Fill the missing values on the grid."""
        from scipy.interpolate import RBFInterpolator

        missing = np.isnan(values.reshape(*values.shape[:3], -1)[..., 0])
        if not missing.any():
            return values
        # distances in units of the grid spacing
        steps = [np.median(np.diff(axis)) for axis in self.axes]
        points = np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1) / steps
        known = values[~missing].reshape(np.sum(~missing), -1)
        try:
            spline = RBFInterpolator(points[~missing], known, neighbors=NEIGHBOURS)
            filled = spline(points[missing])
        except (ValueError, np.linalg.LinAlgError):
            problem = "covers too few grid points to interpolate the missing ones"
            raise InvalidInput("data", self.folder, problem) from None
        whole = values.copy()
        whole[missing] = filled.reshape(-1, *values.shape[3:])
        return whole


# --- Gaussian process -----------------------------------------------------------------------


class GaussianProcess(_ByValencies):
    """Gaussian processes in (h, c, d) for the principal components of ln y."""

    @classmethod
    def fit(cls, simulations: Simulations, seed: int = 1) -> Self:
        """Fit simulations, which need not lie on a grid.

        ln y of each ion species is reduced to ten principal components. Each component has a
        process of its own, with an anisotropic Matérn kernel (ν = 5/2) and white noise.

        Parameters
        ----------
        simulations : Simulations
            Training data. At most 1,200 simulations of each pair of valencies are used, chosen at
            random.
        seed : int
            Seed of this choice.

        Raises
        ------
        InvalidInput
            If the simulations differ in an input that the network does not have.
        """
        from threadpoolctl import threadpool_limits

        domain, models = _domain(simulations), {}
        random = np.random.default_rng(seed)
        for pair, rows in _by_valencies(simulations.systems).items():
            chosen = random.permutation(rows)[:MAXIMUM_POINTS]
            x = _coordinates([simulations.systems[row] for row in chosen])
            y = _profiles(simulations, chosen)
            with threadpool_limits(1):  # more threads are slower for such small matrices
                models[pair] = _Processes(x, y)
        return cls(domain, models)


class _Processes:
    """Gaussian processes of one pair of valencies, from (h, c, d) to y of both ions."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        self._low, span = x.min(axis=0), np.ptp(x, axis=0)
        self._span = np.where(span > 0, span, 1.0)
        scaled = (x - self._low) / self._span
        logarithm = np.log(y.clip(LEAST_DENSITY))
        self._ions = [_Components(scaled, logarithm[:, ion]) for ion in range(len(SPECIES))]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Predict y, shape (systems, 2, 160), from (h, c, d), shape (systems, 3)."""
        scaled = (x - self._low) / self._span
        return np.exp(np.stack([ion(scaled) for ion in self._ions], axis=1))


class _Components:
    """Principal components of curves, with a Gaussian process for each."""

    def __init__(self, x: np.ndarray, curves: np.ndarray):
        from sklearn.decomposition import PCA

        self._pca = PCA(min(COMPONENTS, *curves.shape), svd_solver="full")
        scores = self._pca.fit_transform(curves)
        self._processes = [_process(x, score) for score in _varying(scores)]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(x), self._pca.n_components_))
        for column, process in enumerate(self._processes):
            scores[:, column] = process.predict(x)
        return self._pca.inverse_transform(scores)


def _varying(scores: np.ndarray) -> Iterator[np.ndarray]:
    """Return the components that vary by more than rounding errors."""
    spread = scores.std(axis=0)
    return iter(scores[:, spread > 1e-9 * max(1.0, spread.max())].T)


def _process(x: np.ndarray, score: np.ndarray) -> Any:
    """Fit a Gaussian process. To save time, only some of the points determine its kernel."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    smooth = Matern(np.ones(x.shape[1]), (0.05, 100.0), nu=2.5)
    kernel = ConstantKernel(1.0, (1e-3, 1e4)) * smooth + WhiteKernel(1e-2, (1e-8, 10.0))
    few = slice(POINTS_FOR_KERNEL)
    with warnings.catch_warnings():
        # the length scale of an input that does not affect the component reaches its bound
        warnings.simplefilter("ignore", ConvergenceWarning)
        chosen = GaussianProcessRegressor(kernel, normalize_y=True).fit(x[few], score[few])
    return GaussianProcessRegressor(chosen.kernel_, optimizer=None, normalize_y=True).fit(x, score)
