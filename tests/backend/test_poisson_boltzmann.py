"""Mean-field profiles compared with exact solutions, exact relations and a finer grid."""

import numpy as np
import pytest

import backend.poisson_boltzmann as module
from backend.constants import e, k
from backend.inputs import SYSTEM, InvalidInput
from backend.poisson_boltzmann import MeanField, mean_field, poisson_boltzmann
from backend.profiles.bins import BINS
from backend.profiles.charge import CHARGE_PER_MOLAR_NM, integrated_charge, potential
from backend.system import MOLAR, SPECIES, SlitSystem
from backend.walls import binned_boltzmann_factor, wall_energy

IN_WATER = [
    SlitSystem(surface_charge_density=-0.05),
    SlitSystem(4.0, 2, -1, 0.5, 0.3, 0.6, surface_charge_density=-0.1),
    SlitSystem(3.0, 3, -1, 0.9, 0.5, 0.7),
    SlitSystem(6.0, 1, -2, 0.1, 0.4, wall="plane", surface_charge_density=-0.2),
]


def random_system(random: np.random.Generator) -> SlitSystem:
    """A random system that the engine accepts; positive inputs are drawn log-uniformly."""
    while True:
        values = {"wall": random.choice(SYSTEM["wall"].choices).item()}
        for name, allowed in SYSTEM.items():
            if name in ("wall", "negative_ions"):
                continue
            if allowed.whole:
                values[name] = int(random.integers(allowed.low, allowed.high + 1))
            elif allowed.low > 0:
                values[name] = np.exp(random.uniform(np.log(allowed.low), np.log(allowed.high)))
            else:
                values[name] = random.uniform(allowed.low, allowed.high)
        try:
            return SlitSystem(**values)
        except InvalidInput:
            continue


def random_systems(count: int) -> list[SlitSystem]:
    random = np.random.default_rng(17)
    corners = [
        SlitSystem(30.0, 3, -3, 0.05, 0.1, 2.0, surface_charge_density=-0.2),
        SlitSystem(0.6, 1, -1, 0.3, 0.5, 0.1, surface_charge_density=-0.2),
        SlitSystem(
            6.0, 3, -3, 5.0, 0.3, 0.1, "ion", -0.2, temperature=200.0, relative_permittivity=2.0
        ),
    ]
    return corners + [random_system(random) for _ in range(count)]


def free(field: MeanField, system: SlitSystem) -> np.ndarray:
    """Mask of the cells where ions of neither species feel the walls."""
    z = field.grid.centre - system.confinement_length / 2
    return sum(wall_energy(system, species, z) for species in SPECIES) == 0


# --- exact solutions ------------------------------------------------------------------------


def test_counterions_between_charged_plates_follow_the_exact_solution():
    """n = n₀/cos²(Kz), K² = 2π l_B z² n₀, K tan(Ka) = 2π l_B z|σ|/e (Engström, Wennerström)."""
    system = SlitSystem(
        1.5, 2, -1, 0.0055, 0.1, surface_charge_density=-0.05, relative_permittivity=160.0
    )
    n = poisson_boltzmann(system).positive
    # 3 % of the positive ions balance negative ions rather than the walls
    wave = np.sqrt(2 * np.pi * system.bjerrum_length * 4 * n.mid_density * MOLAR)
    inside = np.abs(n.z) < 0.62
    exact = n.mid_density / np.cos(wave * n.z[inside]) ** 2
    np.testing.assert_allclose(n.density[inside], exact, rtol=0.02)
    charge = -system.actual_surface_charge_density * 1e-18 / e
    touching = system.contact_planes[0]
    assert wave * np.tan(wave * touching) == pytest.approx(
        2 * np.pi * system.bjerrum_length * 2 * charge, rel=0.1
    )


def test_low_potentials_follow_the_debye_hueckel_solution():
    """ψ″ = κ²ψ − 4π l_B Σ z n(0), the Debye-Hückel equation with the charge at the midplane."""
    system = SlitSystem(8.0, 1, -1, 0.02, 0.2, surface_charge_density=-0.0005)
    profiles = poisson_boltzmann(system)
    volts = potential(system, profiles.densities) / 1000
    found = volts * e / (k * system.temperature)
    mid = np.array([profiles.positive.mid_density, profiles.negative.mid_density]) * MOLAR
    strength = 4 * np.pi * system.bjerrum_length
    kappa = np.sqrt(strength * mid.sum())
    amplitude = strength * (mid[0] - mid[1]) / kappa**2
    inside = np.abs(profiles.positive.z) < system.contact_planes[0] - 0.1
    exact = amplitude * (1 - np.cosh(kappa * profiles.positive.z[inside]))
    assert 0.01 < np.abs(exact).max() < 0.1
    np.testing.assert_allclose(found[inside], exact, atol=0.01 * np.abs(exact).max())


