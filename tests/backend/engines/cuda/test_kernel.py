"""The CUDA kernel on the CPU shim, compared with the Numba engine."""

import ctypes
from dataclasses import replace

import numpy as np
import pytest

from backend.engines.cuda.batch import Batch, Rhythm
from backend.engines.cuda.device import packed
from backend.engines.cuda.slit import FIXED_POINT, NO_PROBLEM, Shape, constant_energy, slit_record
from backend.engines.numba import forces, integrators
from backend.engines.numba.contact import build_pairs, contact_forces
from backend.engines.numba.coulomb import coulomb_buffer, coulomb_forces
from backend.engines.numba.forces import force_field, potential_energy
from backend.engines.numba.replica import Replica
from backend.engines.numba.tally import tally, tally_contact
from backend.profiles.bins import BINS
from backend.sampling.lattice import lattice
from backend.sampling.samples import empty_tally
from backend.settings import RunSettings
from backend.system import SlitSystem
from tests.support.cuda_shim.compiled import HERE, ShimDevice, ShimError

SYSTEMS = {
    "default": SlitSystem(confinement_length=2.0, salt_concentration=1.5),
    "trivalent": SlitSystem(positive_valency=3, salt_concentration=0.9, wall="plane"),
    "unequal": SlitSystem(positive_valency=2, positive_diameter=0.5, negative_diameter=0.7),
    "charged walls": SlitSystem(
        confinement_length=2.0,
        negative_valency=-2,
        surface_charge_density=-0.05,
        positive_diameter=0.4,
        negative_diameter=0.6,
    ),
}
SMALL = SlitSystem(
    confinement_length=1.2, salt_concentration=2.0, positive_diameter=0.3, negative_ions=28
)
RHYTHM = Rhythm(rows=2, samples_per_row=2, intervals=2, split=5)


def configuration(system, settings=RunSettings()):  # noqa: B008
    """Return a disturbed lattice with velocities, in units of the kernel and as float32."""
    rng = np.random.default_rng([5, settings.seed])
    positions = lattice(system, rng)
    positions = (positions + rng.uniform(-0.05, 0.05, positions.shape)) / system.box_length
    positions[:2] -= np.rint(positions[:2])
    state = np.zeros((12, system.ion_count), np.float32)
    state[:3], state[3:6] = positions, rng.standard_normal(positions.shape)
    return state


def batch_of(runs, slots=None, rhythm=RHYTHM, **device):
    """Return a batch with one replica for each triple (system, settings, replica)."""
    shape = Shape.of(runs[0][0].ion_count)
    batch = Batch(ShimDevice(**device), shape, rhythm, slots or len(runs))
    for slot, (system, settings, index) in enumerate(runs):
        batch.place(slot, slit_record(system, settings, index), configuration(system, settings))
    return batch


def state_of(batch, system, slot=0):
    return batch.state.get_row(slot)[:, : system.ion_count]


def numba_forces(system, positions, electrostatics="periodic"):
    """Return the contact and Coulomb forces (k_BT/nm) of the Numba engine in double precision."""
    field = force_field(system, "double", electrostatics)
    contact, coulomb = np.zeros((2, *positions.shape))
    buffer = coulomb_buffer(field.valency, type(field.coulomb.zero))
    coulomb_forces(positions, field, buffer, coulomb)
    pairs = np.zeros((32 * positions.shape[1], 2), dtype=np.int32)
    count = build_pairs(positions, field, 0.1, pairs)
    contact_forces(positions, field, pairs, count, contact)
    return contact, coulomb


def relative(error, values):
    return np.sqrt(np.mean(error**2) / np.mean(values**2))


