"""How fast and how exact the engine is, beside LAMMPS: ``python -m benchmarks``."""
