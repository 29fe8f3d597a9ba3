"""The same system through LAMMPS, as a second engine."""
