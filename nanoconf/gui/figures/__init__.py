"""Figures: what to draw, as data, and how to draw it."""
