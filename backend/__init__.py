"""Simulation of ions in a slit: the physical system, the engines and the storage of runs."""

__version__ = "1.0.0rc1"

RESULTS_VERSION = "0.1.0"
"""Version since which equal inputs give equal results.

Stored results and checkpoints of this version and later ones are used. Set it to the version in
which a change of an engine changes its results.
"""
