"""LAMMPS input: the system, its interactions and the run, in Lennard-Jones units.

The unit of length is the diameter d of the smaller ion, the unit of energy is k_BT, and every ion
has mass 1, so the unit of time is τ. Charges are valencies: the dielectric constant is chosen so
that two unit charges one Bjerrum length apart interact with an energy of k_BT.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from backend.profiles.bins import BINS
from backend.sampling.dynamics import CHAIN_LENGTH, CHAIN_TIME, FRICTION
from backend.sampling.equilibration import SLOW
from backend.sampling.samples import SERIES, empty_tally
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from backend.walls import WCA_RANGE, wall_geometry

DATA_FILE, FORCE_FILE = "ions.data", "ions.forces"
RUN_FILE, FORCE_INPUT = "in.run", "in.forces"
SNAPSHOT_FILE = "ions.snapshots"

ACCURACY = 1e-3
"""Accuracy of the Coulomb forces, relative to the force between ions at their mean distance."""

NEIGHBOURS = 140
"""Approximate number of ions within the real-space cut-off, chosen for the speed of PPPM."""

RELAXATION_STEPS = 1000
LARGEST_MOVE = 0.02
"""Largest displacement of an ion in a relaxation step (d)."""

ROWS_OF_ENGINE = 5
"""Largest number of rows of the Numba engine's series that are averaged in one row here."""


@dataclass(frozen=True)
class Method:
    """Parameters of the Coulomb forces in LAMMPS.

    Parameters
    ----------
    cutoff : float
        Real-space cut-off (d, the diameter of the smaller ion).
    accuracy : float
        Target accuracy of the PPPM forces (k_BT/d).
    order : int
        Order of the charge assignment.
    slab : float
        Cell height over the slit width h. The gap separates the periodic images of the slit; after
        the dipole correction, their longest waves contribute a relative error exp(−2π gap/L).
    skin : float
        Margin of the neighbour list (d).
    suffix : str
        Variant of the styles, as in ``-sf opt``; may be empty.
    """

    cutoff: float
    accuracy: float = 1e-3
    order: int = 5
    slab: float = 3.0
    skin: float = 0.4
    suffix: str = ""

    @property
    def options(self) -> list[str]:
        """Command-line options of LAMMPS."""
        return ["-sf", self.suffix] if self.suffix else []

    @classmethod
    def of(cls, system: SlitSystem, suffix: str = "") -> Method:
        """Return the method of a run: a gap as wide as the box, and a cut-off chosen for speed."""
        unit = system.smaller_diameter
        width, length = system.confinement_length, system.box_length
        volume = NEIGHBOURS * length**2 * width / system.ion_count
        radius = math.cbrt(3 * volume / (4 * math.pi))
        if radius > width / 2:  # a sphere truncated by both walls
            radius = math.sqrt(volume / (math.pi * width) + width**2 / 12)
        cutoff = max(min(radius, length), WCA_RANGE * max(system.diameters))
        return cls(
            cutoff / unit,
            ACCURACY * _typical_force(system) * unit,
            slab=max(3.0, 1 + length / width),
            suffix=suffix,
        )


def _typical_force(system: SlitSystem) -> float:
    """Return the Coulomb force between ions of rms charge at their mean distance (k_BT/nm)."""
    charges = np.repeat(system.valencies, system.counts)
    density = system.ion_count / (system.box_length**2 * system.confinement_length)
    return system.bjerrum_length * float(np.mean(charges**2)) * density ** (2 / 3)


def data_text(system: SlitSystem, positions: np.ndarray) -> str:
    """Return the data file: box, masses, and ions at positions (nm) of shape (3, ions)."""
    unit = system.smaller_diameter
    length, half = system.box_length / unit, system.confinement_length / unit / 2
    species = np.repeat([0, 1], system.counts)
    folded = positions / unit
    folded[:2] -= length * np.floor(folded[:2] / length)
    ions = "".join(
        f"{i + 1} {s + 1} {system.valencies[s]} {x:.12g} {y:.12g} {z:.12g}\n"
        for i, (s, (x, y, z)) in enumerate(zip(species, folded.T, strict=True))
    )
    return (
        f"Ions in a slit\n\n{system.ion_count} atoms\n2 atom types\n\n"
        f"0 {length:.12g} xlo xhi\n0 {length:.12g} ylo yhi\n{-half:.12g} {half:.12g} zlo zhi\n\n"
        f"Masses\n\n1 1.0\n2 1.0\n\nAtoms # charge\n\n{ions}"
    )


