"""The CUDA engine on a graphics card: pytest -m gpu, with the extra cuda installed."""

import time
from dataclasses import replace

import numpy as np
import pytest

from backend.engines.cuda import engine
from backend.engines.cuda.batch import Batch
from backend.engines.cuda.slit import Shape, slit_record
from backend.engines.numba import engine as numba_engine
from backend.settings import RunSettings
from backend.system import SlitSystem
from tests.backend.engines.cuda.test_kernel import (
    RHYTHM,
    SYSTEMS,
    configuration,
    numba_forces,
    relative,
    state_of,
)

pytestmark = pytest.mark.gpu

SYSTEM, SETTINGS = SlitSystem(), RunSettings(engine="cuda")


@pytest.fixture(scope="module")
def card():
    return engine.card()


@pytest.mark.parametrize("name", SYSTEMS)
def test_forces_equal_those_of_the_numba_engine(card, name):
    system, settings = SYSTEMS[name], RunSettings()
    batch = Batch(card, Shape.of(system.ion_count), RHYTHM, 1)
    batch.place(0, slit_record(system, settings, 0), configuration(system))
    batch.prepare(steps=0)
    state, length = state_of(batch, system).astype(float), system.box_length
    expected = numba_forces(system, state[:3] * length)
    for computed, wanted in zip((state[6:9], state[9:12]), expected, strict=True):
        assert relative(computed / length - wanted, wanted) < 1e-5


def test_the_same_seed_gives_the_same_bits_and_the_densities_of_the_numba_engine(card):
    result, again = (engine.run(SYSTEM, SETTINGS, device=card) for _ in range(2))
    assert result.profiles.files() == again.profiles.files()
    expected = numba_engine.run(SYSTEM, replace(SETTINGS, engine="numba", replicas=2))
    for one, other in zip(
        result.profiles.by_species().values(), expected.profiles.by_species().values(), strict=True
    ):
        counted = other.density > 0.05 * other.density.max()
        errors = np.hypot(one.error, other.error)[counted]
        assert np.mean(((one.density - other.density)[counted] / errors) ** 2) < 6


def test_five_nanoseconds_take_three_seconds(card):
    engine.run(SYSTEM, replace(SETTINGS, duration_ns=0.1), device=card)  # compiles the kernel
    began = time.monotonic()
    engine.run(SYSTEM, SETTINGS, device=card)
    assert time.monotonic() - began < 3
