"""Simulation of ions in a slit: the physical system, the engines and the storage of runs."""

__version__ = "0.1.0"
