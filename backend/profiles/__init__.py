"""Density profiles across the slit, their standard errors and their charge."""