def interactions(system: SlitSystem, method: Method) -> str:
    """Return the commands that define ions, walls and forces."""
    unit = system.smaller_diameter
    return f"""\
units lj
atom_style charge
boundary p p f
dielectric {unit / system.bjerrum_length:.12g}
read_data {DATA_FILE}
group positive type 1
group negative type 2
{_pair_lines(system, method)}
kspace_style pppm {method.accuracy:.6g}
# with diff ad, the z forces of a slab are wrong
kspace_modify order {method.order} diff ik slab {method.slab:.6g}
{_wall_lines(system)}
neighbor {method.skin:g} bin
neigh_modify delay 0 every 1 check yes
"""


def _pair_lines(system: SlitSystem, method: Method) -> str:
    d_positive, d_negative = (d / system.smaller_diameter for d in system.diameters)
    sizes = {"1 1": d_positive, "1 2": (d_positive + d_negative) / 2, "2 2": d_negative}
    reach = WCA_RANGE * max(sizes.values())
    return "\n".join(
        [
            f"pair_style lj/cut/coul/long {reach:.12g} {method.cutoff:.12g}",
            "pair_modify shift yes",
            *(f"pair_coeff {p} 1.0 {d:.12g} {WCA_RANGE * d:.12g}" for p, d in sizes.items()),
        ]
    )


def _wall_lines(system: SlitSystem) -> str:
    unit = system.smaller_diameter
    lines = []
    for name, size, plane in zip(SPECIES, *wall_geometry(system), strict=True):
        d, z = size / unit, plane / unit
        wca = f"1.0 {d:.12g} {WCA_RANGE * d:.12g}"
        lines.append(f"fix wall_{name} {name} wall/lj126 zlo {-z:.12g} {wca} zhi {z:.12g} {wca}")
        lines.append(f"fix_modify wall_{name} energy yes")
    return "\n".join(lines)


def force_text(system: SlitSystem, method: Method) -> str:
    """Return the input of `engine.forces`, which writes all forces to a file."""
    return f"""\
{interactions(system, method)}
dump forces all custom 1 {FORCE_FILE} id fx fy fz
dump_modify forces sort id format float %.12g
run 0
"""


def run_text(
    system: SlitSystem,
    settings: RunSettings,
    schedule: Schedule,
    method: Method,
    seed: int,
    snapshots: int = 0,
) -> str:
    """Return the input of a run: relax, equilibrate, sample.

    Parameters
    ----------
    system, settings, schedule, method
        Description of the run.
    seed : int
        Seed of the velocities and of the thermostat, 1 to 9 × 10⁸.
    snapshots : int
        Number of configurations to save.
    """
    every = settings.steps_per_sample
    row = every * samples_per_row(schedule)
    return f"""\
{interactions(system, method)}
# before the thermostat adds its forces
fix total all store/force
timestep {settings.time_step:g}
compute_modify thermo_temp extra/dof 0
velocity all create 1.0 {seed} dist gaussian
thermo {row}
thermo_style custom step
# flush, to show progress and to end LAMMPS when the reader of its output is gone
thermo_modify flush yes

print "phase relaxing"
fix limit all nve/limit {LARGEST_MOVE}
fix cool all langevin 1.0 1.0 0.1 {seed}
run {RELAXATION_STEPS}
unfix limit
unfix cool

{_sum_lines(system)}

print "phase equilibrating"
reset_timestep 0
{_integration_lines(system, settings, seed)}
{_slow_lines(samples_per_row(schedule), every)}
run {schedule.equilibration_steps(settings)}
thermo_style custom step
unfix slow

print "phase sampling"
reset_timestep 0
{_series_lines(system, samples_per_row(schedule), every)}
{_histogram_lines(system, schedule.samples_per_tally, every)}
{_snapshot_lines(schedule, every, snapshots)}
run {schedule.stages[-1] * schedule.samples_per_tally * every}
print "phase done"
"""


def _snapshot_lines(schedule: Schedule, every: int, snapshots: int) -> str:
    if not snapshots:
        return ""
    return (
        f"dump snapshots all custom {every * schedule.samples_per_snapshot(snapshots)} "
        f"{SNAPSHOT_FILE} id x y z\ndump_modify snapshots sort id format float %.10g"
    )


