"""LAMMPS as a second engine for the same systems."""