def test_ions_of_equal_size_between_neutral_walls_feel_only_the_walls():
    system = SlitSystem(3.0, 2, -1, 0.6, 0.6)
    for species, mean in (("positive", 0.3), ("negative", 0.6)):
        factor = binned_boltzmann_factor(system, species, BINS)
        exact = mean * factor / factor.mean()
        found = getattr(poisson_boltzmann(system), species).density
        np.testing.assert_allclose(found, exact, atol=1e-3 * exact.max())


def test_reversing_all_charges_exchanges_the_profiles():
    cations = SlitSystem(2.0, 3, -1, 0.6, 0.5, 0.3, negative_ions=300)
    anions = SlitSystem(2.0, 1, -3, 0.2, 0.3, 0.5, negative_ions=100)
    one, other = (poisson_boltzmann(system).densities for system in (cations, anions))
    np.testing.assert_allclose(one, other[::-1], rtol=1e-6, atol=1e-12)


# --- over the full range of inputs ----------------------------------------------------------


@pytest.mark.parametrize("system", random_systems(60))
def test_every_system_has_a_solution_that_satisfies_the_exact_relations(system):
    profiles = poisson_boltzmann(system)
    densities = profiles.densities
    assert profiles.finite and densities.shape == (2, BINS) and np.all(densities >= 0)
    np.testing.assert_array_equal(densities, densities[:, ::-1])
    np.testing.assert_array_equal(profiles.positive.error, 0)
    # the number of ions of a simulation
    volume = system.box_length**2 * system.confinement_length * MOLAR
    np.testing.assert_allclose(densities.mean(axis=1) * volume, system.counts, rtol=1e-9)
    # ions and walls together are neutral
    wall = system.actual_surface_charge_density
    scale = CHARGE_PER_MOLAR_NM * system.confinement_length * densities[1].mean()
    assert integrated_charge(system, densities)[-1] == pytest.approx(-wall, abs=1e-3 * scale - wall)
    net = np.array(system.valencies) @ densities.mean(axis=1)
    total = CHARGE_PER_MOLAR_NM * system.confinement_length * net
    assert total == pytest.approx(-2 * wall, abs=1e-9 * scale)
    check_pressure(system)


def check_pressure(system: SlitSystem) -> None:
    """Where no ion feels a wall, Σ n − ψ′²/(8π l_B) equals Σ n(0), the midplane pressure (k_BT)."""
    field = mean_field(system)
    inside = free(field, system)
    if inside.sum() < 3:
        return
    psi, position = field.potential[inside], field.grid.centre[inside]
    slope = np.diff(psi) / np.diff(position)
    ions = field.density.sum(axis=0)[inside]
    between = np.sqrt(ions[1:] * ions[:-1])
    electric = slope**2 / (8 * np.pi * system.bjerrum_length)
    largest = field.density.sum(axis=0).max()
    assert np.all(np.abs(between - electric - ions[-1]) < 0.01 * largest)


@pytest.mark.parametrize("system", IN_WATER)
def test_the_force_on_the_walls_balances_the_midplane_pressure(system):
    """Contact theorem for soft walls: −∫ Σ n βU′ dz − 2π l_B Γ² = Σ n(0)."""
    field = mean_field(system)
    z = field.grid.centre - system.confinement_length / 2
    step = 1e-6
    pushed = 0.0
    for species, ions in zip(SPECIES, field.ions, strict=True):
        reached = ions > 1e-12 * ions.max()
        left, right = (wall_energy(system, species, z[reached] + s) for s in (-step, step))
        pushed += ions[reached] @ (left - right) / (2 * step)
    charge = system.actual_surface_charge_density * 1e-18 / e
    pulled = 2 * np.pi * system.bjerrum_length * charge**2
    midplane = field.density[:, -1].sum()
    assert pushed - pulled == pytest.approx(midplane, abs=0.01 * max(pushed, midplane))


# --- the grid -------------------------------------------------------------------------------


@pytest.mark.parametrize("system", IN_WATER)
def test_refining_the_grid_changes_densities_in_water_by_less_than_one_part_per_thousand(
    system, monkeypatch
):
    default = poisson_boltzmann(system).densities
    monkeypatch.setattr(module, "MAX_CHANGE", 0.003)
    monkeypatch.setattr(module, "CELLS_PER_BIN", 8)
    finer = poisson_boltzmann(system).densities
    scale = finer.max(axis=1, keepdims=True)
    np.testing.assert_allclose(default / scale, finer / scale, atol=1e-3)


def test_a_solution_needs_few_steps_on_few_cells(monkeypatch):
    """The solution time, some milliseconds, follows from the number of steps and cells."""
    steps = []
    original = module.FreeEnergy.newton_step

    def counted(energy, psi):
        steps.append(len(psi))
        return original(energy, psi)

    monkeypatch.setattr(module.FreeEnergy, "newton_step", counted)
    for system in random_systems(20):
        steps.clear()
        mean_field(system)
        assert len(steps) < 60 and max(steps) < 2000
