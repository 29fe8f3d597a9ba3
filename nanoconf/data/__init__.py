"""Datasets of simulated profiles, the plans that they come from, and sweeps."""