def samples_per_row(schedule: Schedule) -> int:
    """Return the number of samples in a row of the series; whole rows make a tally."""
    rows = [n for n in range(1, 1 + ROWS_OF_ENGINE) if schedule.rows_per_chunk % n == 0]
    return max(rows) * schedule.samples_per_row


def _integration_lines(system: SlitSystem, settings: RunSettings, seed: int) -> str:
    larger = system.diameter_ratio
    if settings.thermostat == "nose-hoover":
        return f"fix move all nvt temp 1.0 1.0 {CHAIN_TIME * larger:.12g} tchain {CHAIN_LENGTH}"
    bath = f"\nfix bath all langevin 1.0 1.0 {larger / FRICTION:.12g} {seed}"
    return "fix move all nve" + (bath if settings.thermostat == "langevin" else "")


def _sum_lines(system: SlitSystem) -> str:
    """Return the commands that define the sums over all ions of which series are recorded."""
    unit = system.smaller_diameter
    _, middle, contact = empty_tally(system, bins=1, rows=1).limits / unit
    sums = {
        "dipole": f"q*z*{unit:.12g}",
        "middle": f"abs(z)<{middle:.12g}",
        "contact": f"abs(z)>{contact:.12g}",
        "left_ions": f"(z<0)*f_total[3]/{unit:.12g}",
    }
    return "\n".join(
        f'variable {name} atom "{formula}"\ncompute {name} all reduce sum v_{name}'
        for name, formula in sums.items()
    )


def _slow_lines(samples: int, every: int) -> str:
    """Return the commands that record the series of `equilibration.SLOW`."""
    columns = " ".join(f"c_{name}" for name in SLOW)
    shown = " ".join(f"f_slow[{i + 1}]" for i in range(len(SLOW)))
    return (
        f"fix slow all ave/time {every} {samples} {every * samples} {columns}\n"
        f"thermo_style custom step {shown}\n"
        "thermo_modify flush yes format float %.10g"
    )


def _series_lines(system: SlitSystem, samples: int, every: int) -> str:
    """Return the commands that record the time series of `samples.SERIES`."""
    unit = system.smaller_diameter
    walls = ("left_wall", "right_wall")
    series = {"temperature": "c_thermo_temp", "left_half": "v_left_half"}
    series |= {name: f"c_{name}" for name in SLOW} | {name: f"v_{name}" for name in walls}
    lines = []
    # LAMMPS reports the forces of the ions on the walls
    for index, side in enumerate(walls, start=1):
        both = "+".join(f"f_wall_{name}[{index}]" for name in SPECIES)
        lines.append(f'variable {side} equal "-({both})/{unit:.12g}"')
    # the right wall reaches ions on the left only in a slit narrower than 1.25 diameters
    lines.append('variable left_half equal "c_left_ions-v_left_wall"')
    columns = " ".join(series[name] for name in SERIES)
    shown = " ".join(f"f_series[{i + 1}]" for i in range(len(SERIES)))
    lines.append(f"fix series all ave/time {every} {samples} {every * samples} {columns}")
    # pe is the energy of the current step, not an average, divided by the number of ions
    lines.append(f"thermo_style custom step pe {shown}")
    lines.append("thermo_modify flush yes norm yes format float %.10g")
    return "\n".join(lines)


def _histogram_lines(system: SlitSystem, samples: int, every: int) -> str:
    """Return the commands that sum over the ions in each bin, as in `samples.Tally`."""
    unit = system.smaller_diameter
    half = system.confinement_length / unit / 2
    place = f"((z+{half:.12g})*{BINS / (2 * half):.12g})"
    lines = [
        f"compute bins all chunk/atom bin/1d z lower {2 * half / BINS:.15g} units box",
        f'variable tail atom "f_total[3]*(ceil{place}-{place})"',
    ]
    for name in SPECIES:
        lines.append(
            f"fix tally_{name} {name} ave/chunk {every} {samples} {every * samples} bins "
            f'f_total[3] v_tail norm none ave one format " %.10g" file {histogram_file(name)}'
        )
    return "\n".join(lines)


def histogram_file(species: str) -> str:
    """Return the name of the file with all histograms of a species."""
    return f"{species}.histograms"
