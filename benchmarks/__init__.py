"""Benchmarks of speed and accuracy, compared with LAMMPS: ``python -m benchmarks``."""
