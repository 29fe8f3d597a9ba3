"""Simulation of ions in a slit: the physical system, the engines and the storage of runs."""

__version__ = "1.0.0rc1"
