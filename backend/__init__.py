"""Simulates ions in a slit: the physical system, the engines, and what keeps their runs."""

__version__ = "0.1.0"
