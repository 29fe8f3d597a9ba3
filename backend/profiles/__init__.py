"""Density profiles across the slit, their errors, and the charge that follows from them."""
