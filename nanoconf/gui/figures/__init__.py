"""Figures: plots as data, and their drawing."""
