"""Physical constants in SI units (CODATA 2022; the first three are exact).

`scipy.constants` provides the same values but takes a third of a second to import.
"""

e = 1.602176634e-19
"""Elementary charge (C)."""

k = 1.380649e-23
"""Boltzmann constant (J/K)."""

N_A = 6.02214076e23
"""Avogadro constant (1/mol)."""

epsilon_0 = 8.8541878188e-12
"""Vacuum permittivity (F/m)."""

atomic_mass = 1.66053906892e-27
"""Atomic mass constant (kg)."""
