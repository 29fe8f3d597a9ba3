"""Simulation engines, their registry and their cost."""
