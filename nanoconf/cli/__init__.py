"""Verbs of the command line that have a file of their own: what can be typed, and what it does."""
