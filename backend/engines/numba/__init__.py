"""The Numba molecular-dynamics engine."""
