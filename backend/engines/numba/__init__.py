"""Numba molecular-dynamics engine."""
