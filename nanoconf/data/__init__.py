"""Datasets of simulated profiles, plans of simulations, and sweeps that carry them out."""