@pytest.mark.parametrize("electrostatics", ["periodic", "sheets"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_forces_and_energy_equal_those_of_the_numba_engine(name, electrostatics):
    system, settings = SYSTEMS[name], RunSettings(electrostatics=electrostatics)
    batch = batch_of([(system, settings, 0)])
    energy = batch.prepare(steps=0)[0]
    state = state_of(batch, system).astype(float)
    length = system.box_length
    expected = numba_forces(system, state[:3] * length, electrostatics)
    for computed, wanted in zip((state[6:9], state[9:12]), expected, strict=True):
        assert np.abs(wanted).max() > 1
        assert relative(computed / length - wanted, wanted) < 1e-5
    field = force_field(system, "double", electrostatics)
    total = potential_energy(state[:3] * length, field)
    energy += constant_energy(system, settings)
    assert energy == pytest.approx(
        total + forces.constant_energy(system, electrostatics), abs=2e-5 * system.ion_count
    )


@pytest.mark.parametrize("count", [420, 1100])
def test_number_of_ions_per_thread_does_not_matter(count):
    system = SlitSystem(negative_ions=count)
    batch = batch_of([(system, RunSettings(), 0)])
    batch.prepare(steps=0)
    state = state_of(batch, system).astype(float)
    for computed, wanted in zip(
        (state[6:9], state[9:12]), numba_forces(system, state[:3] * system.box_length), strict=True
    ):
        assert relative(computed / system.box_length - wanted, wanted) < 1e-5


def test_shared_memory_suffices_for_the_largest_systems():
    assert Shape.of(4096).shared_bytes <= 99 * 1024
    assert Shape.of(4096).threads <= Shape.of(4096).most_threads


def test_energy_is_conserved_like_that_of_the_numba_engine():
    settings = RunSettings(thermostat="none")
    warm = Replica(SMALL, RunSettings(), 0)
    record = empty_tally(SMALL, BINS, 200)
    arguments = warm.state, warm.force_field, warm.stepping
    assert integrators.advance(*arguments, 0, 200, record) == integrators.OK
    length = SMALL.box_length
    state = np.zeros((12, SMALL.ion_count), np.float32)
    state[:3], state[3:6] = warm.state.positions / length, warm.state.velocities
    state[:2] -= np.rint(state[:2])
    batch = Batch(ShimDevice(), Shape.of(SMALL.ion_count), replace(RHYTHM, rows=1), 1)
    batch.place(0, slit_record(SMALL, settings, 0), state)
    batch.prepare(steps=0)
    ours = []
    for _ in range(40):
        energy = batch.advance().energy[0]
        ours.append(energy + 0.5 * np.sum(state_of(batch, SMALL)[3:6].astype(float) ** 2))
    replica = Replica(SMALL, settings, 0)
    replica.state.positions[:] = state[:3] * length
    replica.state.velocities[:] = state[3:6]
    integrators.start(replica.state, replica.force_field, replica.stepping)
    theirs = []
    for _ in range(40):
        record = empty_tally(SMALL, BINS, 2)
        arguments = replica.state, replica.force_field, replica.stepping
        assert integrators.advance(*arguments, 0, 2, record) == integrators.OK
        kinetic = integrators.kinetic_energy(replica.state.velocities)
        theirs.append(kinetic + potential_energy(replica.state.positions, replica.force_field))
    kinetic = 1.5 * SMALL.ion_count
    assert np.std(ours) < 0.004 * kinetic
    assert np.std(ours) < 1.2 * np.std(theirs)


@pytest.mark.parametrize("name", ["trivalent", "charged walls"])
def test_tallies_equal_those_of_the_numba_engine(name):
    system, settings = SYSTEMS[name], RunSettings()
    batch = batch_of([(system, settings, 0)], rhythm=Rhythm(1, 1, 1, 1))
    batch.prepare()
    series = batch.advance().series[0, 0, :7] / FIXED_POINT
    profiles = batch.profiles.get_row(0)
    state = state_of(batch, system).astype(float)
    length = system.box_length
    replica = Replica(system, settings, 0)
    now = replica.state
    now.positions[:], now.velocities[:] = state[:3] * length, state[3:6]
    now.contact[:], now.coulomb[:] = state[6:9] / length, state[9:12] / length
    record = empty_tally(system, BINS, 1)
    tally(now, replica.force_field, 1.0, record, 0)
    tally_contact(now, replica.force_field, record, 0)
    assert np.array_equal(profiles[:, 0], record.counts)
    scale = np.sqrt(np.mean(record.forces**2))
    np.testing.assert_allclose(
        profiles[:, 1] / FIXED_POINT / length, record.forces, atol=1e-4 * scale
    )
    np.testing.assert_allclose(
        profiles[:, 2] / FIXED_POINT / length, record.tails, atol=1e-3 * scale
    )
    series *= [1, length, 1, 1, 1 / length, 1 / length, 1 / length]
    np.testing.assert_allclose(series, record.series[0], rtol=1e-4, atol=0.01)


def test_contact_forces_are_tallied_at_the_same_steps_as_by_the_numba_engine():
    """Without noise, both engines have the same trajectory for as long as this."""
    system, settings = SYSTEMS["trivalent"], RunSettings(thermostat="none")
    rhythm = Rhythm(rows=1, samples_per_row=5, intervals=2, split=5)
    batch = batch_of([(system, settings, 0)], rhythm=rhythm)
    batch.prepare()
    length = system.box_length
    replica = Replica(system, settings, 0)
    assert (replica.stepping.intervals, replica.stepping.coulomb_split) == (2, 5)
    start = state_of(batch, system).astype(float)
    replica.state.positions[:], replica.state.velocities[:] = start[:3] * length, start[3:6]
    integrators.start(replica.state, replica.force_field, replica.stepping)
    record = empty_tally(system, BINS, 1, samples_per_row=5)
    arguments = replica.state, replica.force_field, replica.stepping
    assert integrators.advance(*arguments, 0, 5, record) == integrators.OK
    series = batch.advance().series[0, 0, 4:7] / FIXED_POINT / length / 5
    forces = batch.profiles.get_row(0)[:, 1] / FIXED_POINT / length
    scale = np.sqrt(np.mean(record.forces**2))
    np.testing.assert_allclose(series, record.series[0, 4:7], rtol=1e-3, atol=0.01)
    # an ion on the edge of a bin may be in the neighbouring one
    np.testing.assert_allclose(
        np.cumsum(forces, axis=1)[:, 9::10], np.cumsum(record.forces, axis=1)[:, 9::10], atol=scale
    )


def test_philox_gives_the_published_words():
    """Known answers of Random123 (D. E. Shaw Research), kat_vectors, philox4x32 10."""
    vectors = [
        ("00000000 00000000 00000000 00000000", "00000000 00000000"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0"),
    ]
    answers = [
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ]

    def words(lines):
        return np.array([[int(word, 16) for word in line.split()] for line in lines], np.uint32)

    counters = np.zeros((32, 4), np.uint32)
    keys = np.zeros((32, 2), np.uint32)
    counters[:3], keys[:3] = words([c for c, _ in vectors]), words([k for _, k in vectors])
    pointers = [ctypes.c_void_p(each.ctypes.data) for each in (counters, keys)]
    ShimDevice().launch("philox_words", Shape(2, 32), 1, packed(pointers))
    assert np.array_equal(counters[:3], words(answers))


def velocities(batch, slot=0):
    return state_of(batch, SMALL, slot)[3:6].ravel()


def test_noise_of_different_seeds_and_replicas_is_uncorrelated():
    """Without forces and memory, the velocities are the noise of the last interval."""
    runs = [(SMALL, RunSettings(seed=seed), index) for seed in (1, 2) for index in (0, 1)]
    batch = batch_of(runs, rhythm=Rhythm(1, 1, 1, 1))
    for slot, (system, settings, index) in enumerate(runs):
        record = slit_record(system, settings, index)
        record["memory"], record["coulomb_scale"], record["time_step"] = 0, 0, 1e-9
        batch.place(slot, record, configuration(system, settings))
    batch.prepare()
    noise = []
    for _ in range(60):
        batch.advance()
        noise.append([velocities(batch, slot) for slot in range(len(runs))])
    # all times and ions, and the same shifted by one time and by one ion
    series = np.moveaxis(np.array(noise), 0, 1).reshape(len(runs), -1)
    many = series.shape[1]
    for shift in (0, 1, 3 * SMALL.ion_count):
        moved = np.roll(series, shift, axis=1)
        correlation = series @ moved.T / many
        if shift == 0:
            assert np.abs(np.diag(correlation) - 1).max() < 5 * np.sqrt(2 / many)
            np.fill_diagonal(correlation, 0)
        assert np.abs(correlation).max() < 5 / np.sqrt(many)
    assert np.abs(series.mean(axis=1)).max() < 5 / np.sqrt(many)


def test_replicas_do_not_depend_on_the_batch_or_the_length_of_launches():
    run, others = (SMALL, RunSettings(), 3), [(SMALL, RunSettings(seed=7), i) for i in (0, 1)]
    alone, together = batch_of([run]), batch_of([*others, run], slots=5)
    for batch in (alone, together):
        batch.prepare()
    together._rows_per_launch = RHYTHM.rows
    chunks = [batch.advance() for batch in (alone, together)]
    assert np.array_equal(state_of(alone, SMALL), state_of(together, SMALL, slot=2))
    assert np.array_equal(chunks[0].series[0], chunks[1].series[2])
    assert np.array_equal(alone.profiles.get_row(0), together.profiles.get_row(2))
    assert chunks[0].problem[0] == NO_PROBLEM


def test_order_of_the_threads_does_not_matter():
    """A missing barrier would let a thread read what another has not yet written."""
    states = []
    for descending in (False, True):
        batch = batch_of([(SYSTEMS["unequal"], RunSettings(), 0)], descending=descending)
        batch.prepare(steps=3)
        batch.advance()
        states.append([batch.state.get(), batch.profiles.get()])
    assert np.array_equal(states[0][0], states[1][0])
    assert np.array_equal(states[0][1], states[1][1])


@pytest.mark.parametrize("kernel, message", [
    ("divergent_shuffle", "the threads wait for each other: 0 at a shuffle"),
    ("divergent_barrier", "41 at a shuffle"),
    ("unnamed_lane", "thread 30 takes the value of a lane outside the mask"),
    ("outside", "outside its shared memory"),
])  # fmt: skip
def test_shim_reports_faults_that_hang_a_card(kernel, message):
    kernels = ("divergent_shuffle", "divergent_barrier", "unnamed_lane", "exchange", "outside")
    device = ShimDevice(source=HERE / "divergent.cu", kernels=kernels)
    values = np.arange(2048, dtype=np.float32)
    arguments = packed([ctypes.c_void_p(values.ctypes.data)])
    with pytest.raises(ShimError, match=message):
        device.launch(kernel, Shape(2, 64), 1, arguments)
    device.launch("exchange", Shape(2, 64), 1, arguments)
